"""libjpeg-turbo's TurboJPEG interface, straight from its shared library: decoding in memory, and changing DCT blocks without touching the others.

The library comes with the ``turbojpeg`` wheel, or is the system's. Calls release the interpreter lock, keep no state and report damage that Pillow
lets pass. Where there is no such library, :func:`turbo` is None, JPEGs are re-encoded whole and damage is noticed where they are cut off alone.
"""

import ctypes
import ctypes.util
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dartblur.media.orientation import steps

Blocks = Mapping[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.int16]]]
"""New blocks of one component, by row of blocks: their columns (N) and their quantised coefficients (N x 64, row by row)."""

_DECOMPRESS, _TRANSFORM = 1, 2
_STOP_ON_WARNING, _WIDTH, _HEIGHT, _SCAN_LIMIT, _COLOURS = 0, 5, 6, 13, 8
_PERFECT, _PROGRESSIVE, _COPY_NONE = 1, 32, 64
_FORMATS = {1: 6, 3: 0, 4: 11}  # channels -> grey, RGB, CMYK
_OPERATIONS = {"": 0, "x": 1, "y": 2, "t": 3, "txy": 4, "tx": 5, "xy": 6, "ty": 7}
_SCANS = 500
"""More scans than any encoder makes: a progressive file of thousands takes hours to decode."""
COLOURS = ("rgb", "ycc", "grey", "cmyk", "ycck")
"""What the components of a JPEG mean, in TurboJPEG's order."""


class TurboError(Exception):
    """TurboJPEG could not do it; the message is its own."""


class _Region(ctypes.Structure):
    _fields_ = (("x", ctypes.c_int), ("y", ctypes.c_int), ("w", ctypes.c_int), ("h", ctypes.c_int))


_FILTER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, _Region, _Region, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)


class _Transform(ctypes.Structure):
    _fields_ = (("r", _Region), ("op", ctypes.c_int), ("options", ctypes.c_int), ("data", ctypes.c_void_p), ("filter", _FILTER))


class Turbo:
    """The functions of one loaded library."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        handle, size, integer, pointer = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p
        for name, result, arguments in (
            ("tj3Init", handle, (integer,)),
            ("tj3Destroy", None, (handle,)),
            ("tj3Set", integer, (handle, integer, integer)),
            ("tj3Get", integer, (handle, integer)),
            ("tj3GetErrorStr", ctypes.c_char_p, (handle,)),
            ("tj3DecompressHeader", integer, (handle, ctypes.c_char_p, size)),
            ("tj3Decompress8", integer, (handle, ctypes.c_char_p, size, pointer, integer, integer)),
            ("tj3Transform", integer, (handle, ctypes.c_char_p, size, integer, pointer, pointer, pointer)),
            ("tj3Free", None, (pointer,)),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments

    def decode(self, data: bytes, size: tuple[int, int], channels: int) -> tuple[npt.NDArray[np.uint8], str]:
        """Decode a JPEG, refusing damaged data.

        Args:
            data: the file.
            size: width and height that its header announces.
            channels: 1 grey, 3 RGB, 4 CMYK as stored.

        Returns:
            uint8 H x W x channels, and one of :data:`COLOURS`.

        Raises:
            TurboError: it is damaged, or not of a kind that can be decoded so.
        """
        with _Handle(self._library, _DECOMPRESS) as handle:
            handle.call("tj3DecompressHeader", data, len(data))
            width, height, colours = (handle.get(parameter) for parameter in (_WIDTH, _HEIGHT, _COLOURS))
            if (width, height) != size:
                raise TurboError(f"{width} x {height} pixels, not {size[0]} x {size[1]}")
            raster = np.empty((height, width, channels), np.uint8)
            handle.call("tj3Decompress8", data, len(data), raster.ctypes.data, 0, _FORMATS[channels])
            return raster, COLOURS[colours]

    def transcode(self, data: bytes, orientation: int, blocks: list[Blocks], progressive: bool) -> bytes:
        """Turn a JPEG upright and put new blocks in, all others staying as they are; markers but the structural ones are left out.

        Args:
            data: the file.
            orientation: of EXIF; a picture whose size does not allow to turn it block by block is an error.
            blocks: a mapping a component, rows and columns of the upright raster.
            progressive: write progressive scans.

        Raises:
            TurboError: it is damaged or cannot be turned.
        """
        missing = {(component, row) for component, rows in enumerate(blocks) for row in rows}

        def put(address: int, array: _Region, plane: _Region, component: int, number: int, transform: int) -> int:
            found = blocks[component].get(array.y // 8)
            if found is not None:
                row = np.frombuffer((ctypes.c_int16 * (array.w * 8)).from_address(address), np.int16).reshape(-1, 64)
                columns, values = found
                inside = columns < len(row)
                row[columns[inside]] = values[inside]
                missing.discard((component, array.y // 8))
            return 0

        options = _PERFECT | _COPY_NONE | (_PROGRESSIVE if progressive else 0)
        wanted = _Transform(_Region(), _OPERATIONS[steps(orientation)], options, None, _FILTER(put))
        out, size = ctypes.c_void_p(), ctypes.c_size_t()
        with _Handle(self._library, _TRANSFORM) as handle:
            try:
                handle.call("tj3Transform", data, len(data), 1, ctypes.byref(out), ctypes.byref(size), ctypes.byref(wanted))
                result = ctypes.string_at(out, size.value)
            finally:
                self._library.tj3Free(out)
        if missing:
            raise TurboError("some blocks were not put in")  # never leave a block of the source where a new one was due
        return result


class _Handle:
    """A TurboJPEG instance that is destroyed at the end of the block and raises what goes wrong."""

    def __init__(self, library: ctypes.CDLL, kind: int) -> None:
        self._library, self._kind = library, kind

    def __enter__(self) -> "_Handle":
        self._handle = self._library.tj3Init(self._kind)
        if not self._handle:
            raise TurboError("out of memory")
        self._library.tj3Set(self._handle, _STOP_ON_WARNING, 1)
        self._library.tj3Set(self._handle, _SCAN_LIMIT, _SCANS)
        return self

    def __exit__(self, *_: object) -> None:
        self._library.tj3Destroy(self._handle)

    def call(self, function: str, *arguments: object) -> None:
        """Call a function that returns 0 if all went well."""
        if getattr(self._library, function)(self._handle, *arguments) != 0:
            raise TurboError(self._library.tj3GetErrorStr(self._handle).decode("ascii", "replace"))

    def get(self, parameter: int) -> int:
        """A parameter of the file whose header was read."""
        return int(self._library.tj3Get(self._handle, parameter))


@cache
def turbo() -> Turbo | None:
    """The library, loaded once; None where none of version 3 is installed."""
    for place in _places():
        try:
            return Turbo(ctypes.CDLL(str(place)))
        except (OSError, AttributeError):  # cannot be loaded here, or is older than version 3
            continue
    return None


def _places() -> Iterator[str | Path]:
    """Where the library may be: in the wheel, beside its module; then wherever the system has it, which takes longer to find out."""
    module = find_spec("turbojpeg")
    if module is not None and module.origin is not None:
        beside = Path(module.origin).parent
        for pattern in ("turbojpeg.libs/libturbojpeg*", ".dylibs/libturbojpeg*", "turbojpeg.dll"):  # as wheels of Linux, macOS and Windows have it
            yield from sorted(beside.glob(pattern))
    system = ctypes.util.find_library("turbojpeg")
    if system:
        yield system
