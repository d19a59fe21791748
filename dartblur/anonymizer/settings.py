"""All that decides what an anonymised picture looks like, in one object; what does the work is made from it."""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dartblur import __version__
from dartblur.anonymizer.methods import Choice, Method, load_method
from dartblur.anonymizer.picture import Work
from dartblur.anonymizer.search import Search
from dartblur.anonymizer.shape import Shape
from dartblur.detector.detections import FaceDetector
from dartblur.detector.finder import FINDERS, load_finder
from dartblur.errors import UsageError
from dartblur.media.files import value_sha256

if TYPE_CHECKING:
    from dartblur.params import RegistryParams

VERIFIER = "centerface"
"""Looks at what was written; another family than the detector that is usually asked, so that it does not miss the same faces."""


@dataclass(frozen=True)
class Settings:
    """How faces are found and hidden.

    Attributes:
        choice: what hides them.
        detectors: what looks for them, names of :data:`dartblur.detector.finder.FINDERS`; none where only given boxes count.
        score: smallest score of a detection, 0 to 1; None is the usual one of each detector.
        min_size: smallest shorter side of a detection, pixels.
        margin: see :class:`dartblur.anonymizer.search.Search`.
        shape: the form of what is hidden.
        verify: look at every written picture once more, with another detector.
        keep_metadata: keep the safe list of metadata.
        write_empty: write pictures in which no face was found.
        audio: keep a video's sound.
    """

    choice: Choice = Choice()  # noqa: RUF009  frozen
    detectors: Sequence[str] = ("yunet",)
    score: float | None = None
    min_size: float = 0.0
    margin: float | None = None
    shape: Shape = Shape()  # noqa: RUF009  frozen
    verify: bool = False
    keep_metadata: bool = False
    write_empty: bool = False
    audio: bool = True

    def __post_init__(self) -> None:
        """Raises: UsageError: a number is out of its range, or a detector is unknown."""
        for name in self.detectors:
            if name not in FINDERS:
                raise UsageError(f"detector {name}: unknown; choose {', '.join(FINDERS)}")
        if self.score is not None and not 0 < self.score < 1:
            raise UsageError(f"score {self.score:g}: must be between 0 and 1; leave it out for the detector's usual one")
        if not (math.isfinite(self.min_size) and self.min_size >= 0):
            raise UsageError(f"min-size {self.min_size:g}: must be a number of pixels, 0 or more")
        if self.margin is not None and not 0 <= self.margin <= 2:
            raise UsageError(f"margin {self.margin:g}: must be from 0 to 2, a share of the face's sides")

    def identity(self, method: Method) -> str:
        """A digest that is another one wherever the same picture might come out otherwise."""
        return value_sha256([asdict(self), method.label, __version__])


def make_work(settings: Settings, registry: Callable[[], "RegistryParams"] | None = None) -> Work:
    """Load what ``settings`` ask for; seconds, once.

    Args:
        registry: where registered models are, asked only if one is wanted.

    Raises:
        UsageError, DartblurError: a model or a detector cannot be had.
    """
    with ThreadPoolExecutor(1) as aside:  # networks are made ready in C++, two as fast as one
        method = aside.submit(load_method, settings.choice, registry)
        search = make_search(settings)
    return Work(
        search=search,
        method=method.result(),
        shape=settings.shape,
        verifier=load_finder(VERIFIER, None) if settings.verify else None,
        keep_metadata=settings.keep_metadata,
        write_empty=settings.write_empty,
    )


def make_search(settings: Settings, scores: Mapping[str, float] | None = None) -> Search:
    """Load the detectors alone, with other smallest scores by name where these are given."""
    detectors: list[FaceDetector] = [load_finder(name, settings.score if scores is None else scores[name]) for name in settings.detectors]
    return Search(detectors, settings.min_size, settings.margin)
