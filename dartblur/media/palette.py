"""Colours for palette pictures: the places that are free are filled with what is needed, the rest takes the nearest colour that is there."""

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage

from dartblur.faces.boxes import Mask
from dartblur.media.samples import thresholds

Colours = npt.NDArray[np.uint8]
"""uint8, N x 3, R G B."""
Indices = npt.NDArray[np.uint8]
_FEW = 4
"""Entries of a palette that is too small for a photograph."""


def fit(
    colours: Colours, palette: Colours, usable: npt.NDArray[np.bool_], free: npt.NDArray[np.int64], mask: Mask | None = None
) -> tuple[Indices, Colours]:
    """Find a palette entry for each colour.

    Args:
        colours: N x 3, what is wanted.
        palette: P x 3.
        usable: P, entries that may stand for a colour as they are (opaque ones, say).
        free: numbers of entries that may be given a new colour, P and more lengthen the palette. Those that are not needed become black.
        mask: where the colours are wanted, one True for each; it serves to mix them of a few entries.

    Returns:
        The entry of each colour (N), and the palette with its new colours.
    """
    if len(colours) == 0:
        return np.zeros(0, np.uint8), palette
    usable, palette = usable.copy(), palette.copy()
    usable[free[free < len(palette)]] = False
    palette[free[free < len(palette)]] = 0  # nor may colours that only a face had stay behind
    wanted, where = np.unique(colours, axis=0, return_inverse=True)
    known = {tuple(colour) for colour in palette[usable].tolist()}
    missing = np.array([tuple(colour) not in known for colour in wanted.tolist()])
    added = _at_most(colours[missing[where.reshape(-1)]], wanted[missing], len(free))
    palette, usable = _grown(palette, usable, free[: len(added)], added)
    places = np.flatnonzero(usable)
    if len(places) == 0:  # nothing is free and nothing may be used: any entry is better than what is to be hidden
        places = np.arange(len(palette))
    if mask is not None and len(places) <= _FEW and len(wanted) > len(places):
        # The nearest of two colours would turn the faint rest of a face that a blur leaves into black and white.
        moved = colours + (thresholds(mask)[:, None] - 0.5) * (255 / max(len(places) - 1, 1))
        return places[nearest(np.clip(np.rint(moved), 0, 255).astype(np.uint8), palette[places])].astype(np.uint8), palette
    return places[nearest(wanted, palette[places])].astype(np.uint8)[where.reshape(-1)], palette


def nearest(colours: Colours, palette: Colours) -> npt.NDArray[np.int64]:
    """The number of the nearest entry of ``palette`` (P x 3, P > 0) for each colour (N x 3), the first of equals: N."""
    found = np.empty(len(colours), np.int64)
    entries = palette.astype(np.float32)
    lengths = (entries**2).sum(axis=1)
    for start in range(0, len(colours), 65536):
        part = colours[start : start + 65536].astype(np.float32)
        found[start : start + 65536] = (lengths - 2 * (part @ entries.T)).argmin(axis=1)
    return found


def _at_most(pixels: Colours, distinct: Colours, count: int) -> Colours:
    """``count`` colours or fewer that stand for ``pixels``, whose distinct colours are given."""
    if len(distinct) <= count:
        return distinct
    if count == 0:
        return distinct[:0]
    strip = PILImage.fromarray(np.ascontiguousarray(pixels)[None])
    reduced = np.asarray(strip.quantize(count, PILImage.Quantize.MEDIANCUT, dither=PILImage.Dither.NONE).convert("RGB"))
    return np.unique(reduced[0], axis=0)[:count]


def _grown(
    palette: Colours, usable: npt.NDArray[np.bool_], places: npt.NDArray[np.int64], added: Colours
) -> tuple[Colours, npt.NDArray[np.bool_]]:
    """The palette with ``added`` colours at ``places``, longer where that is needed, and which of its entries are usable."""
    size = max(len(palette), int(places.max(initial=-1)) + 1)
    grown, allowed = np.zeros((size, 3), np.uint8), np.zeros(size, np.bool_)
    grown[: len(palette)], allowed[: len(palette)] = palette, usable
    grown[places], allowed[places] = added, True
    return grown, allowed
