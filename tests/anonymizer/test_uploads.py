"""Requests as they come in: what is read of them and what is not, however large, slow, broken or malicious they are."""

import asyncio
import io
import json
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PILImage

from dartblur.anonymizer.service import Service
from dartblur.anonymizer.uploads import MAX_BOXES
from tests.anonymizer.clients import SMALL, Held, code_of, picture, png, post, run, service, work_of

__all__ = ["service"]


@pytest.mark.parametrize("field", ["boxes", "keep"])
@pytest.mark.parametrize(
    "value",
    ["[[1, 2, 3]]", "[1, 2, 3, 4]", "[[1, 2, 3, 4], [1, 2, 3, NaN]]", '[["1", 2, 3, 4]]', "{}", "no", "[" * 100_000, "[[1,2,3,1e999]]"],
)
def test_boxes_that_are_none(service: Service, field: str, value: str) -> None:
    response = post(service, png(1), data={field: value})
    assert code_of(response) == (422, "bad_boxes")
    assert response.json()["message"].startswith(f"{field}: ")


@pytest.mark.parametrize("value", ["[[200, 200, 220, 220]]", "[[50, 50, 20, 20]]"])
def test_boxes_that_mark_nothing_in_the_picture(service: Service, value: str) -> None:
    assert code_of(post(service, png(1), data={"boxes": value})) == (422, "bad_boxes")


def test_boxes_that_cover_the_picture_over_and_over(service: Service) -> None:
    """A minute of work for each costs a client nothing."""
    whole = [[0, 0, 96, 96]]
    assert post(service, png(1), data={"boxes": json.dumps(whole * 2)}).status_code == 200
    assert code_of(post(service, png(1), data={"boxes": json.dumps(whole * 4)})) == (422, "bad_boxes")
    assert code_of(post(service, png(1), data={"boxes": json.dumps([[-1e6, -1e6, 1e6, 1e6]] * 4)})) == (422, "bad_boxes")


def test_too_many_boxes(service: Service) -> None:
    most = [[1, 1, 5, 5]] * MAX_BOXES
    assert post(service, png(1), data={"boxes": json.dumps(most)}).status_code == 200
    assert code_of(post(service, png(1), data={"boxes": json.dumps([*most, most[0]])})) == (422, "bad_boxes")


FILE = ("file", ("a", png(1)))


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"files": [("file", ("a", b""))]}, 422, "malformed"),
        ({"files": [("file", ("a", png(1)[:-200]))]}, 422, "malformed"),
        ({"files": [("picture", ("a", png(1)))]}, 422, "malformed"),
        ({"files": [FILE, FILE]}, 422, "malformed"),
        ({"files": [FILE], "data": {"box": "[[1, 1, 9, 9]]"}}, 422, "malformed"),
        ({"files": [FILE, ("boxes", (None, "[]")), ("boxes", (None, "[]"))]}, 422, "malformed"),
        ({"files": [("file", (None, b"text"))]}, 422, "malformed"),
        ({"files": [FILE], "data": {"boxes": " " * 200_000}}, 422, "malformed"),
        ({"files": [("file", ("a.jpg", b"no picture at all"))]}, 415, "unsupported"),
        ({"files": None, "data": {"boxes": "[]"}}, 415, "not_multipart"),
        ({"files": None, "content": png(1), "headers": {"Content-Type": "image/png"}}, 415, "not_multipart"),
        ({"files": None, "content": png(1), "headers": {"Content-Type": "multipart/form-data"}}, 422, "malformed"),
        ({"files": None, "content": png(1), "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 422, "malformed"),
        ({"files": None, "content": b"--x\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 422, "malformed"),
    ],
)
def test_requests_that_are_none(service: Service, options: dict[str, Any], status: int, code: str) -> None:
    for path in ("/v1/anonymize", "/v1/detect"):
        assert code_of(post(service, path=path, **options)) == (status, code)
    assert not service.admission.full
    assert post(service, png(1)).status_code == 200


def form_of(data: bytes) -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + data + b"\r\n--x--\r\n"


@given(st.binary(max_size=300), st.integers(0, 400), st.booleans())
@settings(max_examples=60)
def test_any_bytes_are_refused_in_a_sentence_or_anonymised(data: bytes, at: int, whole: bool) -> None:
    """Random bytes as a request, and random bytes somewhere in a sound one."""
    robust = Service(work_of(), bounds=SMALL)
    sound = form_of(png(1, size=32))
    body = data if whole else sound[:at] + data + sound[at + len(data) :]
    response = post(robust, files=None, content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    if response.status_code != 200:
        assert code_of(response)[0] in {415, 422}
    assert robust.admission._inside == robust.admission._bytes == 0
    robust.close()


def test_too_many_pixels(service: Service) -> None:
    assert code_of(post(service, png(1, size=201))) == (422, "too_many_pixels")
    assert code_of(post(service, png(1, size=201), "/v1/detect")) == (422, "too_many_pixels")
    frames = [PILImage.fromarray(picture(seed)) for seed in range(5)]  # each is small enough
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    assert code_of(post(service, out.getvalue())) == (422, "too_many_pixels")


def test_a_large_file_is_refused_from_its_header_alone(service: Service) -> None:
    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("the body was asked for")
        yield b""

    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": "5000000"}
    assert code_of(post(service, files=None, content=unread(), headers=headers)) == (413, "too_large")


def test_a_large_file_is_refused_while_it_comes(service: Service) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while True:
            sent += 10_000
            yield bytes(10_000)

    response = post(service, files=None, content=endless(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert code_of(response) == (413, "too_large")
    assert sent < 1_000_000
    assert code_of(post(service, bytes(SMALL.upload + 1))) == (413, "too_large")  # within what the rest of a request may be
    assert code_of(post(service, bytes(SMALL.upload))) == (415, "unsupported")


def test_nothing_of_an_upload_is_put_on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def rollover(*_: Any) -> None:
        raise AssertionError("a clear picture was about to be written to a temporary file")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rollover)
    large = Service(work_of())
    data = png(1, size=1200)
    assert len(data) > 3 * 2**20  # Starlette keeps the first of them in memory
    assert post(large, data).status_code == 200
    large.close()


def test_uploads_together_are_bounded() -> None:
    held = Held()
    busy = Service(work_of(held), workers=1, bounds=replace(SMALL, held=50_000))

    async def calls(client: httpx.AsyncClient) -> tuple[httpx.Response, httpx.Response]:
        first = asyncio.ensure_future(client.post("/v1/anonymize", files={"file": ("a", png(1))}))  # about 27 kB
        while not held.begun.acquire(blocking=False):
            await asyncio.sleep(0.01)
        second = await client.post("/v1/anonymize", files={"file": ("a", png(2))})
        held.go.set()
        return await first, second

    first, second = run(busy, calls)
    assert (first.status_code, code_of(second)) == (200, (503, "busy"))
    assert post(busy, png(2)).status_code == 200
    busy.close()


def test_a_request_that_does_not_come_to_its_end(service: Service) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"--x\r\n"
        await asyncio.sleep(30)

    impatient = Service(work_of(), bounds=replace(SMALL, seconds=0.1))
    response = post(impatient, files=None, content=stalled(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert code_of(response) == (408, "too_slow")
    assert impatient.admission._inside == impatient.admission._bytes == 0
    impatient.close()
