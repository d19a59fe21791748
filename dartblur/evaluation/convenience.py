"""Review convenience: how close an anonymised face is to the ordinary blur that a person expects to see.

The ordinary blur is the Gaussian at strength 1, whatever strength the method's own pre-blur has. Everything is measured a face at a time, over the
whole pixels that its box touches, and averaged over faces, so that a small face weighs as much as a large one. Faces that detectors ignore are
anonymised like all others and take part.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dartblur.faces.boxes import Boxes, mask_of, pixel_bounds
from dartblur.media.images import Image

SSIM_RADIUS = 5
"""Half the window of SSIM (11 x 11, sigma 1.5), so the context that it needs around a face, in pixels."""
GREY_RANGE = 255.0


@dataclass(frozen=True)
class FaceConvenience:
    """One face beside its ordinary blur.

    Attributes:
        picture: name of the picture.
        box: x1 y1 x2 y2 in whole pixels, x2 y2 excluded.
        l1: mean absolute difference over pixels and channels, grey levels 0..255.
        psnr: decibels; infinite where both are equal.
        ssim: mean of the SSIM map inside the box, -1..1.
    """

    picture: str
    box: tuple[int, int, int, int]
    l1: float
    psnr: float
    ssim: float


def measure_faces(picture: str, anonymised: Image, blurred: Image, boxes: Boxes) -> list[FaceConvenience]:
    """Compare every face of one picture with its ordinary blur.

    Args:
        picture: name of the picture.
        anonymised: uint8, H x W x 3.
        blurred: the ordinary Gaussian blur, uint8, H x W x 3.
        boxes: N x 4, absolute pixels; boxes wholly outside the picture are left out.

    Raises:
        ValueError: the pictures differ in shape.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    _same_shape(anonymised, blurred)
    height, width = blurred.shape[:2]
    result = []
    for x1, y1, x2, y2 in pixel_bounds(boxes, width, height).tolist():
        if x1 >= x2 or y1 >= y2:
            continue
        ours, theirs = (torch.from_numpy(image[y1:y2, x1:x2].astype(np.float64)) for image in (anonymised, blurred))
        psnr = float(peak_signal_noise_ratio(ours, theirs, data_range=GREY_RANGE))  # infinite where both are equal
        l1 = float((ours - theirs).abs().mean())
        result.append(FaceConvenience(picture, (x1, y1, x2, y2), l1, psnr, _ssim(anonymised, blurred, (x1, y1, x2, y2))))
    return result


def _ssim(anonymised: Image, blurred: Image, box: tuple[int, int, int, int]) -> float:
    """Mean of the SSIM map over the box. The map's window sees the pixels around the box; only at the picture's border are they mirrored."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    height, width = blurred.shape[:2]
    x1, y1, x2, y2 = box
    left, top = max(x1 - SSIM_RADIUS, 0), max(y1 - SSIM_RADIUS, 0)
    right, bottom = min(x2 + SSIM_RADIUS, width), min(y2 + SSIM_RADIUS, height)
    crops = [_as_batch(image[top:bottom, left:right]) for image in (anonymised, blurred)]
    _, full = structural_similarity_index_measure(crops[0], crops[1], data_range=1.0, return_full_image=True)
    return float(full[:, :, y1 - top : y2 - top, x1 - left : x2 - left].mean())


def _as_batch(crop: Image) -> torch.Tensor:
    """(H, W, 3) to (1, 3, H', W') in 0..1, at least 6 pixels a side: SSIM mirrors 5 pixels at the border and cannot mirror more than there are.

    float32, because float64 convolutions take 20 times as long and change SSIM by no more than 1e-5.
    """
    short = [(0, max(SSIM_RADIUS + 1 - side, 0)) for side in crop.shape[:2]]
    padded = np.pad(crop, [*short, (0, 0)], mode="edge").astype(np.float32) / np.float32(GREY_RANGE)
    return torch.from_numpy(padded).permute(2, 0, 1)[None]


def outside_changed(anonymised: Image, clean: Image, boxes: Boxes) -> int:
    """Number of pixels outside the union of the boxes that differ from the clean picture in any channel.

    Raises:
        ValueError: the pictures differ in shape.
    """
    _same_shape(anonymised, clean)
    height, width = clean.shape[:2]
    changed: npt.NDArray[np.bool_] = (anonymised != clean).any(axis=2) & ~mask_of(boxes, width, height)
    return int(changed.sum())


def _same_shape(a: Image, b: Image) -> None:
    if a.shape != b.shape:
        raise ValueError(f"pictures of shape {a.shape} and {b.shape} cannot be compared")


@dataclass
class Convenience:
    """Review convenience of one arm, accumulated over pictures.

    Args:
        budget: mean distance from the ordinary blur that a reviewer accepts, grey levels.

    Example:
        >>> convenience = Convenience(budget=20.0)
        >>> convenience.add("a.jpg", anonymised, blurred, clean, boxes)
        >>> convenience.summary()["l1"]
        7.3
    """

    budget: float
    faces: list[FaceConvenience] = field(default_factory=list)
    outside: int = 0

    def add(self, picture: str, anonymised: Image, blurred: Image, clean: Image, boxes: Boxes) -> None:
        """Add one picture: all images uint8, H x W x 3; see :func:`measure_faces` and :func:`outside_changed`."""
        self.faces += measure_faces(picture, anonymised, blurred, boxes)
        self.outside += outside_changed(anonymised, clean, boxes)

    def summary(self) -> dict[str, Any]:
        """``l1``, ``psnr``, ``ssim``, ``within_budget`` (share of faces) and ``outside_changed`` (pixels), with ``<name>_reason`` beside every None.

        L1 and SSIM are means over faces. PSNR is that of the mean over faces of the squared error: a mean of decibels would be infinite as soon as
        one face equals its blur.
        """
        if not self.faces:
            reason = "no face in the pictures that were compared"
            missing = {key: value for name in ("l1", "psnr", "ssim", "within_budget") for key, value in ((name, None), (f"{name}_reason", reason))}
            return {**missing, "outside_changed": self.outside}
        squared = float(np.mean([0.0 if math.isinf(face.psnr) else GREY_RANGE**2 / 10 ** (face.psnr / 10) for face in self.faces]))
        psnr: Mapping[str, Any]
        if squared > 0:
            psnr = {"psnr": 10 * math.log10(GREY_RANGE**2 / squared)}
        else:
            psnr = {"psnr": None, "psnr_reason": "every face equals the ordinary blur: infinite"}
        return {
            "l1": float(np.mean([face.l1 for face in self.faces])),
            **psnr,
            "ssim": float(np.mean([face.ssim for face in self.faces])),
            "within_budget": float(np.mean([face.l1 <= self.budget for face in self.faces])),
            "outside_changed": self.outside,
        }
