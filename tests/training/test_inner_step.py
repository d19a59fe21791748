"""The second-order gradient, against finite differences in float64 and against torchopt's unrolled optimisers."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from dartblur.params import InnerParams
from dartblur.training.inner_step import AdamState, Parameters, inner_steps, warm_state


class SmallDetector(nn.Module):
    """A convolution, batch norm, and a smooth head: every kind of parameter that the real one has, in float64."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Conv2d(4, 2, 1)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.softplus(self.norm(self.conv(x)))).mean(dim=(2, 3))  # type: ignore[no-any-return]


def inner(optimizer: str, **keys: Any) -> InnerParams:
    settings = {"optimizer": optimizer, "learning_rate": 0.05, "steps": 1, "epsilon": 1e-3, "momentum": 0.0, **keys}
    return InnerParams.model_validate(settings)


@pytest.fixture
def pictures() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "anonymised": torch.rand(4, 3, 6, 6, generator=generator, dtype=torch.float64),
        "clean": torch.rand(4, 3, 6, 6, generator=generator, dtype=torch.float64),
        "labels": torch.tensor([0, 1, 1, 0]),
    }


def warmed(model: SmallDetector) -> torch.optim.Adam:
    """An Adam that has taken three steps, so that its moments are warm."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.5, 0.999))
    generator = torch.Generator().manual_seed(2)
    for _ in range(3):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(torch.rand(4, 3, 6, 6, generator=generator, dtype=torch.float64)), torch.tensor([1, 0, 1, 0]))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return optimizer


def outer(model: SmallDetector, pictures: dict[str, Tensor], params: InnerParams, warm: AdamState | None) -> Callable[[Tensor], Tensor]:
    """The cycle objective as a function of the anonymised pictures alone."""
    start = {name: value.detach().requires_grad_() for name, value in model.named_parameters()}

    def value(anonymised: Tensor) -> Tensor:
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}

        def loss(current: Parameters) -> Tensor:
            return F.cross_entropy(functional_call(model, {**current, **buffers}, (anonymised,)), pictures["labels"])

        updated, _ = inner_steps(start, loss, params, warm)
        return F.cross_entropy(functional_call(model, {**updated, **buffers}, (pictures["clean"],)), pictures["labels"])

    return value


CASES = [
    ("sgd", {}, False),
    ("sgd", {"steps": 3, "momentum": 0.9}, False),
    ("adam", {}, True),
    ("adam", {"steps": 3}, True),
    ("adam", {"steps": 2, "epsilon": 1e-2}, False),
]


@pytest.mark.parametrize(("optimizer", "keys", "warm"), CASES)
def test_gradient_agrees_with_finite_differences(optimizer: str, keys: dict[str, Any], warm: bool, pictures: dict[str, Tensor]) -> None:
    model = SmallDetector()
    state = warm_state(model, warmed(model)) if warm else None
    function = outer(model, pictures, inner(optimizer, **keys), state)
    x = pictures["anonymised"].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(x), x)

    directions = torch.randn(8, *x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    step = 1e-5
    for direction in directions:
        expected = (function((x + step * direction).detach()) - function((x - step * direction).detach())) / (2 * step)
        found = (gradient * direction).sum()
        torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-12)


def unrolled_by_torchopt(model: SmallDetector, pictures: dict[str, Tensor], optimizer: Any, anonymised: Tensor, steps: int) -> Tensor:
    """The same value through torchopt's functional optimisers, an implementation that shares no line with ours."""
    import torchopt

    parameters = {name: value.detach().requires_grad_() for name, value in model.named_parameters()}
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    state = optimizer.init(parameters)
    for _ in range(steps):
        loss = F.cross_entropy(functional_call(model, {**parameters, **buffers}, (anonymised,)), pictures["labels"])
        gradients = dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values()), create_graph=True), strict=True))
        updates, state = optimizer.update(gradients, state, inplace=False)
        parameters = torchopt.apply_updates(parameters, updates, inplace=False)
    return F.cross_entropy(functional_call(model, {**parameters, **buffers}, (pictures["clean"],)), pictures["labels"])


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_gradient_agrees_with_an_independent_unroll(kind: str, steps: int, pictures: dict[str, Tensor], request: pytest.FixtureRequest) -> None:
    torchopt = pytest.importorskip("torchopt")
    # torchopt corrects Adam's bias in the default type; single precision would be its error, not ours.
    torch.set_default_dtype(torch.float64)
    request.addfinalizer(lambda: torch.set_default_dtype(torch.float32))
    model = SmallDetector()
    params = inner(kind, steps=steps)
    reference = (
        torchopt.sgd(lr=params.learning_rate)
        if kind == "sgd"
        else torchopt.adam(lr=params.learning_rate, betas=(0.5, 0.999), eps=0.0, eps_root=params.epsilon**2)
    )
    gradients = []
    values = []
    for function in (outer(model, pictures, params, None), lambda x: unrolled_by_torchopt(model, pictures, reference, x, steps)):
        x = pictures["anonymised"].clone().requires_grad_()
        value = function(x)
        values.append(value.detach())
        gradients.append(torch.autograd.grad(value, x)[0])
    torch.testing.assert_close(values[0], values[1], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-6, atol=1e-12)


