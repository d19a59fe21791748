"""The peer of the training benchmark: its two forms against each other, and the rebuilt one against our own functions."""

import copy
import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from benchmarks.original.batch import MEAN
from benchmarks.original_step import Networks, OriginalStep, Settings, StepBatch, find_checkout, make_batch, start_networks
from dartblur.blur.unet import UNet, blend
from dartblur.detector.anchors import FaceBatch, Targets, anchors, match
from dartblur.detector.detect import detect
from dartblur.detector.loss import detection_loss
from dartblur.errors import UsageError
from dartblur.params import ObjectiveWeights
from dartblur.training.inner_step import AdamState, Parameters, inner_steps
from tests.settings import settings

METHOD = ObjectiveWeights(review=1.0, process=1.0, posthoc=1.0, cycle=1.0)
PARAMS = settings(train={"budget": 0.0, "weights": METHOD, "gradient_clip": 500.0})
OURS = Settings.ours(PARAMS)
# fg's own step sees what the U-Net paints after a step of Adam with fresh moments, the gradient's sign: noise, where there is hardly a gradient.
CONVENTIONS = {"original": (Settings(budget=0.0), 1e-2), "ours": (OURS, 1e-3)}
TERMS = ["review", "process", "posthoc", "cycle", "detector"]


@pytest.fixture(scope="module")
def small() -> Networks:
    """Networks for the rebuilt step: f and fg find drawn faces, U is small."""
    networks = start_networks()
    torch.manual_seed(1)
    unet = UNet(4, 3)
    for parameter in unet.up[-1].parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return Networks(unet, networks.frozen, networks.detector)


@pytest.fixture(scope="module")
def batch() -> StepBatch:
    # Of few faces, so that few negatives are drawn: the original takes many from those whose loss is nothing in single precision, by chance.
    return make_batch(views=2, size=128, share=0.1, faces=1)


@pytest.fixture(scope="module")
def checkout() -> Path:
    folder = find_checkout()
    if folder is None:
        pytest.skip("no checkout of JaNg2333/DartBlur: clone it to .work/original or name its folder in DARTBLUR_ORIGINAL")
    if importlib.util.find_spec("higher") is None:
        pytest.skip("the checkout needs the package higher: pip install --no-deps -r benchmarks/requirements.txt")
    return folder


@pytest.mark.parametrize(("chosen", "detector"), CONVENTIONS.values(), ids=list(CONVENTIONS))
def test_rebuilt_and_checkout_agree(checkout: Path, batch: StepBatch, chosen: Settings, detector: float) -> None:
    """From the same weights, and then from the same moments, which are warm."""
    networks = start_networks()
    peers = [OriginalStep.from_checkout(checkout, networks, chosen), OriginalStep.rebuilt(networks, chosen)]
    for _ in range(2):
        theirs, ours = (peer.step(batch) for peer in peers)
        assert list(theirs) == list(ours) == TERMS
        assert min(theirs.values()) > 0.01
        for name in TERMS:
            assert ours[name] == pytest.approx(theirs[name], rel=detector if name == "detector" else 1e-3), name
        torch.testing.assert_close(peers[0].anonymised, peers[1].anonymised, atol=1e-3, rtol=0)
        states = [peer.state for peer in peers]
        assert states[0].keys() == states[1].keys()
        weights = [name for name in states[0] if ":" not in name and "running" not in name]
        # Where the gradient's sign is noise, two weights end up two learning rates apart.
        assert all((states[0][name] - states[1][name]).abs().max() < 2.1 * chosen.detector_learning_rate for name in weights)
        peers[1].state = states[0]
        assert all(torch.equal(value, states[0][name]) for name, value in peers[1].state.items())
    theirs, ours = (peer.step(batch, batch.blurred + 5.0) for peer in peers)  # a g(x) that neither has painted
    assert ours == pytest.approx(theirs, rel=1e-3)
    assert theirs["review"] == pytest.approx(4.5, abs=1e-3)


def test_a_checkout_leaves_no_trace(checkout: Path, batch: StepBatch) -> None:
    """Its packages are called utils, nets and trainer, which others may be too; and the same steps give the same terms."""
    networks, before, path = start_networks(), set(sys.modules), list(sys.path)
    peers = [OriginalStep.from_checkout(checkout, networks) for _ in range(2)]
    assert not {"utils", "nets", "trainer", "torchvision", "tqdm"} & (set(sys.modules) - before)
    assert sys.path == path
    assert peers[0].step(batch) == peers[1].step(batch)
    assert sum(value.numel() for name, value in peers[0].state.items() if name.startswith("unet.") and ":" not in name) == 12_653_187


def our_terms(networks: Networks, batch: StepBatch, anonymised: Tensor, warm: AdamState | None) -> dict[str, float]:
    """The terms that see a detector, by our own functions, a whole batch at once."""
    detector, train = PARAMS.detector, PARAMS.train
    frozen, fg, size = networks.frozen.eval(), networks.detector, batch.size
    priors = anchors(size, size, torch.device("cpu"))

    def loss(outputs: tuple[Tensor, Tensor], targets: Targets, smoothing: float = 0.0) -> Tensor:
        return detection_loss(
            *outputs, targets, box_weight=detector.box_weight, negatives_per_positive=detector.negatives_per_positive, label_smoothing=smoothing
        )

    def inner(current: Parameters) -> Tensor:
        fg.train()
        buffers = {name: value.clone() for name, value in fg.named_buffers()}
        return loss(functional_call(fg, {**current, **buffers}, (anonymised,)), annotated)

    found = detect(frozen, batch.clean, detector, train.pseudo_label_score)
    assert any(len(rows) for rows in found)
    pseudo = match(FaceBatch.of([rows[:, :4] for rows in found]), priors, detector.match_iou)
    annotated = match(FaceBatch.of(batch.boxes), priors, detector.match_iou)
    updated, _ = inner_steps(dict(fg.named_parameters()), inner, train.inner, warm)
    fg.eval()
    terms = {
        "process": loss(frozen(anonymised), pseudo),
        "posthoc": loss(fg(anonymised), pseudo, train.label_smoothing),
        "cycle": loss(functional_call(fg, updated, (batch.clean,)), pseudo, train.label_smoothing),
        "detector": inner(dict(fg.named_parameters())),
    }
    return {name: float(value.detach()) for name, value in terms.items()}


