"""params.yaml as typed, documented, validated objects.

Every stage and command gets its settings from one :class:`Params`, loaded by :func:`load_params`; nothing else is a setting. The meaning and unit
of each key stand beside it in params.yaml; this file says which values are possible.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dartblur.errors import UsageError

PARAMS_FILE = Path("params.yaml")

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Bound = Annotated[float, Field(allow_inf_nan=False)]
ArmName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Arm = Literal["clean", "block", "pixelate", "gaussian", "swap", "dartblur"]
CLEAN, BLURRED, OURS = "clean", "gaussian", "dartblur"
"""The arms that every figure is held against, and the one that it is about."""
ReadyDetector = Literal["yunet", "centerface", "mtcnn", "hog"]
TransferFamily = Literal["centernet"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ComputeParams(_Section):
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
    threads: Count
    train_threads: Count
    processes: Count
    precision: Literal["auto", "fp32", "bf16"]
    checkpointing: bool
    workers: Count
    cache_mb: Annotated[int, Field(ge=0)]


class DataParams(_Section):
    source: Annotated[str, Field(min_length=1)]
    format: Literal["auto", "wider", "coco", "yolo", "voc", "canonical"]
    val_fraction: Annotated[float, Field(gt=0, lt=1)]


class ValidationParams(_Section):
    min_images: Count
    min_faces: Count
    small_face_share: Share
    max_faces_per_image: Count


class PreblurParams(_Section):
    strength: Annotated[float, Field(ge=0.1, le=20)]
    context: Annotated[float, Field(ge=0, le=4)]


class ViewParams(_Section):
    mode: Literal["crop", "letterbox"]
    size: Annotated[int, Field(ge=64, multiple_of=32)]
    face_min: Count
    face_max: Count
    min_face: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _faces_fit(self) -> "ViewParams":
        if not self.face_min <= self.face_max <= self.size:
            raise ValueError("face_min <= face_max <= size must hold")
        return self


class DetectorParams(_Section):
    backbone: Literal["mobilenetv2", "mobilenet025"]
    init: Literal["imagenet", "scratch", "wider"]
    channels: Annotated[int, Field(ge=8, multiple_of=4)]
    steps: Count
    batch: Annotated[int, Field(ge=2)]
    learning_rate: Positive
    backbone_rate: Share
    weight_decay: NotNegative
    match_iou: Annotated[float, Field(gt=0, lt=1)]
    negatives_per_positive: Count
    box_weight: NotNegative
    score_floor: Share
    nms_iou: Share
    max_detections: Count

    @model_validator(mode="after")
    def _weights_exist(self) -> "DetectorParams":
        if self.init == "imagenet" and self.backbone != "mobilenetv2":
            raise ValueError("init: imagenet needs backbone: mobilenetv2")
        if self.init == "wider" and (self.backbone != "mobilenet025" or self.channels != 64):
            raise ValueError("init: wider needs backbone: mobilenet025 and channels: 64")
        return self


class UNetParams(_Section):
    width: Annotated[int, Field(ge=4, multiple_of=4)]
    depth: Annotated[int, Field(ge=3, le=6)]
    face_min: Annotated[int, Field(ge=8)]
    face_max: Annotated[int, Field(ge=8, le=1024)]
    init: Literal["people", "scratch"]

    @model_validator(mode="after")
    def _range(self) -> "UNetParams":
        if self.face_min > self.face_max:
            raise ValueError("face_min <= face_max must hold")
        return self


class ObjectiveWeights(_Section):
    review: NotNegative
    process: NotNegative
    posthoc: NotNegative
    cycle: NotNegative

    @model_validator(mode="after")
    def _something_to_train(self) -> "ObjectiveWeights":
        if not (self.review or self.process or self.posthoc or self.cycle):
            raise ValueError("at least one objective needs a weight above 0")
        return self


class AdditionWeights(_Section):
    restore: NotNegative
    seam: NotNegative
    features: NotNegative
    realism: NotNegative


class WarmParams(_Section):
    steps: Annotated[int, Field(ge=0)]
    near_steps: Annotated[int, Field(ge=0)]
    batch: Annotated[int, Field(ge=2)]
    learning_rate: Positive


class PoolParams(_Section):
    size: Count
    restart: Annotated[int, Field(ge=0)]


class ProbeParams(_Section):
    rounds: Annotated[int, Field(ge=0)]
    steps: Count


class InnerParams(_Section):
    optimizer: Literal["adam", "sgd"]
    learning_rate: Positive
    steps: Count
    epsilon: Positive
    momentum: Annotated[float, Field(ge=0, lt=1)]


class TrainParams(_Section):
    weights: ObjectiveWeights
    additions: AdditionWeights
    near: AdditionWeights
    warm: WarmParams
    pool: PoolParams
    probe: ProbeParams
    budget: Annotated[float, Field(ge=0, le=255)]
    pseudo_label_score: Annotated[float, Field(gt=0, lt=1)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    inner: InnerParams
    epochs: Count
    detector_epochs: Annotated[int, Field(ge=0)]
    adversarial_epochs: Count
    epoch_steps: Annotated[int, Field(ge=0)]
    batch: Annotated[int, Field(ge=2)]
    unet_learning_rate: Positive
    discriminator_learning_rate: Positive
    discriminator_width: Annotated[int, Field(ge=4)]
    discriminator_feature_width: Annotated[int, Field(ge=0)]
    detector_learning_rate: Positive
    decay: Annotated[float, Field(gt=0, le=1)]
    gradient_clip: Positive

    @model_validator(mode="after")
    def _warm_has_a_loss(self) -> "TrainParams":
        warm, parts = self.warm, []
        if warm.near_steps > warm.steps:
            raise ValueError("warm.near_steps <= warm.steps must hold")
        parts += [("near", self.near)] if warm.near_steps else []
        parts += [("additions", self.additions)] if warm.steps > warm.near_steps else []
        for name, added in parts:
            if not (self.weights.review or any(added.model_dump().values())):
                raise ValueError(f"the warm start has no loss: weights.review or one of {name} must be above 0, or warm.steps 0")
        return self


class PretrainParams(_Section):
    steps: Count
    near_steps: Annotated[int, Field(ge=0)]
    strengths: Annotated[list[Annotated[float, Field(ge=0.1, le=20)]], Field(min_length=1)]

    @model_validator(mode="after")
    def _first_part_fits(self) -> "PretrainParams":
        if self.near_steps > self.steps:
            raise ValueError("near_steps <= steps must hold")
        return self


class DistillParams(_Section):
    width: Annotated[int, Field(ge=16, multiple_of=16)]
    depth: Annotated[int, Field(ge=3, le=6)]
    context: Annotated[float, Field(ge=0, le=4)]
    context_in_use: Annotated[float, Field(ge=0, le=4)]
    steps: Count
    near_steps: Annotated[int, Field(ge=0)]
    batch: Annotated[int, Field(ge=2)]
    learning_rate: Positive
    near: AdditionWeights
    additions: AdditionWeights

    @model_validator(mode="after")
    def _in_use_it_sees_what_it_has_learned_to_see(self) -> "DistillParams":
        if self.context_in_use > self.context:
            raise ValueError("context_in_use <= context must hold")
        return self

    @model_validator(mode="after")
    def _every_part_has_a_loss(self) -> "DistillParams":
        if self.near_steps > self.steps:
            raise ValueError("near_steps <= steps must hold")
        for name, added, steps in (("near", self.near, self.near_steps), ("additions", self.additions, self.steps - self.near_steps)):
            if steps and not any(added.model_dump().values()):
                raise ValueError(f"{name}: one of its weights must be above 0")
        return self


class EvaluateParams(_Section):
    arms: Annotated[list[ArmName], Field(min_length=1)]
    commands: dict[ArmName, Annotated[str, Field(min_length=1)]]
    intersection: bool
    seeds: Annotated[list[Seed], Field(min_length=1)]
    transfer: list[TransferFamily]
    frozen: list[ReadyDetector]
    review_faces: Count
    test_views: Count
    easy_height: Positive
    medium_height: Positive
    hard_height: Positive
    iou: Annotated[float, Field(gt=0, lt=1)]
    block_value: Annotated[int, Field(ge=0, le=255)]
    pixelate_cells: Annotated[int, Field(ge=1, le=64)]

    @model_validator(mode="after")
    def _arms_and_seeds(self) -> "EvaluateParams":
        for needed in (CLEAN, BLURRED, OURS):
            if needed not in self.arms:
                raise ValueError(f"arms must contain {needed}: gap and suppression are measured against it")
        for name, command in self.commands.items():
            if name in get_args(Arm):
                raise ValueError(f"commands.{name}: is the name of an arm that is made here; take another one")
            if sorted(word for word in ("{input}", "{output}") if word in command) != ["{input}", "{output}"]:
                raise ValueError(f"commands.{name}: must hold {{input}} and {{output}}, the folders of the clean and of the anonymised pictures")
        if any(len(set(items)) != len(items) for items in (self.arms, self.seeds, self.transfer, self.frozen)):
            raise ValueError("arms and seeds must not repeat, nor families in transfer or detectors in frozen")
        if not self.easy_height >= self.medium_height >= self.hard_height:
            raise ValueError("easy_height >= medium_height >= hard_height must hold")
        return self


class PrivacyParams(_Section):
    identities: Annotated[str, Field(min_length=1)]
    split: Literal["val", "all"]
    min_height: NotNegative
    max_faces: Annotated[int, Field(ge=0)]
    pairs: Count
    bootstrap: Annotated[int, Field(ge=100)]
    tolerance: Share
    teachers: Annotated[str, Field(min_length=1)]
    restorer_steps: Annotated[int, Field(ge=0)]


class Floor(_Section):
    metric: Annotated[str, Field(min_length=1)]
    axis: Literal["evidence", "utility", "convenience", "privacy"]
    min: Bound | None = None
    max: Bound | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> "Floor":
        if (self.min is None) == (self.max is None):
            raise ValueError("exactly one of min and max must be given")
        return self


class Margin(_Section):
    metric: Annotated[str, Field(min_length=1)]
    axis: Literal["utility", "convenience", "privacy"]
    better: Literal["higher", "lower"]
    gain: Bound


class GateParams(_Section):
    floors: Annotated[list[Floor], Field(min_length=1)]
    margins: Annotated[list[Margin], Field(min_length=1)]


class RegistryParams(_Section):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    tracking_uri: Annotated[str, Field(min_length=1)]
    experiment: Annotated[str, Field(min_length=1)]
    promotion: Literal["gate", "hand"]


class Params(_Section):
    """All settings of a run; see params.yaml for what each key means."""

    profile: Literal["sample", "study", "widerface"]
    seed: Seed
    compute: ComputeParams
    data: DataParams
    validation: ValidationParams
    preblur: PreblurParams
    view: ViewParams
    detector: DetectorParams
    unet: UNetParams
    train: TrainParams
    pretrain: PretrainParams
    distill: DistillParams
    evaluate: EvaluateParams
    privacy: PrivacyParams
    gate: GateParams
    registry: RegistryParams


def read_yaml(path: Path) -> Any:
    """Read one YAML file, comments kept for :func:`write_yaml`.

    Raises:
        UsageError: the file is missing or is not YAML; the message names line and column.
    """
    try:
        return YAML().load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); run from the project's root, where params.yaml lies") from error
    except (YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not UTF-8 text"
        raise UsageError(f"{path}: not readable as YAML{where} ({problem}); mend that line") from error


def parse_params(data: Any, source: str = "params.yaml") -> Params:
    """Validate plain data as :class:`Params`.

    Raises:
        UsageError: one line that names the first bad key, what is wrong with it, and how many more are bad.
    """
    try:
        # Through JSON, because there a list may become a tuple or a literal while a string never becomes a number. A value that YAML has and JSON
        # has not (a date) goes as its text, so that the message can name its key.
        return Params.model_validate_json(json.dumps(data, default=str), strict=True)
    except (TypeError, ValueError) as error:
        if not isinstance(error, ValidationError):
            raise UsageError(f"{source}: holds a key that is not text ({error})") from error
        raise UsageError(f"{source}: {_first_problem(error)}") from error


def _first_problem(error: ValidationError) -> str:
    # A misspelt key is both unknown and missing; the unknown one is what stands in the file.
    problems = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
    first = problems[0]
    key = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        text = f"{key}: unknown key; remove it or correct its spelling"
    elif first["type"] == "missing":
        text = f"{key}: missing; add it (its meaning stands in the params.yaml of the repository)"
    else:
        text = f"{key}: {first['msg'].removeprefix('Value error, ')} (found {json.dumps(first['input'], default=str)[:80]})"
    return text + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else "")


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and validate params.yaml.

    Raises:
        UsageError: the file cannot be read, is no YAML, or a key is unknown, missing, of a wrong type or impossible.
    """
    return parse_params(read_yaml(path), str(path))
