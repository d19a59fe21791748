"""Stage review: reports/review.html, on which a person looks at the faces and says what they look like."""

from pathlib import Path

from dartblur.evaluation.convenience import FaceConvenience, measure_faces
from dartblur.evaluation.figures import face_tile
from dartblur.evaluation.review import Reviewed, render_review
from dartblur.faces.dataset import FaceDataset
from dartblur.media.files import atomic_path
from dartblur.params import BLURRED, CLEAN, OURS, Params
from dartblur.progress import progress_bar
from dartblur.stages.paths import ARMS, REVIEW

SHOWN = (CLEAN, BLURRED, OURS)
TILE = 224
"""Side of a face on the page, pixels."""


def run(params: Params) -> None:
    """Read the arms clean, gaussian and dartblur, write reports/review.html with ``evaluate.review_faces`` faces of the validation split.

    The page holds clean faces: it is for the eyes of those who may see the data.

    Raises:
        UsageError: an arm is missing.
    """
    datasets = {arm: FaceDataset(ARMS / arm) for arm in SHOWN}
    pictures = {arm: {picture.name: picture for picture in data.pictures("val")} for arm, data in datasets.items()}
    found: list[FaceConvenience] = []
    with progress_bar("review: pictures", len(pictures[CLEAN])) as show:
        for done, (name, picture) in enumerate(pictures[CLEAN].items(), start=1):
            ours, blurred = (datasets[arm].read(pictures[arm][name]) for arm in (OURS, BLURRED))
            found += measure_faces(name, ours, blurred, picture.boxes)
            show(done, "")
    chosen = sorted(found, key=lambda face: (-face.l1, face.picture, face.box))[: params.evaluate.review_faces]
    faces = [Reviewed(face, [face_tile(datasets[arm].read(pictures[arm][face.picture]), face.box, TILE) for arm in SHOWN]) for face in chosen]
    source = Path(params.data.source)
    html = render_review(source.name, SHOWN, faces, params.train.budget, len(found))
    with atomic_path(REVIEW) as temporary:
        temporary.write_text(html, encoding="utf-8")
