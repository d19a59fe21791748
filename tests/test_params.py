"""params.yaml and the profiles: what is accepted, and that a mistake is told in one sentence that names the key."""

import json
import re
import subprocess
from datetime import date
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from dartblur.errors import UsageError
from dartblur.params import Params, load_params, parse_params
from dartblur.profiles import read_profile
from tests.settings import delivered

ROOT = Path(__file__).resolve().parents[1]
PROFILES = sorted(path.stem for path in (ROOT / "profiles").glob("*.yaml"))
KEY_LINE = re.compile(r"^(?P<indent> *)(?P<key>\w+):(?P<value>[^#]*?)(?P<comment>\s#.*)?$")


JSON = json.dumps(delivered())


def plain() -> Any:
    """The repository's params.yaml as data that a test may spoil."""
    return json.loads(JSON)


def replace(data: Any, key: str, value: object) -> Any:
    *sections, last = key.split(".")
    inner = data
    for section in sections:
        inner = inner[int(section) if section.isdigit() else section]
    inner[last] = value
    return data


def refusal(data: object) -> str:
    with pytest.raises(UsageError) as caught:
        parse_params(data)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("params.yaml: ")
    return message.removeprefix("params.yaml: ")


def test_the_repository_s_file_is_valid() -> None:
    params = load_params(ROOT / "params.yaml")
    assert params.profile in PROFILES


@pytest.mark.parametrize("key", ["sede", "view.sice", "train.inner.step", "gate.floors.0.name"])
def test_an_unknown_key_is_named(key: str) -> None:
    assert refusal(replace(plain(), key, 1)) == f"{key}: unknown key; remove it or correct its spelling"


