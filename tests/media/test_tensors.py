"""Tensors on disk: repeatable bytes, nothing broken saved, and optimisers that go on as if they had never stopped."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dartblur.errors import DartblurError, UsageError
from dartblur.media.tensors import load_optimizer, load_state, load_tensors, optimizer_tensors, save_tensors


def some_tensors(seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "weight": torch.randn(3, 4, generator=generator),
        "half": torch.randn(5, generator=generator).half(),
        "count": torch.tensor(7),
        "nothing": torch.empty(0, 2),
    }


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.safetensors"
    save_tensors(path, some_tensors(), {"epoch": 3, "history": [{"loss": 0.1}]})
    tensors, about = load_tensors(path)
    assert about == {"epoch": 3, "history": [{"loss": 0.1}]}
    assert set(tensors) == set(some_tensors())
    for name, tensor in some_tensors().items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)
    assert [file.name for file in path.parent.iterdir()] == ["a.safetensors"]


def test_same_tensors_same_bytes_in_whatever_order_and_layout(tmp_path: Path) -> None:
    tensors = {**some_tensors(), "image": torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))}
    save_tensors(tmp_path / "a", tensors, {"b": 1, "a": 2})
    reordered = {name: tensors[name] for name in reversed(tensors)}
    reordered["image"] = reordered["image"].contiguous(memory_format=torch.channels_last)
    reordered["weight"] = reordered["weight"].t().contiguous().t().requires_grad_()
    save_tensors(tmp_path / "b", reordered, {"a": 2, "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    save_tensors(tmp_path / "c", {**tensors, "count": torch.tensor(8)}, {"b": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_tensors_that_share_memory_are_saved_each(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    save_tensors(tmp_path / "a", {"all": base, "first": base[:3], "again": base}, {})
    tensors, _ = load_tensors(tmp_path / "a")
    assert torch.equal(tensors["first"], base[:3])
    assert torch.equal(tensors["again"], base)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_never_saved_over_a_good_file(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "a.safetensors"
    save_tensors(path, some_tensors(), {})
    before = path.read_bytes()
    broken = some_tensors()
    broken["half"][2] = bad
    with pytest.raises(DartblurError, match=r"a\.safetensors: half holds values that are not finite; nothing was saved"):
        save_tensors(path, broken, {})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_missing_file_is_bad_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no checkpoint there; train one first"):
        load_tensors(tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match="no checkpoint there"):
        load_tensors(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no tensors", bytes(200), b"\x10\x00\x00\x00\x00\x00\x00\x00" + b"{" * 16])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(DartblurError, match="not a checkpoint of dartblur") as caught:
        load_tensors(path)
    assert not isinstance(caught.value, UsageError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"about": "{"}])
def test_a_foreign_safetensors_file_is_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    save_file(some_tensors(), tmp_path / "a", metadata=metadata)
    with pytest.raises(DartblurError, match="not a checkpoint of dartblur"):
        load_tensors(tmp_path / "a")


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    save_tensors(tmp_path / "a", some_tensors(), {})
    data = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(data[:-1])
    with pytest.raises(DartblurError, match="not a checkpoint of dartblur"):
        load_tensors(tmp_path / "a")


@pytest.mark.parametrize("state", [{}, {"weight": torch.zeros(3, 2)}, {"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "more": torch.zeros(1)}])
def test_a_state_that_does_not_fit_is_one_sentence(state: dict[str, Tensor]) -> None:
    with pytest.raises(DartblurError, match=r"^somewhere: does not fit the model of params\.yaml \(.*\); train it again$") as caught:
        load_state(nn.Linear(3, 2), state, Path("somewhere"))
    assert "\n" not in str(caught.value)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 2, 1))
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return model


def optimizer_of(model: nn.Module, kind: str) -> torch.optim.Optimizer:
    if kind == "sgd":
        return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    if kind == "adam":
        return torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.5, 0.999))
    decaying = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return torch.optim.AdamW([{"params": decaying, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}], lr=0.01)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, number: int) -> None:
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(number))
    optimizer.zero_grad()
    torch.autograd.backward(model(images).square().mean())
    optimizer.step()


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("steps_before", [0, 3])
def test_an_optimiser_goes_on_as_if_it_had_never_stopped(tmp_path: Path, kind: str, steps_before: int) -> None:
    model = network()
    optimizer = optimizer_of(model, kind)
    for number in range(steps_before):
        step(model, optimizer, number)
    path = tmp_path / "a.safetensors"
    named = {f"model.{name}": value for name, value in model.state_dict().items()}
    save_tensors(path, {**named, **optimizer_tensors(optimizer, "one"), **optimizer_tensors(optimizer, "one2")}, {})

    tensors, _ = load_tensors(path)
    resumed = network()
    load_state(resumed, {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}, path)
    resumed_optimizer = optimizer_of(resumed, kind)
    load_optimizer(resumed_optimizer, tensors, "one")
    for number in range(10, 14):
        step(model, optimizer, number)
        step(resumed, resumed_optimizer, number)
    for name, value in model.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_learning_rates_are_not_part_of_an_optimiser_s_state() -> None:
    model = network()
    optimizer = optimizer_of(model, "adam")
    step(model, optimizer, 0)
    other = torch.optim.Adam(model.parameters(), lr=0.5)
    load_optimizer(other, optimizer_tensors(optimizer, "x"), "x")
    assert other.param_groups[0]["lr"] == 0.5
    assert len(other.state) == len(list(model.parameters()))
