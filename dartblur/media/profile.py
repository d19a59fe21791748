"""ICC colour profiles: what says how colours look is kept; serial numbers, measurements, private blocks and what is no profile are not."""

import struct

_HEADER, _TABLE, _ENTRY = 128, 132, 12
LONGEST = 1 << 24
"""Bytes of a profile, at most."""
_MOST_TAGS = 100
_COLOURS = {
    *(b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"wtpt", b"bkpt", b"lumi", b"chad", b"chrm", b"cicp", b"gamt"),
    *(b"A2B0", b"A2B1", b"A2B2", b"A2B3", b"B2A0", b"B2A1", b"B2A2", b"B2A3", b"D2B0", b"D2B1", b"D2B2", b"D2B3", b"B2D0", b"B2D1", b"B2D2", b"B2D3"),
}
_WORDS = {b"desc", b"cprt", b"dmnd", b"dmdd", b"vued", b"view", b"meas", b"tech"}
"""Name, copyright, kind of device, viewing conditions: every copy of a standard profile has the same."""
_DEVICE = slice(48, 56)
"""Of the header: maker and model of the device."""


def safe_profile(profile: bytes) -> bytes:
    """A profile with nothing but the tags that say how colours look; one that has no others, as all standard ones, stays as it is.

    Returns:
        Empty if this is no sound profile.
    """
    entries = _entries(profile)
    if not entries:
        return b""
    size = int.from_bytes(profile[:4], "big")
    kept = [entry for entry in entries if entry[0] in _COLOURS | _WORDS]
    if kept == entries and not _gaps(profile[:size], entries):
        return profile[:size]
    table, values, places = b"", b"", dict[tuple[int, int], int]()
    for kind, offset, length in kept:
        if (offset, length) not in places:
            places[offset, length] = _TABLE + _ENTRY * len(kept) + len(values)
            values += profile[offset : offset + length] + b"\0" * (-length % 4)
        table += kind + struct.pack(">II", places[offset, length], length)
    header = bytearray(profile[:_HEADER])
    header[_DEVICE] = bytes(8)
    header[80:_HEADER] = bytes(_HEADER - 80)  # its maker and its fingerprint, which would be another one now
    body = bytes(header) + struct.pack(">I", len(kept)) + table + values
    return struct.pack(">I", len(body)) + body[4:]


def _entries(profile: bytes) -> list[tuple[bytes, int, int]]:
    """Kind, offset and length of each tag; none if this is no sound profile."""
    size = int.from_bytes(profile[:4], "big")
    if not _TABLE <= size <= min(len(profile), LONGEST) or profile[36:40] != b"acsp":
        return []
    count = int.from_bytes(profile[_HEADER:_TABLE], "big")
    if count > _MOST_TAGS or _TABLE + count * _ENTRY > size:
        return []
    entries = [struct.unpack_from(">4sII", profile, _TABLE + _ENTRY * number) for number in range(count)]
    sound = all(_TABLE + count * _ENTRY <= offset and offset + length <= size for _, offset, length in entries)
    return entries if sound else []


def _gaps(profile: bytes, entries: list[tuple[bytes, int, int]]) -> bool:
    """Whether something other than a few zeros stands between or behind the values of the tags."""
    rest = bytearray(profile[_TABLE + _ENTRY * len(entries) :])
    start = _TABLE + _ENTRY * len(entries)
    for _, offset, length in entries:
        rest[offset - start : offset - start + length] = bytes(length)
    return any(rest)
