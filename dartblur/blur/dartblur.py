"""DartBlur as an anonymiser: the Gaussian pre-blur, then the U-Net on tiles around the faces only."""

from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from dartblur.blur.base import bounds_to_hide
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.unet import UNet, blend
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, as_boxes, mask_of
from dartblur.media.images import Image
from dartblur.media.tensors import load_state, load_tensors, save_tensors
from dartblur.media.windows import Window, cut

TILES_A_BATCH = 32
UNET_FILE = "unet.safetensors"


@dataclass(frozen=True)
class DartBlurConfig:
    """What a trained U-Net needs to be used as it was trained; stored beside its weights.

    Attributes:
        width, depth: of the U-Net.
        strength: of the Gaussian pre-blur.
        context: what the U-Net sees around a face, in face sides.
        face_min, face_max: the longer side of a face in the U-Net's eyes, in pixels. Faces in this range run at the picture's own resolution;
            others are scaled to its nearer end.
    """

    width: int
    depth: int
    strength: float
    context: float
    face_min: int
    face_max: int


class DartBlur:
    """Hides faces with a trained U-Net.

    The network paints a tile around each face, at the scale it was trained for. What it *adds* to the pre-blurred tile is brought back to the
    picture's resolution and added there: the pre-blur itself is smooth and kept at full resolution, so large faces lose nothing, and a face costs
    the same whatever its size. The output is a function of the pre-blurred picture and the mask alone.

    Example:
        >>> model = DartBlur.load(Path("models/dartblur/unet.safetensors"))
        >>> hidden = model.anonymize(image, np.array([[40, 60, 90, 130]]))
    """

    name = "dartblur"

    def __init__(self, unet: UNet, config: DartBlurConfig, device: str | torch.device = "cpu") -> None:
        self.unet = unet.to(device).eval().requires_grad_(False)
        self.config = config
        self.device = torch.device(device)
        self._preblur = Gaussian(config.strength)

    @classmethod
    def load(cls, path: Path, device: str | torch.device = "cpu") -> "DartBlur":
        """Read a model that :func:`save_unet` wrote.

        Raises:
            UsageError: no such file. DartblurError: not a U-Net of this project.
        """
        state, about = load_tensors(path)
        try:
            config = DartBlurConfig(**about["config"])
        except (KeyError, TypeError) as error:
            raise DartblurError(f"{path}: not a DartBlur U-Net (no configuration inside); train one with dvc repro") from error
        unet = UNet(config.width, config.depth)
        load_state(unet, state, path)
        return cls(unet, config, device)

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        """A copy of ``image`` with every box hidden; see :class:`dartblur.blur.base.Anonymizer`."""
        return self.repaint(self._preblur.anonymize(image, boxes), boxes)

    def repaint(self, blurred: Image, boxes: Boxes) -> Image:
        """Let the U-Net paint the boxes of a picture that is pre-blurred already, at the strength of ``config``."""
        height, width = blurred.shape[:2]
        jobs = [(bounds, *self._tile(bounds)) for bounds in bounds_to_hide(boxes, width, height)]
        mask = mask_of(as_boxes(boxes), width, height).astype(np.uint8) * 255
        result = blurred.copy()
        added: dict[int, npt.NDArray[np.float32]] = {}
        for size in sorted({size for _, _, size in jobs}):
            indices = [index for index, job in enumerate(jobs) if job[2] == size]
            for start in range(0, len(indices), TILES_A_BATCH):
                chunk = indices[start : start + TILES_A_BATCH]
                tiles = np.stack([cut(blurred, jobs[index][1], size) for index in chunk])
                masks = np.stack([cut(mask, jobs[index][1], size) > 0 for index in chunk])
                added.update(zip(chunk, self._paint(tiles, masks), strict=True))
        for index, ((x1, y1, x2, y2), window, size) in enumerate(jobs):
            change = added[index]
            if window.side != size:
                change = np.asarray(cv2.resize(change, (window.side, window.side), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
            face = change[y1 - window.top : y2 - window.top, x1 - window.left : x2 - window.left]
            result[y1:y2, x1:x2] = np.clip(np.rint(blurred[y1:y2, x1:x2] + face), 0, 255).astype(np.uint8)
        return result

    def _tile(self, bounds: tuple[int, int, int, int]) -> tuple[Window, int]:
        """The window around a face in the picture, and the side that it is seen at by the U-Net, both in pixels."""
        x1, y1, x2, y2 = bounds
        face = max(x2 - x1, y2 - y1)
        seen = min(max(face, self.config.face_min), self.config.face_max)
        multiple = 1 << self.config.depth
        size = -(-int(seen * (1 + 2 * self.config.context)) // multiple) * multiple
        side = size if seen == face else max(round(size * face / seen), face)
        return Window((x1 + x2 - side) // 2, (y1 + y2 - side) // 2, side), size

    @torch.inference_mode()
    def _paint(self, tiles: npt.NDArray[np.uint8], masks: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.float32]]:
        """What the U-Net adds to pre-blurred tiles (B, S, S, 3) inside their masks (B, S, S), in grey levels."""
        blurred = torch.from_numpy(tiles).permute(0, 3, 1, 2).float().to(self.device)  # (B, 3, S, S)
        mask = torch.from_numpy(masks)[:, None].float().to(self.device)  # (B, 1, S, S)
        added = blend(self.unet, blurred, mask) - blurred
        if not bool(torch.isfinite(added).all()):
            raise DartblurError("the U-Net's output is not finite; the model is broken, nothing was anonymised")
        return [np.ascontiguousarray(tile) for tile in added.permute(0, 2, 3, 1).cpu().numpy()]


def save_unet(path: Path, unet: UNet, config: DartBlurConfig, about: dict[str, object] | None = None) -> None:
    """Write a U-Net and how to use it as one safetensors file."""
    save_tensors(path, unet.state_dict(), {"config": asdict(config), **(about or {})})