def test_the_rebuilt_step_agrees_with_our_functions(small: Networks, batch: StepBatch) -> None:
    """Picture by picture in loops or all at once: the same terms, with fresh moments and with warm ones."""
    peer = OriginalStep.rebuilt(small, Settings.ours(PARAMS, second_forward=False))
    networks, warm = copy.deepcopy(small), None
    for _ in range(2):
        expected = blend(networks.unet, batch.blurred, batch.mask).detach()
        terms = peer.step(batch)
        torch.testing.assert_close(peer.anonymised, expected, atol=1e-3, rtol=0)
        theirs = our_terms(networks, batch, expected, warm)
        assert {name: terms[name] for name in theirs} == pytest.approx(theirs, rel=1e-4)
        state = peer.state
        for network, model in (("unet", networks.unet), ("detector", networks.detector)):
            model.load_state_dict({name: state[f"{network}.{name}"] for name in model.state_dict()})
        first, second = (
            {name: state[f"detector.{name}:{key}"] for name, _ in networks.detector.named_parameters()} for key in ("exp_avg", "exp_avg_sq")
        )
        warm = AdamState(first, second, int(state["detector.classify.0.bias:step"]), (0.5, 0.999))


def test_review_is_free_up_to_the_budget(small: Networks, batch: StepBatch) -> None:
    """With a g(x) that lies 5 grey levels off everywhere, SmoothL1 is 4.5; U stays as it is."""
    peer = OriginalStep.rebuilt(small, Settings(budget=1.5))
    before = peer.state
    assert peer.step(batch, batch.blurred + 5.0)["review"] == pytest.approx(3.0, abs=1e-3)
    after = peer.state
    assert all(torch.equal(value, after[name]) for name, value in before.items() if name.startswith("unet."))
    assert any(not torch.equal(value, after[name]) for name, value in before.items() if name.startswith("detector."))


def test_both_networks_learn_and_the_given_ones_stay(small: Networks, batch: StepBatch) -> None:
    given = copy.deepcopy(small)
    peer = OriginalStep.rebuilt(small)
    before = peer.state
    terms = peer.step(batch)
    assert list(terms) == TERMS
    after = peer.state
    assert {name.partition(".")[0] for name, value in before.items() if not torch.equal(value, after[name])} == {"unet", "detector"}
    for kept, now in ((given.unet, small.unet), (given.frozen, small.frozen), (given.detector, small.detector)):
        assert all(torch.equal(value, now.state_dict()[name]) for name, value in kept.state_dict().items())


def test_a_view_without_detections(small: Networks) -> None:
    """With the original's rule it teaches nothing, with ours background."""
    batch = make_batch(views=2, size=64, share=0.1)  # too small for f
    theirs, ours = (OriginalStep.rebuilt(small, s).step(batch) for s in (Settings(pseudo_of="probability", pseudo_score=0.99), OURS))
    assert theirs["process"] == theirs["posthoc"] == theirs["cycle"] == 0.0
    assert ours["process"] > 0


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_a_batch_says_the_same_in_both_conventions(share: float) -> None:
    batch = make_batch(views=2, size=128, share=share, seed=1)
    assert batch.share == pytest.approx(share, rel=0.05)
    clean, blurred = (torch.from_numpy(array + MEAN[:, None, None]).flip(1) for array in (batch.loader.clean, batch.loader.blurred))
    assert torch.equal(clean.round(), batch.clean)
    assert torch.equal(blurred.round(), batch.blurred)
    assert not torch.equal(batch.clean, batch.blurred)
    outside = (batch.mask == 0).expand_as(batch.clean)
    assert torch.equal(batch.clean[outside], batch.blurred[outside])
    for boxes, rows in zip(batch.boxes, batch.loader.annotations, strict=True):
        assert torch.equal(torch.from_numpy(rows[:, :4]).float() * 128, boxes)
    again = make_batch(views=2, size=128, share=share, seed=1)
    assert torch.equal(batch.clean, again.clean)
    assert not torch.equal(batch.clean, make_batch(views=2, size=128, share=share, seed=2).clean)


@pytest.mark.parametrize(("faces", "share", "size"), [(3, 0.1, 128), (4, 0.0, 128), (4, 1.1, 128), (4, 0.1, 32)])
def test_impossible_batches(faces: int, share: float, size: int) -> None:
    with pytest.raises(ValueError, match="square number"):
        make_batch(views=1, size=size, share=share, faces=faces)


def test_no_checkout_is_said(tmp_path: Path, small: Networks) -> None:
    with pytest.raises(UsageError, match="no checkout of the original"):
        OriginalStep.from_checkout(tmp_path, small)


def test_parameters_without_words_in_the_original() -> None:
    weights = ObjectiveWeights(review=1.0, process=0.0, posthoc=1.0, cycle=1.0)
    with pytest.raises(ValueError, match=r"train\.weights"):
        Settings.ours(settings(train={"weights": weights}))