def test_one_step_equals_the_ordinary_optimisers(pictures: dict[str, Tensor]) -> None:
    """Without the graph, our SGD step is torch.optim.SGD's, and our warm Adam step torch.optim.Adam's but for where epsilon stands."""
    for kind in ("sgd", "adam"):
        model = SmallDetector()
        optimizer: torch.optim.Optimizer = warmed(model)
        warm = warm_state(model, optimizer) if isinstance(optimizer, torch.optim.Adam) and kind == "adam" else None
        if kind == "sgd":
            optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        else:
            optimizer.param_groups[0]["lr"] = 0.05
        start = {name: value.detach().clone().requires_grad_() for name, value in model.named_parameters()}
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}

        def loss(current: Parameters, model: SmallDetector = model, buffers: dict[str, Tensor] = buffers) -> Tensor:
            return F.cross_entropy(functional_call(model, {**current, **buffers}, (pictures["anonymised"],)), pictures["labels"])

        updated, first = inner_steps(start, loss, inner(kind, epsilon=1e-8), warm)
        optimizer.zero_grad()
        F.cross_entropy(model(pictures["anonymised"]), pictures["labels"]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        for name, value in model.named_parameters():
            torch.testing.assert_close(updated[name].detach(), value.detach(), rtol=1e-5, atol=1e-7)
            assert value.grad is not None
            torch.testing.assert_close(first[name], value.grad)


def test_a_dead_unit_does_not_make_the_gradient_nan(pictures: dict[str, Tensor]) -> None:
    """A parameter without gradient has a second moment of zero, where a plain root has an infinite derivative."""
    start = {"used": torch.ones(3, dtype=torch.float64, requires_grad=True), "dead": torch.ones(2, dtype=torch.float64, requires_grad=True)}
    x = torch.rand(3, dtype=torch.float64, requires_grad=True)
    updated, _ = inner_steps(start, lambda p: (p["used"] * x).square().sum() + (p["dead"] * 0).sum(), inner("adam"), None)
    (gradient,) = torch.autograd.grad(updated["used"].sum() + updated["dead"].sum(), x)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("steps", [1, 3])
def test_the_gradient_at_the_start_is_that_of_the_first_step(steps: int) -> None:
    start = {"a": torch.tensor([2.0, -1.0], dtype=torch.float64, requires_grad=True)}
    _, first = inner_steps(start, lambda p: p["a"].square().sum(), inner("sgd", steps=steps), None)
    assert first["a"].tolist() == [4.0, -2.0]
    assert not first["a"].requires_grad


def test_the_module_stays_as_it_is(pictures: dict[str, Tensor]) -> None:
    model = SmallDetector()
    optimizer = warmed(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    moments = {index: entry["exp_avg"].clone() for index, entry in optimizer.state_dict()["state"].items()}
    x = pictures["anonymised"].clone().requires_grad_()
    outer(model, pictures, inner("adam", steps=2), warm_state(model, optimizer))(x)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    for index, entry in optimizer.state_dict()["state"].items():
        assert torch.equal(entry["exp_avg"], moments[index])


def test_warm_state_is_none_before_the_first_step() -> None:
    model = SmallDetector()
    assert warm_state(model, torch.optim.Adam(model.parameters(), lr=0.1)) is None
    state = warm_state(model, warmed(model))
    assert state is not None
    assert state.step == 3
    assert state.betas == (0.5, 0.999)
