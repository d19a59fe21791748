"""DartBlur as an anonymiser: the Gaussian pre-blur, then the U-Net on tiles around the faces only."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dartblur.blur.gaussian import Gaussian
from dartblur.blur.tiles import TileBatch, TileSpec, by_size, by_square, cut_tiles, spread, tiles_of
from dartblur.blur.unet import UNet, blend
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, as_boxes, mask_of
from dartblur.media.images import Image
from dartblur.media.tensors import load_state, load_tensors, save_tensors

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

    @property
    def tiles(self) -> TileSpec:
        """How tiles are laid around faces for this network."""
        return TileSpec(self.context, self.face_min, self.face_max, 1 << self.depth)


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
        tiles = tiles_of(boxes, width, height, self.config.tiles)
        result = blurred.copy()
        picture = torch.from_numpy(result).permute(2, 0, 1)  # (3, H, W) uint8
        mask = torch.from_numpy(mask_of(as_boxes(boxes), width, height))[None]  # (1, H, W)
        squares = by_square(tiles)
        added: dict[int, Tensor] = {}  # by tile
        for numbers in by_size([tiles[square[0]] for square in squares]).values():
            for start in range(0, len(numbers), TILES_A_BATCH):
                chunk = [squares[number] for number in numbers[start : start + TILES_A_BATCH]]
                seen = cut_tiles(picture, mask, [tiles[square[0]] for square in chunk])
                for square, change in zip(chunk, self._paint(seen), strict=True):
                    added.update(dict.fromkeys(square, change))
        for index, tile in enumerate(tiles):
            x1, y1, x2, y2 = tile.bounds
            for channel, plane in enumerate(added.pop(index)):
                face = blurred[y1:y2, x1:x2, channel] + spread(plane, tile).numpy()
                result[y1:y2, x1:x2, channel] = np.clip(np.rint(face), 0, 255).astype(np.uint8)
        return result

    @torch.inference_mode()
    def _paint(self, seen: TileBatch) -> Tensor:
        """What the U-Net adds to pre-blurred tiles inside their masks: (N, 3, T, T), in grey levels."""
        tiles, mask = seen.blurred.to(self.device), seen.mask.to(self.device)
        added = blend(self.unet, tiles, mask) - tiles
        if not bool(torch.isfinite(added).all()):
            raise DartblurError("the U-Net's output is not finite; the model is broken, nothing was anonymised")
        return added.cpu()


def save_unet(path: Path, unet: UNet, config: DartBlurConfig, about: dict[str, object] | None = None) -> None:
    """Write a U-Net and how to use it as one safetensors file."""
    save_tensors(path, unet.state_dict(), {"config": asdict(config), **(about or {})})
