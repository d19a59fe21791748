"""What a family of trainable detectors brings to the one trainer and the one test."""

from typing import Protocol, TypeVar

from torch import Tensor, nn

from dartblur.params import DetectorParams

M = TypeVar("M", bound=nn.Module)


class Family(Protocol[M]):
    """Network, targets, loss and decoding of one kind of detector. ``backbone.`` starts the names of parameters that learn at the backbone's rate."""

    name: str

    def new(self, params: DetectorParams, seed: int) -> M:
        """An untrained detector whose new layers come from ``seed``, never from a face detector; on the CPU."""
        ...

    def loss(self, model: M, images: Tensor, boxes: list[Tensor], ignored: list[Tensor], params: DetectorParams) -> Tensor:
        """What a training step brings down, a scalar.

        Args:
            images: (B, 3, H, W), grey levels 0 to 255, R G B, on the model's device.
            boxes: B tensors (M, 4) of faces, corners in pixels of the view.
            ignored: B tensors (M,) bool, True for faces that are neither to be found nor background.
        """
        ...

    def detect(self, model: M, images: Tensor, params: DetectorParams, score_floor: float | None = None) -> list[Tensor]:
        """Detections in pictures like those of :meth:`loss`.

        Args:
            score_floor: smallest probability; that of ``params`` if None.

        Returns:
            B tensors (N, 5): x1 y1 x2 y2 score, best first, at most ``params.max_detections``, cut at the view's borders.
        """
        ...
