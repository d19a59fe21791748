"""Stage preblur: the Gaussian pre-blur of the whole data set at preblur.strength, which is all that the U-Net ever sees."""

from dartblur.blur.copy import anonymize_dataset
from dartblur.blur.gaussian import Gaussian
from dartblur.faces.dataset import FaceDataset
from dartblur.params import Params
from dartblur.stages.paths import CANONICAL, PREBLUR


def run(params: Params) -> None:
    """Read data/canonical, write data/preblur."""
    anonymize_dataset(FaceDataset(CANONICAL), PREBLUR, Gaussian(params.preblur.strength), params.compute.workers)
