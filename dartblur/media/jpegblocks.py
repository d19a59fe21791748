"""New DCT blocks for the changed parts of a JPEG: what any encoder makes of these pixels, quantised with the steps of the source."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from dartblur.faces.boxes import Mask
from dartblur.media.jpegmarkers import Component, Table
from dartblur.media.turbo import Blocks

_LARGEST = 1023
"""Of a coefficient that 8-bit JPEGs can hold."""
_DCT = np.array([[np.cos((2 * x + 1) * u * np.pi / 16) * (0.5 if u else np.sqrt(0.125)) for x in range(8)] for u in range(8)])
_DCT_64 = np.kron(_DCT, _DCT).T.astype(np.float32)
"""From the 64 pixels of a block, row by row, to its 64 coefficients."""
_MCUS_A_TIME = 2048

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
    height, width = mask.shape
    whole = np.pad(mask, ((0, -height % down), (0, -width % across)))
    rows = np.asarray(whole.reshape(-1, down, whole.shape[1]).any(axis=1))
    return np.asarray(rows.reshape(len(rows), -1, across).any(axis=2))


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
    for rows, columns in _chunks(chosen):
        pixels = _cut(samples, rows, columns, unit(components))
        planes = _planes(pixels, colours)
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        ends = [*starts[1:].tolist(), len(rows)]
        for number, (component, table) in enumerate(zip(components, tables, strict=True)):
            blocks = _quantised(planes[number], component, table)  # (v, N, h, 64)
            places = columns[:, None] * component.across + np.arange(component.across)  # (N, h)
            for start, end in zip(starts.tolist(), ends, strict=True):
                for inner in range(component.down):
                    found = places[start:end].reshape(-1), blocks[inner, start:end].reshape(-1, 64)
                    result[number][int(rows[start]) * component.down + inner] = found
    return list(result)


def _chunks(chosen: Mask) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Rows and columns of the chosen MCUs, whole rows together, some thousands at a time."""
    for start in range(0, len(chosen), rows := max(1, _MCUS_A_TIME // chosen.shape[1])):
        found, columns = np.nonzero(chosen[start : start + rows])
        if len(found):
            yield found + start, columns


def _cut(
    samples: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """The pixels of MCUs: N x height x width x C; borders of the picture are repeated as encoders do."""
    down, across = size
    whole_rows, whole_columns, channels = samples.shape[0] // down, samples.shape[1] // across, samples.shape[2]
    grid = samples[: whole_rows * down, : whole_columns * across].reshape(whole_rows, down, whole_columns, across, channels)
    pixels = np.empty((len(rows), down, across, channels), np.uint8)
    whole = (rows < whole_rows) & (columns < whole_columns)
    pixels[whole] = grid.swapaxes(1, 2)[rows[whole], columns[whole]]
    for number in np.flatnonzero(~whole).tolist():
        row, column = int(rows[number]), int(columns[number])
        part = samples[row * down : (row + 1) * down, column * across : (column + 1) * across]
        pixels[number] = np.pad(part, ((0, down - part.shape[0]), (0, across - part.shape[1]), (0, 0)), mode="edge")
    return pixels


def _planes(pixels: npt.NDArray[np.uint8], colours: str) -> list[Floats]:
    """Pixels (N x height x width x C) as planes of the file's components, each N x height x width, about 0."""
    channels = [pixels[..., channel].astype(np.float32) for channel in range(pixels.shape[3])]
    if colours == "ycc":
        return _chroma(*channels)
    if colours == "ycck":
        return [*_chroma(*(255 - channel for channel in channels[:3])), channels[3] - 128]
    return [channel - 128 for channel in channels]


def _chroma(red: Floats, green: Floats, blue: Floats) -> list[Floats]:
    """Y, Cb and Cr of JFIF, about 0."""
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return [luma - 128, (blue - luma) * np.float32(0.5 / (1 - 0.114)), (red - luma) * np.float32(0.5 / (1 - 0.299))]


def _quantised(plane: Floats, component: Component, table: Table) -> npt.NDArray[np.int16]:
    """The blocks of one component.

    Args:
        plane: N x height x width of an MCU, about 0.

    Returns:
        int16 v x N x h x 64 for sampling factors h and v.
    """
    count, down, across = plane.shape
    high, wide = down // (8 * component.down), across // (8 * component.across)
    small = sum(plane[:, y::high, x::wide] for y in range(high) for x in range(wide)) / np.float32(high * wide) if high * wide > 1 else plane
    blocks = np.asarray(small).reshape(count, component.down, 8, component.across, 8).transpose(1, 0, 3, 2, 4)  # (v, N, h, 8, 8)
    values = (blocks.reshape(-1, 64) @ _DCT_64) / table.reshape(64).astype(np.float32)
    return np.clip(np.rint(values), -_LARGEST, _LARGEST).astype(np.int16).reshape(component.down, count, component.across, 64)
