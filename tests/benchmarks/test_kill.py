from benchmarks.kill import settings
from dartblur.blur.weights import new_unet


def test_the_shortened_recipe_can_be_started() -> None:
    params = settings(processes=2)
    assert params.compute.processes == 2
    assert params.train.warm.steps > params.train.warm.near_steps > 0
    new_unet(params.unet)
