"""A detector on disk: ``detector.safetensors`` in a folder of its own."""

from pathlib import Path
from typing import Any

from dartblur.detector.retinaface import RetinaFace
from dartblur.errors import DartblurError
from dartblur.media.tensors import load_state, load_tensors, save_tensors
from dartblur.params import DetectorParams

DETECTOR_FILE = "detector.safetensors"


def save_detector(folder: Path, model: RetinaFace, params: DetectorParams, about: dict[str, Any]) -> None:
    """Write a detector as ``detector.safetensors`` in ``folder``."""
    save_tensors(folder / DETECTOR_FILE, model.state_dict(), {"backbone": params.backbone, "channels": params.channels, **about})


def load_detector(folder: Path, params: DetectorParams) -> RetinaFace:
    """Read a detector from ``folder``, in evaluation mode, frozen, on the CPU."""
    state, about = load_tensors(folder / DETECTOR_FILE)
    if (about.get("backbone"), about.get("channels")) != (params.backbone, params.channels):
        raise DartblurError(f"{folder / DETECTOR_FILE}: a {about.get('backbone')} detector, params.yaml wants {params.backbone}; train it again")
    model = RetinaFace(params.backbone, params.channels)
    load_state(model, state, folder / DETECTOR_FILE)
    return model.eval().requires_grad_(False)
