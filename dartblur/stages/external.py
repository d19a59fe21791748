"""Another tool's command (``evaluate.commands``) at work: on the data set for its arm, and on known people for those who attack it."""

import hashlib
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes
from dartblur.media.images import Image, encode_image, read_image


def let_work(command: str, arm: str, pictures: Iterable[tuple[str, bytes]], folder: Path) -> None:
    """Let a tool read pictures and write ``folder``.

    Args:
        command: a line for the shell with {input} and {output}.
        pictures: name, a relative path with forward slashes, and the bytes of a picture file.

    Raises:
        DartblurError: it ended with another exit code than 0; its last line is in the message.
    """
    shutil.rmtree(folder, ignore_errors=True)
    given = folder.with_name(f"{folder.name}-input")
    shutil.rmtree(given, ignore_errors=True)
    try:
        for name, data in pictures:
            path = given / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        folder.mkdir(parents=True)
        # The command is the user's own, from params.yaml, as the cmd of a stage in dvc.yaml is.
        line = command.replace("{input}", shlex.quote(str(given.resolve()))).replace("{output}", shlex.quote(str(folder.resolve())))
        done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)  # noqa: S602
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise DartblurError(f"evaluate.commands.{arm}: ended with exit code {done.returncode} ({said[-1] if said else 'it said nothing'})")
    finally:
        shutil.rmtree(given, ignore_errors=True)


class Remembered:
    """What a tool made of pictures that it was shown before (:func:`show_people`), as an :class:`~dartblur.blur.base.Anonymizer`.

    The boxes are not looked at: the tool finds faces by itself, and a face that it misses stays in the clear. That is how it hides people.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self._folder = name, folder

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        """The tool's picture for ``image``.

        Raises:
            DartblurError: it made none of this picture, or one of another size.
        """
        path = self._folder / _name(image)
        if not path.is_file():
            raise DartblurError(f"evaluate.commands.{self.name}: has made no {path.name} of a picture with a known person; mend the command")
        made = read_image(path)
        if made.shape != image.shape:
            raise DartblurError(f"evaluate.commands.{self.name}: a picture of {image.shape[1]} x {image.shape[0]} pixels came back in another size")
        return made


def show_people(command: str, arm: str, pictures: Iterable[Path], folder: Path) -> None:
    """Let a tool hide the people of picture files; :class:`Remembered` finds its pictures in ``folder``."""
    let_work(command, arm, ((_name(image), encode_image(image, ".png")) for image in map(read_image, pictures)), folder)


def _name(image: Image) -> str:
    """A picture's name by its pixels; lossless, so that the tool sees what the other arms see."""
    return f"{hashlib.sha256(str(image.shape).encode() + image.tobytes()).hexdigest()}.png"
