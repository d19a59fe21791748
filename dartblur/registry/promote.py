"""Registering a model: a version with its evidence, the gate's decision on it, and the aliases that follow from the decision."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dartblur.blur.dartblur import DartBlur
from dartblur.blur.export import export_onnx
from dartblur.errors import DartblurError
from dartblur.media.files import atomic_path, file_sha256, value_sha256
from dartblur.params import GateParams, RegistryParams
from dartblur.registry import aliases, tracking
from dartblur.registry.card import write_card
from dartblur.registry.gate import Decision
from dartblur.registry.package import log_model

ONNX = "dartblur.onnx"
"""Artifact of a registration's run: the U-Net for use without torch."""
CARD = "model_card"
"""Artifacts of a registration's run: the model card, .md and .html."""
DECISION = "decision.json"
"""Artifact of a registration's run: the gate's decision, and where the model comes from."""
MODEL_SHA256 = "model_sha256"


@dataclass(frozen=True)
class Candidate:
    """What is to be registered.

    Attributes:
        weights: the U-Net, safetensors.
        evaluation: the content of reports/evaluation.json.
        requirements: pinned packages that the model needs, one ``name==version`` each.
        gate: what it is held to.
        lineage: tags that say where it comes from: git revision, dvc.lock, data.
        recipe: how it was trained, key to value, for the model card.
        files: further files to keep with the run, such as the training's record.
    """

    weights: Path
    evaluation: Mapping[str, Any]
    requirements: list[str]
    gate: GateParams
    lineage: Mapping[str, str]
    recipe: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Registered:
    """A version in the registry; ``aliases`` sorted, ``reused`` if the same model with the same evidence was there already."""

    name: str
    version: str
    aliases: tuple[str, ...]
    reused: bool

    def as_dict(self) -> dict[str, Any]:
        """The block ``model`` of reports/metrics.json."""
        return {"name": self.name, "version": self.version, "aliases": list(self.aliases)}


def standing(registry: RegistryParams, candidate: Candidate) -> tuple[Registered, dict[str, Any]] | None:
    """The champion and the decision on it, if it is this very model on this very evidence under this very gate: nothing is left to decide.

    Raises:
        DartblurError: the store does not answer, or has lost the decision.
    """
    import mlflow

    version = aliases.champion(registry)
    if version is None or not _evidence(candidate).items() <= version.tags.items():
        return None
    client = tracking.connect(registry)
    with tracking.one_sentence(registry.tracking_uri):
        if not _is_whole(registry.name, version.version):
            return None
        run_id = client.get_model_version(registry.name, version.version).run_id
        record = mlflow.artifacts.load_dict(f"runs:/{run_id}/{DECISION}")
        aliases.point(client, registry.name, aliases.CHALLENGER, version.version)
        found = aliases.read_version(client, registry.name, version.version)
    return Registered(registry.name, version.version, found.aliases, True), record["decision"]


def register(registry: RegistryParams, candidate: Candidate, decision: Decision) -> Registered:
    """Register ``candidate`` as challenger and, if the gate passed it and ``registry.promotion`` is gate, as champion.

    The same weights with the same evaluation and the same decision are the same version: it is found by its tags and only its aliases are set
    again. A decision that differs (other floors) is a new version, so that a version has one decision for good, and a stricter gate never leaves
    a failed decision on the version that is champion.

    Raises:
        DartblurError: the store does not answer or refuses, or an alias does not read back.
    """
    client = tracking.connect(registry)
    identity = _identity(candidate, decision)
    with tracking.one_sentence(registry.tracking_uri):
        version = _find(client, registry.name, identity)
        # A model does not have to beat itself: with the champion's own weights it takes the place of that version.
        champion = aliases.champion(registry)
        itself = champion is not None and champion.tags.get(MODEL_SHA256) == identity[MODEL_SHA256]
        expected = champion.version if champion is not None and itself else decision.champion
    reused = version is not None
    if version is None:
        version = _add_version(client, registry, candidate, decision, identity)
    with tracking.one_sentence(registry.tracking_uri):
        aliases.point(client, registry.name, aliases.CHALLENGER, version)
        by_rule = registry.promotion == "gate"
        if by_rule and decision.passed and aliases.ROLLED_BACK not in aliases.read_version(client, registry.name, version).tags:
            aliases.crown(client, registry.name, version, expected)
        found = aliases.read_version(client, registry.name, version)
    return Registered(registry.name, version, found.aliases, reused)


