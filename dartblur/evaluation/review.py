"""The review page: every face clean, under the ordinary blur and under DartBlur, side by side, for a person who says what it looks like.

One file that opens offline. It is moved through by keys, flags the faces over the review budget, and exports the reviewer's notes as CSV.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from dartblur.evaluation.convenience import FaceConvenience
from dartblur.media.images import Image, encode_image

TEMPLATE = "review.html"


@dataclass(frozen=True)
class Reviewed:
    """One face of the page: what was measured, and its tiles, one an arm, each uint8, S x S x 3."""

    face: FaceConvenience
    tiles: Sequence[Image]


def render_review(dataset: str, arms: Sequence[str], faces: Sequence[Reviewed], budget: float, total: int) -> str:
    """The page.

    Args:
        dataset: its name.
        arms: titles of the tiles.
        faces: in the order in which they are shown.
        budget: mean distance from the ordinary blur that is free, grey levels.
        total: faces in all, of which ``faces`` may be some.

    Returns:
        HTML that refers to nothing outside itself; every text from outside is escaped.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    rows = [_row(reviewed, budget) for reviewed in faces]
    # Notes belong to these very faces: other pictures or another model start a page of their own.
    key = hashlib.sha256(repr([(row["picture"], row["box"], row["l1"]) for row in rows]).encode()).hexdigest()[:16]
    environment = Environment(loader=PackageLoader("dartblur.evaluation", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(TEMPLATE).render(
        dataset=dataset, arms=list(arms), faces=rows, budget=budget, shown=len(rows), total=total, key=key
    )


def _row(reviewed: Reviewed, budget: float) -> dict[str, object]:
    face = reviewed.face
    x1, y1, x2, y2 = face.box
    tiles = ["data:image/jpeg;base64," + base64.b64encode(encode_image(tile, ".jpg")).decode() for tile in reviewed.tiles]
    return {
        "picture": face.picture,
        "box": [x1, y1, x2, y2],
        "width": x2 - x1,
        "height": y2 - y1,
        "l1": round(face.l1, 3),
        "ssim": round(face.ssim, 4),
        "over": face.l1 > budget,
        "tiles": tiles,
    }