@pytest.mark.parametrize("key", ["seed", "registry", "view.size", "train.weights.cycle", "train.inner.epsilon"])
def test_a_missing_key_is_named(key: str) -> None:
    data = plain()
    *sections, last = key.split(".")
    inner = data
    for section in sections:
        inner = inner[section]
    del inner[last]
    assert refusal(data).startswith(f"{key}: missing; add it")


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("seed", "1", '"1"'),
        ("seed", 1.0, "1.0"),
        ("seed", True, "true"),
        ("seed", None, "null"),
        ("seed", date(2024, 5, 6), '"2024-05-06"'),
        ("view.size", "128", '"128"'),
        ("train.budget", "19", '"19"'),
        ("train", 3, "3"),
        ("evaluate.arms", "clean", '"clean"'),
        ("data.source", 5, "5"),
    ],
)
def test_a_wrong_type_is_named(key: str, value: object, found: str) -> None:
    message = refusal(replace(plain(), key, value))
    assert message.startswith(f"{key}: ")
    assert message.endswith(f"(found {found})")


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("seed", -1, "seed: "),
        ("seed", 2**64, "seed: "),  # torch takes 64 bits
        ("profile", "huge", "profile: "),
        ("compute.device", "gpu", "compute.device: "),
        ("compute.workers", 0, "compute.workers: "),
        ("data.format", "pascal", "data.format: "),
        ("data.source", "", "data.source: "),
        ("data.val_fraction", 1.0, "data.val_fraction: "),
        ("validation.small_face_share", 1.5, "validation.small_face_share: "),
        ("preblur.strength", 0.0, "preblur.strength: "),
        ("preblur.context", -0.1, "preblur.context: "),
        ("view.mode", "tile", "view.mode: "),
        ("view.size", 100, "view.size: "),
        ("view.face_min", 78, "view: face_min <= face_max <= size"),
        ("view.face_max", 129, "view: face_min <= face_max <= size"),
        ("detector.backbone", "mobilenet025", "detector: init: imagenet needs backbone: mobilenetv2"),
        ("detector.init", "wider", "detector: init: wider needs backbone: mobilenet025"),
        ("detector.learning_rate", float("inf"), "detector.learning_rate: "),
        ("detector.learning_rate", float("nan"), "detector.learning_rate: "),
        ("detector.score_floor", float("nan"), "detector.score_floor: "),
        ("compute.precision", "fp16", "compute.precision: "),
        ("compute.processes", 0, "compute.processes: "),
        ("compute.cache_mb", -1, "compute.cache_mb: "),
        ("unet.depth", 2, "unet.depth: "),
        ("unet.face_min", 7, "unet.face_min: "),
        ("unet.face_max", 1025, "unet.face_max: "),
        ("unet.face_min", 97, "unet: face_min <= face_max must hold"),
        ("unet.init", "wider", "unet.init: "),
        ("train.weights", dict.fromkeys(("review", "process", "posthoc", "cycle"), 0.0), "train.weights: at least one objective"),
        ("train.additions.restore", -0.1, "train.additions.restore: "),
        ("train.additions.realism", float("inf"), "train.additions.realism: "),
        ("train.warm.steps", -1, "train.warm.steps: "),
        ("train.warm.near_steps", -1, "train.warm.near_steps: "),
        ("train.warm.near_steps", 10**6, "train: warm.near_steps <= warm.steps must hold"),
        ("pretrain.near_steps", -1, "pretrain.near_steps: "),
        ("pretrain.steps", 10, "pretrain: near_steps <= steps must hold"),
        ("distill.width", 24, "distill.width: "),
        ("distill.depth", 2, "distill.depth: "),
        ("distill.context", -0.1, "distill.context: "),
        ("distill.context_in_use", 0.2, "distill: context_in_use <= context must hold"),
        ("distill.near_steps", 10**6, "distill: near_steps <= steps must hold"),
        ("distill.near", dict.fromkeys(("restore", "seam", "features", "realism"), 0.0), "distill: near: one of its weights must be"),
        ("distill.additions", dict.fromkeys(("restore", "seam", "features", "realism"), 0.0), "distill: additions: one of its weights must be"),
        ("train.warm.batch", 1, "train.warm.batch: "),
        ("train.warm.learning_rate", 0.0, "train.warm.learning_rate: "),
        ("train.pool.size", 0, "train.pool.size: "),
        ("train.pool.restart", -1, "train.pool.restart: "),
        ("train.discriminator_width", 3, "train.discriminator_width: "),
        ("train.discriminator_feature_width", -1, "train.discriminator_feature_width: "),
        ("train.discriminator_learning_rate", 0.0, "train.discriminator_learning_rate: "),
        ("train.pseudo_label_score", 0.0, "train.pseudo_label_score: "),
        ("train.inner.optimizer", "rmsprop", "train.inner.optimizer: "),
        ("train.decay", 0, "train.decay: "),
        ("evaluate.arms", ["clean", "gaussian"], "evaluate: arms must contain dartblur"),
        ("evaluate.arms", ["clean", "gaussian", "dartblur", "clean"], "evaluate: arms and seeds must not repeat"),
        ("evaluate.arms", ["clean", "gaussian", "dartblur", "Swirl!"], "evaluate.arms.3: "),
        ("evaluate.seeds", [], "evaluate.seeds: "),
        ("evaluate.seeds", [0, -1], "evaluate.seeds.1: "),
        ("evaluate.seeds", [0, 0], "evaluate: arms and seeds must not repeat"),
        ("evaluate.transfer", ["retinaface"], "evaluate.transfer.0: "),  # every figure is RetinaFace's already
        ("evaluate.transfer", ["centernet", "centernet"], "evaluate: arms and seeds must not repeat, nor families in transfer"),
        ("evaluate.medium_height", 60, "evaluate: easy_height >= medium_height"),
        ("gate.floors", [], "gate.floors: "),
        ("gate.floors.0.max", 1.0, "gate.floors.0: exactly one of min and max"),
        ("gate.floors.0.min", None, "gate.floors.0: exactly one of min and max"),
        ("gate.floors.0.min", float("nan"), "gate.floors.0.min: "),  # a bound that nothing can miss or reach
        ("registry.name", "a b", "registry.name: "),
    ],
)
def test_an_impossible_value_is_named(key: str, value: object, named: str) -> None:
    assert refusal(replace(plain(), key, value)).startswith(named)


