"""The quality that a lossy WebP was written with, read from its quantiser; after RFC 6386 (the key frame's header) and libwebp's scale."""

_KEY_FRAME = b"\x9d\x01\x2a"


class _Bits:
    """The arithmetic decoder of VP8, for bits of even chances."""

    def __init__(self, data: bytes) -> None:
        self._data, self._position = data, 2
        self._value, self._range, self._count = int.from_bytes(data[:2].ljust(2, b"\0"), "big"), 255, 0

    def bit(self) -> int:
        """The next bit."""
        split = 1 + ((self._range - 1) * 128 >> 8)
        result = int(self._value >= split << 8)
        if result:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._value, self._range, self._count = self._value << 1, self._range << 1, self._count + 1
            if self._count == 8:
                self._value |= self._data[self._position] if self._position < len(self._data) else 0
                self._position, self._count = self._position + 1, 0
        return result

    def number(self, bits: int) -> int:
        """The next ``bits`` bits, the highest first."""
        value = 0
        for _ in range(bits):
            value = value << 1 | self.bit()
        return value

    def signed(self, bits: int) -> int:
        """A number of ``bits`` bits and its sign, or 0 where a flag says that there is none."""
        if not self.bit():
            return 0
        value = self.number(bits)
        return -value if self.bit() else value


def quality_of(data: bytes) -> float:
    """The quality, 0 to 100, of libwebp that gives the finest quantiser in a VP8 key frame; 100 where there is no such header."""
    if data[3:6] != _KEY_FRAME:
        return 100.0
    bits = _Bits(data[10:])
    bits.number(2)  # colour space, clamping
    absolute, segments = False, []
    if bits.bit():
        maps, values = bits.bit(), bits.bit()
        if values:
            absolute = bool(bits.bit())
            segments = [bits.signed(7) for _ in range(4)]
            for _ in range(4):
                bits.signed(6)
        if maps:
            for _ in range(3):
                if bits.bit():
                    bits.number(8)
    bits.number(1 + 6 + 3)  # loop filter
    if bits.bit() and bits.bit():
        for _ in range(8):
            bits.signed(6)
    bits.number(2)  # partitions
    base = bits.number(7)
    finest = min((segment if absolute else base + segment for segment in segments), default=base)
    compression = 1 - min(max(finest, 0), 127) / 127
    linear = compression**3
    return 100 * (linear * 1.5 if linear < 0.5 else (linear + 1) / 2)
