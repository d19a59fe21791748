import ast
from pathlib import Path
from typing import get_args

import pytest
from ruamel.yaml import YAML

from dartblur.detector.families import FAMILIES, family_of
from dartblur.errors import UsageError
from dartblur.params import TransferFamily

ROOT = Path(__file__).resolve().parents[2]


def test_params_and_the_stages_know_the_same_families() -> None:
    others = set(get_args(TransferFamily))
    assert set(FAMILIES) == {"retinaface"} | others
    assert all(family.name == name for name, family in FAMILIES.items())
    matrix = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]["transfer"]["matrix"]
    assert set(matrix["detector"]) == others


def test_an_unknown_family_is_bad_usage() -> None:
    with pytest.raises(UsageError, match=r"detector 'yolo': no such family \(known: retinaface, centernet\)"):
        family_of("yolo")


def imports(path: Path) -> set[str]:
    """Modules that a file imports."""
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.module for node in tree if isinstance(node, ast.ImportFrom) and node.module}


def test_centernet_shares_nothing_with_retinaface_and_takes_no_part_in_training_u() -> None:
    package = ROOT / "dartblur"
    own = {"centernet", "centernet_targets", "efficientnet"}
    of_retinaface = {f"dartblur.detector.{name}" for name in ("anchors", "backbones", "detect", "loss", "retinaface")}
    for name in own:
        assert not imports(package / "detector" / f"{name}.py") & of_retinaface
    forbidden = {f"dartblur.detector.{name}" for name in (*own, "families")}
    modules = list((package / "training").glob("*.py"))
    assert modules
    assert not any(imports(path) & forbidden for path in modules)
