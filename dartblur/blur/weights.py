"""Where a U-Net starts from: nothing, or the weights of this package that were trained on the sample people (stage pretrain)."""

from importlib.resources import as_file, files

from dartblur.blur.unet import UNet
from dartblur.errors import UsageError
from dartblur.media.tensors import load_state, load_tensors
from dartblur.params import UNetParams

PEOPLE = "weights/people.safetensors"


def new_unet(params: UNetParams) -> UNet:
    """A U-Net of the given size; from torch's random state, or from the sample people where ``params.init`` says so.

    Raises:
        UsageError: the package's weights are of another size.
    """
    unet = UNet(params.width, params.depth)
    if params.init == "people":
        with as_file(files("dartblur") / PEOPLE) as path:
            state, about = load_tensors(path)
            size = (about["config"]["width"], about["config"]["depth"])
            if size != (params.width, params.depth):
                raise UsageError(f"unet.init: people needs unet.width: {size[0]} and unet.depth: {size[1]}; or set unet.init: scratch")
            load_state(unet, state, path)
    return unet
