"""The packed model: hides what it is told to hide, refuses what would hide nothing, loads where there is no checkout."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dartblur.anonymizer.search import Search
from dartblur.detector.finder import load_finder
from dartblur.errors import DartblurError
from dartblur.faces.boxes import area, as_boxes, intersection, iou, mask_of
from dartblur.media.images import decode_image, encode_image
from dartblur.params import RegistryParams
from dartblur.registry.package import REQUIREMENTS
from tests.registry.conftest import MLFLOW_WARNINGS, evaluation, fresh_registry, noise, write_model
from tests.registry.test_promote import submit
from tests.sampledata import Sample

pytestmark = MLFLOW_WARNINGS

PICTURE = encode_image(noise(), ".png")


@pytest.fixture(scope="module")
def packed(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryParams]:
    """A registry with the tiny model in it, for all tests of this file."""
    folder = tmp_path_factory.mktemp("packed")
    with fresh_registry(folder, empty_store) as registry:
        submit(registry, write_model(folder / "unet.safetensors"), evaluation())
        yield registry


@pytest.fixture(scope="module")
def model(packed: RegistryParams) -> Any:
    import mlflow

    return mlflow.pyfunc.load_model("models:/dartblur@challenger")


def test_pixels_outside_stay_and_inside_change(model: Any) -> None:
    boxes: list[list[float]] = [[10, 5, 40, 45], [50.5, 20.2, 70, 40]]  # whole numbers and fractions
    answer = model.predict(pd.DataFrame([{"image": PICTURE, "boxes": boxes}]))
    hidden, mask = decode_image(answer["image"][0], "answer"), mask_of(as_boxes(boxes), 80, 60)
    about = {"width": 80, "height": 60, "faces": 2, "boxes": boxes, "scores": None, "boxes_from": "given", "status": "anonymised"}
    assert answer.drop(columns="image").to_dict("records") == [about]
    assert np.array_equal(hidden[~mask], noise()[~mask])
    assert np.mean(hidden[mask] != noise()[mask]) > 0.9


def test_a_list_of_records_is_answered_in_order(model: Any) -> None:
    other = encode_image(noise(40, 50, seed=1), ".png")
    answer = model.predict([{"image": PICTURE, "boxes": [[0, 0, 9, 9]]}, {"image": other, "boxes": np.array([[1.0, 2, 30, 30]])}])
    assert answer[["width", "height"]].to_numpy().tolist() == [[80, 60], [50, 40]]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"image": None, "boxes": [[1, 2, 30, 40]]}, "record 0: image must be the bytes"),
        ({"image": "street.jpg", "boxes": [[1, 2, 30, 40]]}, "record 0: image is text, but not the base64"),
        ({"image": noise().astype(float), "boxes": [[1, 2, 30, 40]]}, "not float64 of shape"),
        ({"image": noise()[:, :, 0], "boxes": [[1, 2, 30, 40]]}, r"not uint8 of shape \(60, 80\)"),
        ({"image": [[[300, 0, 0]]], "boxes": [[0, 0, 1, 1]]}, "not 0 to 300"),
        ({"image": [[[1, 2, 3]], [[1, 2]]], "boxes": [[0, 0, 1, 1]]}, "record 0: image must be"),
        ({"image": PICTURE, "boxes": []}, "nothing would be hidden"),
        ({"image": PICTURE, "boxes": [[1, 2, 3]]}, "must be a list of"),
        ({"image": PICTURE, "boxes": [[1, 2, 3, 4], [1, 2]]}, "must be a list of"),
        ({"image": PICTURE, "boxes": "face"}, "must be a list of"),
        ({"image": PICTURE, "boxes": [[10, 10, 5, 20]]}, "not a box"),
        ({"image": PICTURE, "boxes": [[10, 10, None, 20]]}, "not a box"),
        ({"image": PICTURE, "boxes": [[200, 10, 220, 20]]}, "outside the picture"),
        ({"image": b"no picture", "boxes": [[1, 2, 3, 4]]}, "record 0: not a readable picture"),
        ({"image": PICTURE[:200], "boxes": [[1, 2, 3, 4]]}, "record 0: "),
        ({"image": b"", "boxes": [[1, 2, 3, 4]]}, "empty"),
    ],
)
def test_what_would_hide_nothing_is_refused(model: Any, record: dict[str, Any], words: str) -> None:
    with pytest.raises(DartblurError, match=words):
        model.predict(pd.DataFrame([record]))


def test_an_array_comes_back_as_an_array(model: Any) -> None:
    boxes = [[10, 5, 40, 45]]
    by_bytes = model.predict([{"image": PICTURE, "boxes": boxes}])["image"][0]
    for picture in (noise(), noise().tolist()):
        answer = model.predict([{"image": picture, "boxes": boxes}])["image"][0]
        assert answer.dtype == np.uint8
        assert np.array_equal(answer, decode_image(by_bytes, "answer"))


@pytest.mark.parametrize("record", [{}, {"boxes": None}, {"boxes": float("nan")}])
def test_without_boxes_faces_are_looked_for(model: Any, sample: Sample, record: dict[str, Any]) -> None:
    scene = sample.scenes[0]
    image, clear = scene.image, scene.boxes[scene.clear]
    answer = model.predict(pd.DataFrame([{"image": encode_image(image, ".png"), **record}])).to_dict("records")[0]
    assert (answer["boxes_from"], answer["status"]) == ("yunet", "anonymised")
    assert answer["faces"] == len(answer["boxes"]) == len(answer["scores"]) >= len(clear) > 0
    found = Search([load_finder("yunet")]).faces(image)  # what `dartblur anonymize` hides
    assert [list(face.box) for face in found] == answer["boxes"]
    assert [face.score for face in found] == answer["scores"]
    assert all(0.38 <= score <= 1 for score in answer["scores"])
    assert (iou(clear, as_boxes(answer["boxes"])).max(axis=1) > 0.4).all()  # the margin alone brings it to 0.5
    covered = intersection(clear, as_boxes(answer["boxes"])).max(axis=1) / area(clear)
    assert (covered > 0.9).all()
    hidden, mask = decode_image(answer["image"], "answer"), mask_of(as_boxes(answer["boxes"]), image.shape[1], image.shape[0])
    assert np.array_equal(hidden[~mask], image[~mask])
    assert np.mean((hidden != image).any(axis=2)[mask]) > 0.9


@pytest.mark.parametrize("picture", [PICTURE, noise()])
def test_a_picture_in_which_no_face_is_found_is_withheld(model: Any, picture: Any) -> None:
    (answer,) = model.predict([{"image": picture}]).to_dict("records")
    assert answer["image"] is None
    assert (answer["faces"], answer["boxes"], answer["status"].split(":")[0]) == (0, [], "withheld")


def test_one_bad_row_refuses_the_batch(model: Any) -> None:
    rows = [{"image": PICTURE, "boxes": [[1, 2, 30, 40]]}, {"image": b"torn", "boxes": None}]
    with pytest.raises(DartblurError, match="record 1: not a readable picture"):
        model.predict(pd.DataFrame(rows))


def test_a_refusal_is_an_mlflow_error_too(model: Any) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException) as caught:
        model.predict(pd.DataFrame([{"image": PICTURE, "boxes": []}]))
    assert caught.value.message == "record 0: no box given: nothing would be hidden; leave boxes out to have faces looked for"


def test_it_says_what_it_needs(model: Any) -> None:
    info = model.metadata
    assert info.get_input_schema().input_names() == ["image", "boxes"]
    assert info.get_output_schema().input_names() == ["image", "width", "height", "faces", "boxes", "scores", "boxes_from", "status"]
    folder = Path(model._model_impl.context.artifacts["weights"]).parents[1]
    assert (folder / "requirements.txt").read_text().split() == [f"{name}==1" for name in REQUIREMENTS]
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pt", ".pth", ".bin")]
    assert (folder / "input_example.json").is_file()


def test_it_loads_without_the_checkout(packed: RegistryParams, tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(PICTURE)
    (tmp_path / "elsewhere").mkdir()
    code = (
        "import sys, pathlib, mlflow, pandas as pd; mlflow.set_tracking_uri(sys.argv[1]);"
        "model = mlflow.pyfunc.load_model('models:/dartblur@challenger');"
        "model.predict(pd.DataFrame([{'image': pathlib.Path('../picture.png').read_bytes(), 'boxes': [[1, 2, 30, 40]]}]));"
        "import dartblur; print(dartblur.__file__)"
    )
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | quiet
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, packed.tracking_uri],
        cwd=tmp_path / "elsewhere", env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(Path(packed.tracking_uri.removeprefix("sqlite:///")).with_name("mlruns")) in done.stdout