def test_a_warm_start_needs_a_loss() -> None:
    data = replace(replace(plain(), "train.weights.review", 0.0), "train.additions", dict.fromkeys(("restore", "seam", "features", "realism"), 0.0))
    assert refusal(data).startswith("train: the warm start has no loss: weights.review or one of additions must be above 0, or warm.steps 0")
    first = replace(replace(plain(), "train.weights.review", 0.0), "train.near", dict.fromkeys(("restore", "seam", "features", "realism"), 0.0))
    assert parse_params(first).train.warm.near_steps == 0
    assert refusal(replace(first, "train.warm.near_steps", 1)).startswith("train: the warm start has no loss: weights.review or one of near")
    assert parse_params(replace(data, "train.warm.steps", 0)).train.warm.steps == 0
    assert parse_params(replace(replace(data, "train.warm.steps", 10), "train.additions.realism", 0.1)).train.warm.steps == 10


def test_more_mistakes_are_counted() -> None:
    data = replace(replace(plain(), "seed", -1), "view.sice", 3)
    assert refusal(data).endswith("(and 1 more)")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"seed: [\n", "not readable as YAML at line 2, column 1"),
        (b"seed: 1\n\tview: 2\n", "not readable as YAML at line 2, column 1"),
        (b"seed: 1\nseed: 2\n", 'found duplicate key "seed"'),
        (b"seed: \xff\xfe\n", "not readable as YAML (not UTF-8 text)"),
        (b"seed: *nowhere\n", "found undefined alias"),
        (b"", "the file: Input should be an object (found null)"),
        (b"- 1\n", "the file: Input should be an object (found [1])"),
        (b"? [1, 2]\n: 3\n", "holds a key that is not text"),
    ],
)
def test_an_unreadable_file_is_one_sentence(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_params(path)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"params\.yaml: cannot be read .*run from the project's root"):
        load_params(tmp_path / "params.yaml")


def keys_of_file() -> dict[str, bool]:
    """Dotted key -> whether its own line explains it, read from the text of params.yaml."""
    path: list[tuple[int, str]] = []
    found: dict[str, bool] = {}
    for line in (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines():
        match = KEY_LINE.match(line)
        if match is None:
            continue
        indent = len(match["indent"])
        path = [*(part for part in path if part[0] < indent), (indent, match["key"])]
        found[".".join(key for _, key in path)] = bool(match["comment"] and len(match["comment"].split()) > 2)
    return found


def keys_of_model(model: type[BaseModel], prefix: str = "") -> dict[str, bool]:
    """Dotted key -> whether it holds keys itself, from the typed settings."""
    found: dict[str, bool] = {}
    for name, field in model.model_fields.items():
        section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        found[prefix + name] = section
        if section:
            assert isinstance(field.annotation, type)
            found |= keys_of_model(field.annotation, f"{prefix}{name}.")
    return found


def test_every_key_stands_in_the_file_with_a_comment() -> None:
    written, known = keys_of_file(), keys_of_model(Params)
    assert set(written) == set(known)
    assert {key for key, section in known.items() if not section and not written[key]} == set()


def test_every_profile_sets_the_same_keys() -> None:
    assert PROFILES == ["sample", "study", "widerface"]
    keys = [set(read_profile(name, ROOT / "profiles")) for name in PROFILES]
    assert keys[0] == keys[1] == keys[2]
    assert keys[0] <= set(keys_of_model(Params))


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_gives_valid_params(name: str) -> None:
    data = replace(plain(), "profile", name)
    for key, value in read_profile(name, ROOT / "profiles").items():
        replace(data, key, value)
    assert parse_params(data).profile == name


def test_params_yaml_is_committed_with_the_values_of_its_profile() -> None:
    committed = subprocess.run(["git", "show", "HEAD:params.yaml"], cwd=ROOT, capture_output=True, text=True, check=False)
    if committed.returncode:
        pytest.skip("not a git checkout: what was committed cannot be told from what was edited since")
    data = YAML().load(committed.stdout)
    for key, value in read_profile(data["profile"], ROOT / "profiles").items():
        *sections, last = key.split(".")
        assert reduce(getitem, sections, data)[last] == value, key
