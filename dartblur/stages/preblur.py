"""Stage preblur: the Gaussian pre-blur of the whole data set at preblur.strength, which is all that the U-Net ever sees."""

from dartblur.blur.copy import anonymize_dataset
from dartblur.blur.gaussian import Gaussian
from dartblur.faces.dataset import FaceDataset, write_table
from dartblur.faces.files import is_sharded
from dartblur.media.files import atomic_path
from dartblur.params import Params
from dartblur.stages.paths import CANONICAL, PREBLUR


def run(params: Params) -> None:
    """Read data/canonical, write data/preblur; of a data set in shards only its table, for there the stage train blurs what it reads."""
    source = FaceDataset(CANONICAL)
    if is_sharded(CANONICAL):
        with atomic_path(PREBLUR) as root:
            write_table(root, source.table)
        return
    anonymize_dataset(source, PREBLUR, Gaussian(params.preblur.strength), params.compute.workers)
