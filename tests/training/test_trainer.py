"""The trainer on a few pictures of data/sample, with networks small enough for seconds."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dartblur.detector.anchors import Targets
from dartblur.errors import DartblurError
from dartblur.faces.dataset import FaceDataset
from dartblur.media.images import Image
from dartblur.params import InnerParams, Params, PoolParams
from dartblur.training.trainer import Batch, Trainer
from tests.training.conftest import ADDED, NOTHING_ADDED, WEIGHTS, drawn, everything, moved, small, trainer, warm

U, D = {"unet", "unet_optimizer"}, {"discriminator", "discriminator_optimizer"}
CYCLE_ALONE = WEIGHTS.model_copy(update={"review": 0.0, "process": 0.0, "posthoc": 0.0})
INNER = InnerParams(optimizer="adam", learning_rate=0.01, steps=1, epsilon=1e-3, momentum=0.0)


def fg(index: int) -> set[str]:
    return {f"fg{index}", f"fg{index}_optimizer"}


def states(made: Trainer, steps: int) -> list[tuple[str, set[str]]]:
    """Kind of each of the next steps, and what it moved."""
    found: list[tuple[str, set[str]]] = []
    before = everything(made)
    for number in range(made.done + 1, made.done + steps + 1):
        step = made.advance()
        assert (step.number, made.done) == (number, number)
        after = everything(made)
        found.append((step.kind, moved(before, after)))
        before = after
    return found


def test_a_warm_start_and_then_outer_epochs(copies: list[FaceDataset]) -> None:
    """Warm steps move U and the discriminator; then fg learns alone while U waits; then the two take turns. f never changes."""
    made = trainer(copies, small(detector_epochs=1))
    assert states(made, made.schedule.steps) == [
        *[("warm", U | D)] * 2,
        *([("detector", fg(0))] * 2 + [("adversarial", U | D | fg(0))] * 2) * 2,
    ]
    frozen = [made.frozen, *made.pool.members]
    assert all(parameter.grad is None for network in frozen for parameter in network.parameters())
    assert not made.frozen.training


def test_a_pool_is_taken_in_turn_and_its_oldest_restarts(copies: list[FaceDataset]) -> None:
    made = trainer(copies, small(detector_epochs=0, adversarial_epochs=1, epoch_steps=3, epochs=3, warm=warm(0), pool=PoolParams(size=2, restart=1)))
    known = [
        *[fg(0), fg(1), fg(0)],  # turns 0 to 2
        *[fg(0) | fg(1), fg(0), fg(1)],  # the first restarts, while it is the other's turn
        *[fg(0) | fg(1), fg(1), fg(0)],  # the second restarts
    ]
    assert [(kind, owners - U - D) for kind, owners in states(made, 9)] == [("adversarial", owners) for owners in known]


@pytest.mark.parametrize("name", ["restore", "seam", "features", "realism"])
def test_an_addition_of_weight_zero_is_off(copies: list[FaceDataset], name: str) -> None:
    made = trainer(copies, small(additions=ADDED.model_copy(update={name: 0.0}), detector_epochs=0))
    known = {"review", "restore", "seam", "features", "realism", "total", "gradient", "discriminator"} - {name}
    known -= {"discriminator"} if name == "realism" else set()
    before = everything(made)
    assert made.advance().values.keys() == known
    made.advance()
    assert made.advance().values.keys() == known | {"process", "posthoc", "cycle", "detector"}
    assert moved(before, everything(made)) == (U if name == "realism" else U | D) | fg(0)


def test_the_total_is_the_weighted_sum(copies: list[FaceDataset]) -> None:
    weights = WEIGHTS.model_copy(update={"review": 0.5, "process": 2.0, "cycle": 3.0})
    additions = ADDED.model_copy(update={"restore": 0.25, "features": 4.0})
    made = trainer(copies, small(weights=weights, additions=additions, warm=warm(1), detector_epochs=0))
    for step in (made.advance(), made.advance()):
        values = step.values
        known = sum(weight * values.get(name, 0.0) for name, weight in {**weights.model_dump(), **additions.model_dump()}.items())
        assert values["total"] == pytest.approx(known, rel=1e-5)


def test_u_s_step_leaves_the_discriminator_without_a_gradient(copies: list[FaceDataset], monkeypatch: pytest.MonkeyPatch) -> None:
    made = trainer(copies, small())
    monkeypatch.setattr(made.critic, "step", lambda faces: {})
    before = everything(made)
    values = made.warm_step(0)
    assert values["realism"] != 0
    # Spectral norm runs its power iteration in every pass; no weight may move.
    changed = {name for name, value in everything(made).items() if name in before and not torch.equal(value, before[name])}
    assert {name for name in changed if not name.startswith("unet.")} <= {name for name in before if name.endswith(("._u", "._v"))}
    assert all(parameter.grad is None for parameter in made.discriminator.parameters())


def test_u_learns_from_the_discriminator_and_the_discriminator_from_u(copies: list[FaceDataset]) -> None:
    """With the realism alone: the discriminator tells photographs from paintings better after its step, and U gets a gradient."""
    review_alone = WEIGHTS.model_copy(update={"process": 0.0, "posthoc": 0.0, "cycle": 0.0})
    made = trainer(copies, small(weights=review_alone, additions=NOTHING_ADDED.model_copy(update={"realism": 1.0}), warm=warm(12)))
    values = [made.advance().values for _ in range(12)]
    assert all(value["gradient"] > 0 for value in values)
    assert sum(value["discriminator"] for value in values[-4:]) < sum(value["discriminator"] for value in values[:4])


def inputs_of(copies: list[FaceDataset], invert: bool) -> list[Tensor]:
    """All that U is given in a whole training, in which the clean pictures may be other ones."""
    made = trainer(copies, small(detector_epochs=1))
    original = made.views.read

    def read(copy: int, name: str) -> Image:
        image = original(copy, name)
        return 255 - image if invert and copy == 0 else image

    made.views.read = read  # type: ignore[method-assign]
    seen: list[Tensor] = []
    made.unet.register_forward_hook(lambda module, args, output: seen.extend(tensor.clone() for tensor in args))
    values = [made.advance().values for _ in range(made.schedule.steps)]
    assert all(name in values[0] for name in ("restore", "features"))
    return seen


def test_u_never_sees_the_clean_picture(copies: list[FaceDataset]) -> None:
    """Two x with the same x~ and mask: in every step, warm or not, U is given the same, so g(x) can tell nothing more of x."""
    one, other = inputs_of(copies, invert=False), inputs_of(copies, invert=True)
    assert len(one) == len(other) > 10
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_two_pictures_with_one_preblur_get_one_painting(copies: list[FaceDataset]) -> None:
    made = trainer(copies, small())
    made.advance()
    batch = made._batch(0)
    other = replace(batch, clean=255 - batch.clean)
    assert torch.equal(made._paint(batch).views, made._paint(other).views)
    assert not torch.equal(made._paint(batch).views, batch.blurred)


def test_views_are_painted_as_in_a_step_and_nothing_moves(copies: list[FaceDataset]) -> None:
    """What the probe trains its detector on."""
    made = trainer(copies, small())
    made.advance()
    before = everything(made)
    drawn_views = made.views.batch(made.params.seed + 2, 0, made.params.train.batch)
    views = made.paint(drawn_views)
    assert not views.requires_grad
    assert torch.equal(views, made._paint(made._batch(0)).views)
    assert moved(before, everything(made)) == set()


def test_objectives_leave_fg_alone(copies: list[FaceDataset]) -> None:
    """Neither weights, nor batch-norm statistics, nor gradients of fg change while the objectives are computed."""
    made = trainer(copies, small())
    batch = drawn(made)
    before = everything(made)
    terms, _ = made.terms(batch, made._paint(batch).views, 3)
    torch.stack([value for _, value in terms.items() if value is not None]).sum().backward()  # type: ignore[no-untyped-call]
    assert moved(before, everything(made)) == set()
    assert all(parameter.grad is None for parameter in made.pool.members[0].parameters())


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("steps", [1, 2])
def test_the_cycle_gradient_reaches_the_picture_through_the_weight_update(copies: list[FaceDataset], optimizer: str, steps: int) -> None:
    """fg'(x) sees the clean picture only: any gradient in g(x) has come through the update; without a step there is none."""
    inner = INNER.model_copy(update={"optimizer": optimizer, "steps": steps})
    made = trainer(copies, small(weights=CYCLE_ALONE, inner=inner))
    batch = drawn(made)
    picture = made._paint(batch).views.detach().requires_grad_()
    cycle = made.terms(batch, picture, 3)[0].cycle
    assert cycle is not None
    (gradient,) = torch.autograd.grad(cycle, picture)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0


