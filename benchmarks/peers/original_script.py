"""What the original's script does with a folder of pictures and their boxes, rebuilt on our modules; runs as a process of its own.

    .venv/bin/python benchmarks/peers/original_script.py <pictures> <boxes.csv> <unet.safetensors> <out>

Each picture is squashed to 768 x 768, goes through the whole U-Net with one mask of all its boxes, is stretched back, and its boxes are pasted into
the pre-blurred picture, which is written as a JPEG of quality 95 without subsampling. The pre-blur, a script of its own in the original, is in here
too, and no gradients are kept, as they are there: both make this form the quicker one.
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from dartblur.blur.dartblur import DartBlur
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.unet import UNet, blend
from dartblur.faces.boxes import Boxes, as_boxes, mask_of
from dartblur.media.images import Image

SIDE = 768


@torch.inference_mode()
def anonymise(image: Image, boxes: Boxes, unet: UNet) -> Pillow.Image:
    """One picture as the original makes it."""
    height, width = image.shape[:2]
    blurred = Pillow.fromarray(Gaussian().anonymize(image, boxes))
    squashed = np.asarray(blurred.resize((SIDE, SIDE), Pillow.Resampling.BICUBIC), np.float32)
    inside = mask_of(boxes * np.tile([SIDE / width, SIDE / height], 2), SIDE, SIDE)
    seen = torch.from_numpy(squashed).permute(2, 0, 1)[None]  # (1, 3, 768, 768)
    painted = blend(unet, seen, torch.from_numpy(inside)[None, None].float())[0].permute(1, 2, 0).numpy()
    back = Pillow.fromarray(np.clip(painted, 0, 255).astype(np.uint8)).resize((width, height), Pillow.Resampling.BICUBIC)
    for box in boxes.astype(int).tolist():
        corners = (box[0], box[1], box[2], box[3])
        blurred.paste(back.crop(corners), corners[:2])
    return blurred


def main() -> None:
    pictures, annotations, model, out = (Path(argument) for argument in sys.argv[1:])
    unet = DartBlur.load(model).unet
    if not isinstance(unet, UNet):
        raise SystemExit(f"{model}: not a U-Net, which is what the original has")
    unet.whole = True
    boxes = defaultdict(list)
    with annotations.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            boxes[row["image"]].append([float(row[name]) for name in ("x1", "y1", "x2", "y2")])
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(pictures.iterdir()):
        with Pillow.open(path) as picture:
            image = np.asarray(picture.convert("RGB"))
        anonymise(image, as_boxes(boxes[path.name]), unet).save(out / path.name, quality=95, subsampling=0)


if __name__ == "__main__":
    main()