def fetch_weights(registry: RegistryParams, version: aliases.Version, target: Path) -> None:
    """The U-Net of a version as ``target``, safetensors, checked against the hash that it was registered with.

    Raises:
        DartblurError: its files are gone, or are not those that were registered.
    """
    import mlflow

    name = f"{registry.name} version {version.version}"
    tracking.connect(registry)
    try:
        with tracking.one_sentence(registry.tracking_uri), tempfile.TemporaryDirectory() as temporary:
            found = Path(mlflow.artifacts.download_artifacts(f"models:/{registry.name}/{version.version}", dst_path=temporary))
            weights = next((found / "artifacts").glob("*.safetensors"), None)
            if weights is None or file_sha256(weights) != version.tags.get(MODEL_SHA256):
                raise DartblurError(f"{name}: its weights are not those that were registered")
            with atomic_path(target) as partial:
                shutil.copyfile(weights, partial)
    except OSError as error:
        raise DartblurError(f"{name}: its files cannot be had ({error.strerror or error})") from error


def fetch_files(registry: RegistryParams, version: aliases.Version, names: Sequence[str], target: Path) -> None:
    """Files that the registration of a version kept in its run, into the folder ``target``.

    Raises:
        DartblurError: one of them is not there.
    """
    import mlflow

    client = tracking.connect(registry)
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        try:
            with tracking.one_sentence(registry.tracking_uri):
                run_id = client.get_model_version(registry.name, version.version).run_id
                mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=name, dst_path=str(target))
        except (OSError, DartblurError) as error:
            raise DartblurError(f"{registry.name} version {version.version}: its registration kept no {name} ({error})") from error


def _evidence(candidate: Candidate) -> dict[str, str]:
    """The tags by which a model, what was measured of it, and what it is held to are known."""
    return {
        MODEL_SHA256: file_sha256(candidate.weights),
        "evaluation_sha256": value_sha256(candidate.evaluation),
        "gate_sha256": value_sha256(candidate.gate.model_dump()),
    }


def _identity(candidate: Candidate, decision: Decision) -> dict[str, str]:
    return {**_evidence(candidate), "decision_sha256": value_sha256(decision.as_dict())}


def _find(client: Any, name: str, identity: Mapping[str, str]) -> str | None:
    """The newest version with these tags whose files are still there."""
    query = " and ".join([f"name='{name}'", *(f"tags.{key}='{value}'" for key, value in identity.items())])
    for version in sorted((str(item.version) for item in aliases.search(client, query)), key=int, reverse=True):
        if _is_whole(name, version):
            return version
    return None


def _is_whole(name: str, version: str) -> bool:
    """Whether its artifacts are there: a version that cannot be loaded is no version."""
    from mlflow.exceptions import MlflowException
    from mlflow.models import get_model_info

    try:
        get_model_info(f"models:/{name}/{version}")
    except (OSError, MlflowException):
        return False
    return True


def _add_version(client: Any, registry: RegistryParams, candidate: Candidate, decision: Decision, identity: Mapping[str, str]) -> str:
    import mlflow

    gate = {
        aliases.GATE_PASSED: str(decision.passed).lower(),
        "gate_reasons": "; ".join(decision.reasons)[:4000] or "none",
        "gate_champion": decision.champion or "none",
    }
    tags = {**candidate.lineage, **identity, **gate}
    with tracking.run(registry, "register", tags) as log:
        log.record({"decision": decision.as_dict(), **tags}, DECISION)
        log.record(candidate.evaluation, "evaluation.json")
        log.metrics({key: value for key, value in tracking.flatten(candidate.evaluation).items() if _is_number(value)})
        for path in candidate.files:
            log.file(path)
        with tempfile.TemporaryDirectory() as temporary:
            export_onnx(DartBlur.load(candidate.weights), Path(temporary) / ONNX)
            log.file(Path(temporary) / ONNX)
        card = write_card(f"{registry.name} {tags[MODEL_SHA256][:12]}", candidate.evaluation, tags, candidate.recipe, decision)
        log.text(card.markdown, f"{CARD}.md")
        log.text(card.html, f"{CARD}.html")
        with tracking.one_sentence(registry.tracking_uri):
            with mlflow.start_run(run_id=log.run_id):
                info = log_model(registry.name, candidate.weights, candidate.requirements)
            _ensure_model(client, registry.name)
            made = client.create_model_version(registry.name, info.model_uri, run_id=log.run_id, tags=tags, model_id=info.model_id)
    return str(made.version)


def _ensure_model(client: Any, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description="Blurs faces so that detectors still train on them")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
