"""What lens, sensor and file format do to a whole scene, so that people and background have one sharpness and one grain."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.errors import DartblurError
from dartblur.faces.people.optics import Linear, to_srgb
from dartblur.media.images import Image


@dataclass(frozen=True)
class Finish:
    """Settings of one exposure.

    Attributes:
        lens: standard deviation of the softness of lens and demosaicing, pixels.
        sharpen: strength of the camera's sharpening, 0 none.
        exposure: linear multiplier.
        white_balance: linear multipliers of R, G, B.
        contrast: of sRGB codes around the middle, 1 unchanged.
        vignette: share of light missing in the corners.
        shot, read: noise: variance in linear light is ``shot * light + read ** 2``.
        quality: of the JPEG, 1 to 100.
        subsample: 4:2:0 rather than 4:4:4.
        extreme: the light is such that WIDER FACE calls it so.
    """

    lens: float
    sharpen: float
    exposure: float
    white_balance: tuple[float, float, float]
    contrast: float
    vignette: float
    shot: float
    read: float
    quality: int
    subsample: bool
    extreme: bool


def draw_finish(light: str, rng: np.random.Generator) -> Finish:
    """Draw an exposure for a scene whose light is of that kind (``people.library.LIGHTS``)."""
    draw = rng.random()
    if draw < 0.04:
        exposure = float(rng.uniform(0.16, 0.4))
    elif draw < 0.065:
        exposure = float(rng.uniform(1.7, 2.4))
    else:
        exposure = float(np.exp(rng.normal(0, 0.16)))
    warmth, green = rng.normal(0, 0.05), rng.normal(0, 0.02)
    sensitivity = float(np.exp(rng.uniform(np.log(0.15), np.log(4)))) * (2 if exposure < 0.45 else 1)
    return Finish(
        lens=float(rng.uniform(0.35, 0.85)),
        sharpen=float(rng.uniform(0.2, 0.7)) if rng.random() < 0.35 else 0.0,
        exposure=exposure,
        white_balance=(float(np.exp(warmth)), float(np.exp(green)), float(np.exp(-warmth))),
        contrast=float(rng.normal(1.0, 0.07)),
        vignette=float(rng.uniform(0.1, 0.4)) if rng.random() < 0.2 else 0.0,
        shot=0.0006 * sensitivity,
        read=0.0025 * sensitivity,
        quality=int(np.clip(round(rng.triangular(52, 84, 96)), 55, 92)),
        subsample=bool(rng.random() < 0.7),
        extreme=not 0.45 <= exposure <= 1.6 or (light.endswith("hard") and exposure < 0.7),
    )


def finished(scene: Linear, finish: Finish, rng: np.random.Generator) -> Image:
    """The scene, linear light H x W x 3, as the camera writes it: uint8, H x W x 3, R G B."""
    height, width = scene.shape[:2]
    scene = cv2.GaussianBlur(scene, (0, 0), finish.lens, borderType=cv2.BORDER_REFLECT)
    scene *= np.array(finish.white_balance, np.float32) * np.float32(finish.exposure)
    if finish.vignette:
        rows, columns = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)[None]
        scene *= (1 - finish.vignette * (rows**2 + columns**2) / 2)[:, :, None]
    noise = rng.standard_normal(scene.shape, dtype=np.float32)
    scene += noise * np.sqrt(np.float32(finish.shot) * np.maximum(scene, 0) + np.float32(finish.read**2))
    codes = to_srgb(scene)
    if finish.sharpen:
        codes += np.float32(finish.sharpen) * (codes - cv2.GaussianBlur(codes, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT))
    codes = 127.5 + np.float32(finish.contrast) * (codes - 127.5)
    return np.asarray(np.clip(np.rint(codes), 0, 255), np.uint8)


def encoded(image: Image, finish: Finish) -> bytes:
    """``image``, uint8 H x W x 3 R G B, as the bytes of a JPEG file.

    Raises:
        DartblurError: the codec refuses.
    """
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if finish.subsample else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    settings = [cv2.IMWRITE_JPEG_QUALITY, finish.quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(image[:, :, ::-1]), settings)
    if not done:
        raise DartblurError(f"a scene of shape {image.shape} could not be encoded as JPEG")
    coded: npt.NDArray[np.uint8] = data
    return coded.tobytes()
