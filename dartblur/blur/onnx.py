"""DartBlur without torch: its network as an ONNX model (made by :mod:`dartblur.blur.export`), run by onnxruntime on the CPU.

Needs numpy, opencv-python-headless and onnxruntime besides this package.
"""

import json
from pathlib import Path
from typing import Any

from dartblur.blur.repaint import DartBlurConfig, Floats, Repainter
from dartblur.errors import DartblurError, UsageError
from dartblur.optional import onnx_session

CONFIG_KEY = "dartblur.config"
"""In the model's metadata: how it is to be used, JSON."""
INPUTS, OUTPUT = ("blurred", "mask"), "painted"
"""Names of the graph's ends: pre-blurred tiles (N, 3, T, T) in grey levels, masks (N, 1, T, T), 0 or 1; g(x) of the tiles (N, 3, T, T)."""


class OnnxDartBlur(Repainter):
    """Hides faces with an exported network; see :mod:`dartblur.blur.repaint`. The pre-blur is the fast one, not that of the stages to the last bit.

    Example:
        >>> model = OnnxDartBlur.load(Path("dartblur.onnx"))
        >>> hidden = model.anonymize(image, np.array([[40, 60, 90, 130]]))
    """

    @classmethod
    def load(cls, path: Path) -> "OnnxDartBlur":
        """Read a model that ``dartblur export`` wrote.

        Raises:
            UsageError: no such file. DartblurError: not an exported network of this project, or onnxruntime is missing.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror}); make it with `dartblur export`") from error
        session = _session(data, path)
        try:
            config = DartBlurConfig(**json.loads(session.get_modelmeta().custom_metadata_map[CONFIG_KEY]))
        except (KeyError, TypeError, ValueError) as error:
            raise DartblurError(f"{path}: not a network of dartblur (no configuration inside); make one with `dartblur export`") from error

        def paint(tiles: Floats, masks: Floats) -> Floats:
            (painted,) = session.run([OUTPUT], dict(zip(INPUTS, (tiles, masks), strict=True)))
            return painted  # type: ignore[no-any-return]

        # One after the other: a processor has enough to do with one, and the rectangle that has to be painted is smaller than that around several.
        return cls(paint, config, exact=False, batch=1)


def _session(data: bytes, path: Path) -> Any:
    try:
        return onnx_session(data)
    except DartblurError:
        raise
    except Exception as error:  # onnxruntime's errors have no base of their own
        first = str(error).splitlines()[0] if str(error) else "no message"
        raise DartblurError(f"{path}: not an ONNX model that onnxruntime can run ({first}); make one with `dartblur export`") from error
