"""Colour profiles: what is kept of them."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageCms

from dartblur.media.profile import safe_profile
from tests.media.makepictures import PROFILE, SECRET, profile_of

WHITE = b"XYZ \0\0\0\0" + bytes(12)
NAME = b"text\0\0\0\0Display P3\0"


def tags_of(profile: bytes) -> dict[bytes, bytes]:
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * number) for number in range(int.from_bytes(profile[128:132], "big"))]
    return {kind: profile[start : start + length] for kind, start, length in entries}


def test_a_standard_profile_stays_as_it_is() -> None:
    assert safe_profile(PROFILE) == PROFILE
    assert safe_profile(PROFILE + SECRET) == PROFILE


def test_tags_of_a_device_are_dropped_and_colours_are_the_same() -> None:
    colours = tags_of(PROFILE)
    safe = safe_profile(profile_of({b"mmod": SECRET, **colours, b"meta": SECRET + b"serial", b"aabb": SECRET}))
    assert tags_of(safe) == colours
    assert SECRET not in safe
    assert int.from_bytes(safe[:4], "big") == len(safe)
    assert (safe[48:56], safe[80:128]) == (bytes(8), bytes(48))
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(safe))) == ImageCms.getProfileDescription(
        ImageCms.ImageCmsProfile(io.BytesIO(PROFILE))
    )


def test_what_lies_between_tags_is_dropped() -> None:
    safe = safe_profile(profile_of({b"wtpt": WHITE, b"desc": NAME}, gap=SECRET))
    assert SECRET not in safe
    assert tags_of(safe) == {b"wtpt": WHITE, b"desc": NAME}


def test_values_that_tags_share_are_kept_once() -> None:
    whole = profile_of({b"rTRC": WHITE, b"mmod": SECRET, b"gTRC": WHITE})
    at = 132 + 24 + 4
    shared = whole[:at] + whole[132 + 4 : 132 + 8] + whole[at + 4 :]
    safe = safe_profile(shared)
    assert tags_of(safe) == {b"rTRC": WHITE, b"gTRC": WHITE}
    assert safe.count(WHITE) == 1


@pytest.mark.parametrize(
    "profile", [b"", b"profile", SECRET * 20, PROFILE[:-1], PROFILE[:36] + b"none" + PROFILE[40:], PROFILE[:128] + b"\xff" * 400]
)
def test_what_is_no_profile_is_dropped(profile: bytes) -> None:
    assert safe_profile(profile) == b""


@given(st.binary(max_size=60), st.integers(0, 400))
def test_any_damage_gives_a_profile_or_nothing(damage: bytes, start: int) -> None:
    safe = safe_profile(PROFILE[:start] + damage + PROFILE[start + len(damage) :])
    assert safe == b"" or safe_profile(safe) == safe
