"""Stage pretrain: weights that a training can start from, and an interrupted run that goes on to the same bytes."""

from pathlib import Path

import pytest

from dartblur.blur.dartblur import DartBlur
from dartblur.media.tensors import load_state, load_tensors
from dartblur.params import Params
from dartblur.stages import pretrain
from dartblur.stages.paths import CANONICAL, WORK
from dartblur.training import run as loop
from dartblur.training.discriminator import Discriminator
from dartblur.training.resumable import Step
from dartblur.training.trainer import Trainer
from tests.stages.conftest import MakeParams


@pytest.fixture
def params(tiny: MakeParams) -> Params:
    return tiny(pretrain={"steps": 5, "near_steps": 2, "strengths": [1.0, 2.0]})


def test_it_writes_a_unet_of_the_size_that_trainings_have_and_leaves_nothing_else(workplace: Path, params: Params) -> None:
    out = Path("out/people.safetensors")
    pretrain.run(params, CANONICAL, out)
    made, (_, about) = DartBlur.load(out), load_tensors(out)
    assert (made.config.width, made.config.depth) == (params.unet.width, params.unet.depth)
    assert {"seed": 0, "steps": 5, "near_steps": 2, "strengths": [1.0, 2.0]}.items() <= about.items()
    assert not list(WORK.glob("pretrain*"))
    state, about = load_tensors(out.with_name(pretrain.CRITIC))
    widths = (params.train.discriminator_width, params.train.discriminator_feature_width)
    assert (about["discriminator_width"], about["discriminator_feature_width"]) == widths
    load_state(Discriminator(*widths), state, out)


def test_an_interrupted_one_goes_on_to_the_same_bytes(workplace: Path, params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = Path("whole.safetensors"), Path("parts.safetensors")
    pretrain.run(params, CANONICAL, whole)
    critic = whole.with_name(pretrain.CRITIC).read_bytes()
    monkeypatch.setattr(loop, "SAVE_EVERY", 1)
    advance = Trainer.advance
    for stop in (2, 4):  # at the end of the first part, and within the second
        with monkeypatch.context() as patch:

            def until(self: Trainer, stop: int = stop) -> Step:
                if self.done == stop:
                    raise KeyboardInterrupt
                return advance(self)

            patch.setattr(Trainer, "advance", until)
            with pytest.raises(KeyboardInterrupt):
                pretrain.run(params, CANONICAL, parts)
            assert not parts.exists()
    pretrain.run(params, CANONICAL, parts)
    assert parts.read_bytes() == whole.read_bytes()
    assert parts.with_name(pretrain.CRITIC).read_bytes() == critic
