"""DartBlur as an anonymiser: the Gaussian pre-blur, then the network, run by torch, on tiles around the faces only."""

from dataclasses import asdict
from pathlib import Path

import torch

from dartblur.blur.repaint import DartBlurConfig, Floats, Repainter
from dartblur.blur.small import SmallNet
from dartblur.blur.unet import UNet, blend
from dartblur.errors import DartblurError
from dartblur.media.tensors import load_state, load_tensors, save_tensors

UNET_FILE = "unet.safetensors"
Network = UNet | SmallNet
_NETWORKS: dict[str, type[UNet] | type[SmallNet]] = {"unet": UNet, "small": SmallNet}


class DartBlur(Repainter):
    """Hides faces with a trained network; see :mod:`dartblur.blur.repaint`.

    Example:
        >>> model = DartBlur.load(Path("models/dartblur/unet.safetensors"))
        >>> hidden = model.anonymize(image, np.array([[40, 60, 90, 130]]))
    """

    def __init__(self, unet: Network, config: DartBlurConfig, device: str | torch.device = "cpu") -> None:
        super().__init__(self._paint, config)
        self.unet = unet.to(device).eval().requires_grad_(False)
        self.device = torch.device(device)

    @classmethod
    def load(cls, path: Path, device: str | torch.device = "cpu") -> "DartBlur":
        """Read a model that :func:`save_unet` wrote.

        Raises:
            UsageError: no such file. DartblurError: not a U-Net of this project.
        """
        state, about = load_tensors(path)
        try:
            config = DartBlurConfig(**about["config"])
        except (KeyError, TypeError) as error:
            raise DartblurError(f"{path}: not a DartBlur U-Net (no configuration inside); train one with dvc repro") from error
        if config.network not in _NETWORKS:
            raise DartblurError(f"{path}: not a DartBlur network of this version ({config.network}); use the version that made it")
        unet = _NETWORKS[config.network](config.width, config.depth)
        load_state(unet, state, path)
        return cls(unet, config, device)

    @torch.inference_mode()
    def _paint(self, tiles: Floats, masks: Floats) -> Floats:
        """A :data:`dartblur.blur.repaint.Painter`."""
        blurred, mask = torch.from_numpy(tiles).to(self.device), torch.from_numpy(masks).to(self.device)
        painted: Floats = blend(self.unet, blurred, mask).cpu().numpy()
        return painted


def save_unet(path: Path, unet: Network, config: DartBlurConfig, about: dict[str, object] | None = None) -> None:
    """Write a network and how to use it as one safetensors file."""
    save_tensors(path, unet.state_dict(), {"config": asdict(config), **(about or {})})
