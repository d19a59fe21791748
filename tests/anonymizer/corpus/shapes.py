"""Sizes of pictures, and boxes of every kind: none, many, across the border, outside, and no boxes at all."""

import math

import numpy as np

from tests.anonymizer.corpus.case import IMAGE, Case, Row, failed, saved
from tests.anonymizer.corpus.pngs import PLAIN
from tests.anonymizer.leaks import BOX, HEIGHT, WIDTH, marked
from tests.makedata import texture

NO_FACE = "^no face found"
CROWD: tuple[Row, ...] = tuple((x, y, x + 6.0, y + 7.0) for y in range(0, 150, 10) for x in range(0, 200, 10))
"""300 faces."""


def _plain(height: int, width: int) -> bytes:
    return saved(texture(np.random.default_rng(1), height, width), "PNG")


def cases() -> list[Case]:
    """All cases of this module."""
    x1, y1, x2, y2 = BOX
    strange: dict[str, Row] = {
        "nan": (x1, y1, math.nan, y2),
        "infinite": (x1, y1, math.inf, y2),
        "minus-infinite": (-math.inf, -math.inf, math.inf, math.inf),
        "inside-out": (x2, y2, x1, y1),
        "mirrored": (x2, y1, x1, y2),
    }
    outside: dict[str, Row] = {"right-of-it": (WIDTH, 0, WIDTH + 40, 40), "above-it": (0, -40, 40, -1), "far-away": (1e9, 1e9, 2e9, 2e9)}
    return [
        Case("shapes/one-pixel.png", _plain(1, 1), boxes=((0, 0, 1, 1),), shows=False),
        Case("shapes/one-pixel.jpg", saved(IMAGE[:1, :1], "JPEG"), boxes=((0, 0, 1, 1),), shows=False),
        Case("shapes/tall.png", _plain(5000, 1), boxes=((0, 100, 1, 160),), shows=False),
        Case("shapes/wide.png", _plain(1, 5000), boxes=((100, 0, 160, 1),), shows=False),
        Case("shapes/tall.jpg", saved(np.ascontiguousarray(np.tile(IMAGE[:, :1], (40, 1, 1))), "JPEG"), boxes=((0, 100, 1, 160),), shows=False),
        Case("shapes/crowd.png", _plain(150, 200), boxes=CROWD, hidden=300, shows=False),
        Case("shapes/crowd.jpg", saved(texture(np.random.default_rng(1), 150, 200), "JPEG"), boxes=CROWD, hidden=300, shows=False),
        Case("shapes/whole-picture.png", PLAIN, boxes=((0, 0, WIDTH, HEIGHT),)),
        Case("shapes/beyond-all-borders.png", PLAIN, boxes=((-1e6, -1e6, 1e6, 1e6),)),
        Case("shapes/across-the-border.png", saved(marked(0, 90, 70, (40, 20, 88, 68)), "PNG"), boxes=((40, 20, 200, 200),)),
        Case("shapes/broken-pixels.png", PLAIN, boxes=((x1 + 0.9, y1 + 0.9, x2 - 0.9, y2 - 0.9),)),
        Case("shapes/without-area.png", _plain(20, 20), boxes=((4, 4, 4, 4),), shows=False),
        Case("shapes/twice-the-same.png", PLAIN, boxes=(BOX, BOX), hidden=2),
        Case("shapes/overlapping.png", PLAIN, boxes=(BOX, (x1 - 5, y1 - 5, x1 + 20, y2)), hidden=2),
        Case("shapes/no-annotation.png", PLAIN, "withheld", NO_FACE, (), 0, shows=False),
        Case("shapes/no-annotation.jpg", saved(IMAGE, "JPEG"), "withheld", NO_FACE, (), 0, shows=False),
        *(failed(f"shapes/{name}.png", PLAIN, "is not a box", (BOX, box)) for name, box in strange.items()),
        *(failed(f"shapes/{name}.png", PLAIN, "lies outside the picture", (BOX, box)) for name, box in outside.items()),
    ]
