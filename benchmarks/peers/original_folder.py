"""A folder anonymised by the original's scripts from a checkout, as a user runs them: one process for the pre-blur, one for the U-Net."""

import sys
from collections.abc import Mapping
from pathlib import Path

import torch

from benchmarks.original.weights import turned, unet_name
from benchmarks.original_step import find_checkout
from benchmarks.peers.process import Run, run
from dartblur.blur.dartblur import DartBlur
from dartblur.errors import UsageError
from dartblur.faces.boxes import Boxes, pixel_bounds

_ROOT = Path(__file__).resolve().parents[2]
_SCRIPTS = ("gaussblur.py", "dartblur.py")
_GROUP = "0--Crowd"
_RESULT = f"data/widerface/val/images_dartblur/{_GROUP}"
_NO_BAR = '''"""In place of the library that draws the original's progress bar."""

from contextlib import contextmanager


@contextmanager
def alive_bar(total):
    yield lambda: None
'''


class OriginalFolder:
    """The scripts, ready to run on one folder.

    Attributes:
        name: which form it is, for the record.
    """

    def __init__(self, pictures: Path, annotations: Path, boxes: Mapping[str, Boxes], model: Path, work: Path, checkout: Path | None) -> None:
        """Lay out what the scripts read: their U-Net with the weights of ``model`` (width 32, depth 5), and a WIDER FACE tree.

        Args:
            annotations: the boxes as a CSV; ``boxes`` are the same.
            work: an empty folder.
            checkout: of JaNg2333/DartBlur at 28cdf76; None: one that is found, else the form rebuilt on our modules.
        """
        self._work, self._checkout = work, checkout or find_checkout()
        self._rebuilt = [str(Path(__file__).parent / "original_script.py"), *(str(path) for path in (pictures, annotations, model, work / "out"))]
        if self._checkout is None:
            self.name, self.out = "original script, rebuilt on our modules", work / "out"
            return
        if not all((self._checkout / script).is_file() for script in _SCRIPTS):
            raise UsageError(f"{self._checkout}: no checkout of the original ({' or '.join(_SCRIPTS)} is missing); clone JaNg2333/DartBlur there")
        self.name, self.out = "original scripts gaussblur.py and dartblur.py, their checkout", work / _RESULT
        for mode in ("train", "val"):
            (work / f"data/widerface/{mode}/images").mkdir(parents=True)
        split = work / "data/widerface/wider_face_split"
        split.mkdir()
        (split / "wider_face_train_bbx_gt.txt").touch()
        (split / "wider_face_val_bbx_gt.txt").write_text("".join(_listed(name, rows) for name, rows in sorted(boxes.items())))
        (work / f"data/widerface/val/images/{_GROUP}").symlink_to(pictures.resolve())
        (work / "model_data").mkdir()
        state = {unet_name(name): turned(name, value) for name, value in DartBlur.load(model).unet.state_dict().items()}
        torch.save(state, work / "model_data/dartblur.pt")
        self._stand_ins = work.resolve() / "stand-ins"
        self._stand_ins.mkdir()
        (self._stand_ins / "alive_progress.py").write_text(_NO_BAR)

    def run(self, log: Path) -> Run:
        """Anonymise the folder once; :attr:`out` holds the pictures afterwards. ``log`` takes what the scripts say.

        Raises:
            DartblurError: a script failed.
        """
        if self._checkout is None:
            return run([sys.executable, *self._rebuilt], log)
        taken = [
            run([sys.executable, self._checkout.resolve() / script], log, folder=self._work, variables={"PYTHONPATH": str(self._stand_ins)})
            for script in _SCRIPTS
        ]
        peaks = [one.memory_mib for one in taken if one.memory_mib is not None]
        return Run(sum(one.seconds for one in taken), sum(one.processor_seconds for one in taken), max(peaks, default=None), 0)


def _listed(name: str, boxes: Boxes) -> str:
    """A picture in WIDER FACE's list: x, y, width and height in whole pixels."""
    rows = [f"{x1} {y1} {x2 - x1} {y2 - y1} 0 0 0 0 0 0\n" for x1, y1, x2, y2 in pixel_bounds(boxes, 1 << 16, 1 << 16).tolist()]
    return f"{_GROUP}/{name}\n{len(rows)}\n{''.join(rows)}"
