"""New DCT blocks for the changed parts of a JPEG: what any encoder makes of these pixels, quantised with the steps of the source."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from dartblur.faces.boxes import Mask
from dartblur.media.jpegmarkers import Component, Table
from dartblur.media.turbo import Blocks

_LARGEST = 1023
"""Of a coefficient that 8-bit JPEGs can hold."""
_DCT = np.array([[np.cos((2 * x + 1) * u * np.pi / 16) * (0.5 if u else np.sqrt(0.125)) for x in range(8)] for u in range(8)], np.float32)
_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_SHIFT = np.array([0, 128, 128], np.float32)

Floats = npt.NDArray[np.float32]


def unit(components: Sequence[Component]) -> tuple[int, int]:
    """Height and width in pixels of an MCU, the smallest part of a JPEG with whole blocks of every component."""
    return 8 * max(component.down for component in components), 8 * max(component.across for component in components)


def divides(components: Sequence[Component]) -> bool:
    """Whether each component's samples are whole averages of pixels: not so for odd factors such as 3 beside 2."""
    down, across = unit(components)
    return all(down % (8 * component.down) == 0 and across % (8 * component.across) == 0 for component in components)


def touched(mask: Mask, components: Sequence[Component]) -> Mask:
    """Which MCUs hold a pixel of ``mask`` (H x W): rows x columns of MCUs, the last ones may be cut by the picture's border."""
    down, across = unit(components)
    rows = np.logical_or.reduceat(mask, np.arange(0, mask.shape[0], down), axis=0)
    return np.logical_or.reduceat(rows, np.arange(0, mask.shape[1], across), axis=1)


def new_blocks(
    samples: npt.NDArray[np.uint8], chosen: Mask, colours: str, components: Sequence[Component], tables: Sequence[Table]
) -> list[Blocks]:
    """The blocks of the chosen MCUs.

    Args:
        samples: uint8 H x W x C as decoded: grey, RGB, or CMYK as the file stores it.
        chosen: rows x columns of MCUs.
        colours: one of :data:`dartblur.media.turbo.COLOURS`.
        components: of the file.
        tables: the quantisation table of each component.

    Returns:
        For each component its new blocks by row.
    """
    result: list[dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.int16]]]] = [{} for _ in components]
    down, across = unit(components)
    for row, columns in _by_row(chosen):
        y = np.minimum(np.arange(row * down, (row + 1) * down), samples.shape[0] - 1)
        x = np.minimum(columns[:, None] * across + np.arange(across), samples.shape[1] - 1)  # (N, across)
        pixels = samples[y[:, None, None], x[None]].swapaxes(0, 1)  # (N, down, across, C), borders repeated as encoders do
        planes = _planes(pixels.astype(np.float32), colours)
        for number, (component, table) in enumerate(zip(components, tables, strict=True)):
            blocks = _quantised(planes[..., number], component, table)  # (down, N * across, 64)
            places = (columns[:, None] * component.across + np.arange(component.across)).reshape(-1)
            for inner in range(component.down):
                result[number][row * component.down + inner] = (places, blocks[inner])
    return list(result)


def _by_row(chosen: Mask) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    for row in np.flatnonzero(chosen.any(axis=1)):
        yield int(row), np.flatnonzero(chosen[row])


def _planes(pixels: Floats, colours: str) -> Floats:
    """Pixels (..., C) as the file's components (..., C), 0 to 255."""
    if colours == "ycc":
        return np.asarray(pixels @ _YCC.T + _SHIFT)
    if colours == "ycck":
        return np.concatenate([(255 - pixels[..., :3]) @ _YCC.T + _SHIFT, pixels[..., 3:]], axis=-1)
    return pixels


def _quantised(plane: Floats, component: Component, table: Table) -> npt.NDArray[np.int16]:
    """The blocks of one component in a row of MCUs.

    Args:
        plane: N x down x across pixels, 0 to 255.

    Returns:
        int16 v x (N * h) x 64 for sampling factors h and v.
    """
    count, down, across = plane.shape
    high, wide = down // (8 * component.down), across // (8 * component.across)
    small = plane.reshape(count, component.down * 8, high, component.across * 8, wide).mean(axis=(2, 4)) if high * wide > 1 else plane
    blocks = small.reshape(count, component.down, 8, component.across, 8).transpose(1, 0, 3, 2, 4) - 128  # (v, N, h, 8, 8)
    values = np.rint(_DCT @ blocks @ _DCT.T / table)
    return np.clip(values, -_LARGEST, _LARGEST).astype(np.int16).reshape(component.down, count * component.across, 64)