def test_the_cycle_gradient_of_the_real_detector_agrees_with_finite_differences(copies: list[FaceDataset]) -> None:
    """The whole path (RetinaFace, matching, hard negatives, warm Adam) in float64, along random directions."""
    made = trainer(copies, small())
    batch = drawn(made)
    member, optimizer = made.pool.take(0)
    for network in (member, made.unet, made.frozen):
        network.double()
    for entry in optimizer.state.values():
        entry["exp_avg"], entry["exp_avg_sq"] = entry["exp_avg"].double(), entry["exp_avg_sq"].double()
    targets = Targets(batch.annotated.labels, batch.annotated.offsets.double())
    double = Batch(batch.clean.double(), batch.blurred.double(), batch.mask.double(), batch.tiles, targets)

    def value(picture: Tensor) -> Tensor:
        (offsets, logits), _ = made.judges.after_inner_step(double.clean, picture, double.annotated, member, optimizer)
        return offsets.square().mean() + logits.square().mean()

    picture = double.blurred.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(picture), picture)
    step, wrong = 1e-6, []
    for seed in range(5):
        direction = torch.randn(picture.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        expected = (value(picture + step * direction) - value(picture - step * direction)).detach() / (2 * step)
        if not torch.isclose((gradient * direction).sum(), expected, rtol=1e-4, atol=1e-14):
            wrong.append((float((gradient * direction).sum()), float(expected)))
    # The path has corners (ReLU, which negatives are hardest); a direction that steps over one says nothing.
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize(("optimizer", "steps"), [("adam", 1), ("sgd", 1), ("adam", 2)])
def test_what_the_inner_step_learned_is_what_an_ordinary_pass_would(copies: list[FaceDataset], optimizer: str, steps: int) -> None:
    made = trainer(copies, small(inner=INNER.model_copy(update={"optimizer": optimizer, "steps": steps})))
    batch = drawn(made)
    views = made._paint(batch).views
    before = everything(made)
    _, learned = made.judges.after_inner_step(batch.clean, views, batch.annotated, *made.pool.take(0))
    assert moved(before, everything(made)) == set()
    twin = copy.deepcopy(made.pool.members[0]).train()
    loss = made.judges.loss(twin(views.detach()), batch.annotated)
    gradients = torch.autograd.grad(loss, list(twin.parameters()))
    assert learned.loss == pytest.approx(float(loss.detach()), rel=1e-6)
    for (name, _), gradient in zip(twin.named_parameters(), gradients, strict=True):
        torch.testing.assert_close(learned.gradients[name], gradient, rtol=1e-4, atol=1e-6)
        assert not learned.gradients[name].requires_grad
    assert learned.statistics.keys() == dict(twin.named_buffers()).keys()
    for name, buffer in twin.named_buffers():
        torch.testing.assert_close(learned.statistics[name], buffer)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_fg_s_step_in_an_adversarial_step_is_its_ordinary_step(copies: list[FaceDataset], optimizer: str) -> None:
    """It is taken on the gradient that the inner step had; nothing of the cycle objective may get into fg."""
    params = small(weights=CYCLE_ALONE, additions=NOTHING_ADDED, inner=INNER.model_copy(update={"optimizer": optimizer}))
    one, other = trainer(copies, params), trainer(copies, params)
    batch = drawn(one)
    drawn(other)
    assert moved(everything(one), everything(other)) == set()
    with torch.no_grad():
        views = other._paint(batch).views
    loss = other.detector_step(batch, views, 3)
    assert one.adversarial_step(batch, 3)["detector"] == pytest.approx(loss, rel=1e-6)
    after = everything(other)
    for name, value in everything(one).items():
        if name.startswith("fg0"):
            torch.testing.assert_close(value, after[name], rtol=1e-5, atol=1e-6, msg=name)
    assert moved(everything(one), after) - fg(0) == U


def test_a_weight_of_zero_switches_its_objective_off(copies: list[FaceDataset]) -> None:
    for name in ("review", "process", "posthoc", "cycle"):
        made = trainer(copies, small(weights=WEIGHTS.model_copy(update={name: 0.0})))
        batch = drawn(made)
        terms, learned = made.terms(batch, made._paint(batch).views, 3)
        found = dict(terms.items())
        assert found.pop(name) is None
        assert all(value is not None and torch.isfinite(value) for value in found.values())
        assert (learned is None) == (name == "cycle")
        values = made.adversarial_step(batch, 3)  # without the cycle, fg has to take a pass of its own
        assert name not in values
        assert values["detector"] > 0


def test_views_without_a_face_teach_fg_alone(copies: list[FaceDataset]) -> None:
    made = trainer(copies, small())
    batch = drawn(made)
    empty = replace(batch, tiles=[[] for _ in batch.tiles], mask=torch.zeros_like(batch.mask))
    before = everything(made)
    assert made.adversarial_step(empty, 3).keys() == {"detector"}
    assert moved(before, everything(made)) == fg(0)


def test_pseudo_labels_are_what_f_finds_from_a_probability_on(copies: list[FaceDataset]) -> None:
    strict, lax = (trainer(copies, small(pseudo_label_score=score)) for score in (0.999, 0.001))
    batch = strict._batch(0)
    assert (strict.judges.pseudo_labels(batch.clean).labels == 1).sum() == 0
    assert (lax.judges.pseudo_labels(batch.clean).labels == 1).sum() > 0


def test_every_step_has_the_rates_of_the_schedule(copies: list[FaceDataset]) -> None:
    made = trainer(copies, small(decay=0.5, detector_epochs=1, pool=PoolParams(size=2, restart=0)))
    discriminator = made.discriminator_optimizer.param_groups[0]["lr"]
    for number in range(made.schedule.steps):
        made.advance()
        assert made.unet_optimizer.param_groups[0]["lr"] == made.schedule.unet_rate(number)
        if number >= 2:
            assert [optimizer.param_groups[0]["lr"] for optimizer in made.pool.optimizers] == [made.schedule.detector_rate(number)] * 2
    assert discriminator == made.params.train.discriminator_learning_rate == made.discriminator_optimizer.param_groups[0]["lr"]


def test_the_same_seed_is_the_same_training_and_another_one_another(copies: list[FaceDataset]) -> None:
    def trained(params: Params) -> dict[str, Tensor]:
        made = trainer(copies, params)
        for _ in range(3):
            made.advance()
        return everything(made)

    params = small(detector_epochs=0)
    first = trained(params)
    assert moved(first, trained(params)) == set()
    assert moved(first, trained(params.model_copy(update={"seed": 1}))) == U | D | fg(0)


def break_unet(made: Trainer) -> None:
    first = made.unet.down[0].first
    assert isinstance(first, nn.Conv2d)
    with torch.no_grad():
        first.weight.fill_(float("nan"))


def test_a_loss_that_is_not_finite_stops_with_every_term(copies: list[FaceDataset]) -> None:
    made = trainer(copies, small(detector_epochs=0))
    made.advance()
    break_unet(made)
    with pytest.raises(DartblurError, match=r"not finite at step 2 \(review nan, restore nan, seam nan, features nan, realism nan, total nan\)"):
        made.advance()
    assert made.done == 1
    made.done = 2
    with pytest.raises(DartblurError, match=r"not finite at step 3 \(review nan, process \S+, posthoc \S+, cycle \S+, restore nan, .* total nan\)"):
        made.advance()


def test_a_gradient_that_is_not_finite_stops_before_it_is_taken(copies: list[FaceDataset], monkeypatch: pytest.MonkeyPatch) -> None:
    made = trainer(copies, small())
    before = everything(made)

    def infinite(*args: Any, **keys: Any) -> Tensor:
        return torch.tensor(float("inf"))

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", infinite)
    with pytest.raises(DartblurError, match=r"U's gradient is not finite at step 1 \(loss .*\); raise train\.inner\.epsilon"):
        made.advance()
    assert moved(before, everything(made)) <= {"discriminator"}  # spectral norm's iteration


def test_a_loss_of_fg_that_is_not_finite_stops_and_leaves_it_as_it_was(copies: list[FaceDataset]) -> None:
    made = trainer(copies, small(warm=warm(0), detector_epochs=1))
    before = {name: value.clone() for name, value in made.pool.members[0].named_parameters()}
    break_unet(made)
    with pytest.raises(DartblurError, match=r"^fg's loss is nan; lower train\.detector_learning_rate$"):
        made.advance()
    assert all(torch.equal(value, before[name]) for name, value in made.pool.members[0].named_parameters())


def test_u_may_run_in_bfloat16_and_its_weights_stay_float32(copies: list[FaceDataset]) -> None:
    params = small(detector_epochs=0, warm=warm(1))
    made = trainer(copies, params.model_copy(update={"compute": params.compute.model_copy(update={"precision": "bf16"})}))
    seen: set[torch.dtype] = set()
    made.unet.down[0].register_forward_hook(lambda module, args, output: seen.add(output.dtype))
    made.pool.members[0].register_forward_hook(lambda module, args, output: seen.add(output[1].dtype))
    for step in (made.advance(), made.advance()):
        assert all(torch.isfinite(torch.tensor(value)) for value in step.values.values())
    assert seen == {torch.bfloat16, torch.float32}  # U and fg: what the second-order step goes through stays as it is
    assert {value.dtype for value in made.unet.parameters()} == {torch.float32}


def test_a_description_says_how_far_it_is(copies: list[FaceDataset]) -> None:
    made = trainer(copies, small())
    made.advance()
    assert made.describe() == {"done": 1, "steps": 18, "parameters": sum(value.numel() for value in made.unet.parameters())}


def test_checkpointing_changes_no_bit(copies: list[FaceDataset]) -> None:
    def trained(checkpointing: bool) -> dict[str, Tensor]:
        params = small(warm=warm(1), detector_epochs=0)
        made = trainer(copies, params.model_copy(update={"compute": params.compute.model_copy(update={"checkpointing": checkpointing})}))
        for _ in range(3):
            made.advance()
        return everything(made)

    assert moved(trained(False), trained(True)) == set()
