"""The service's contract: what comes back, what is refused and how, and that no request sees anything of another."""

import asyncio
import base64
import io
import json
import logging
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PILImage

from dartblur import __version__
from dartblur.anonymizer import contract
from dartblur.anonymizer.picture import NO_FACE, Outcome, anonymize_file
from dartblur.anonymizer.service import Bounds, Service
from dartblur.anonymizer.uploads import MAX_BOXES
from dartblur.errors import DartblurError
from dartblur.faces.boxes import as_boxes, mask_of
from dartblur.media.images import decode_image
from tests.anonymizer.clients import Broken, Held, RedFaces, get, picture, png, post, run, work_of

SMALL = Bounds(upload=200_000, pixels=40_000, requests=3, seconds=20)


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service(work_of(), workers=2, bounds=SMALL)
    yield made
    made.close()


def code_of(response: httpx.Response) -> tuple[int, str]:
    error = contract.ErrorShape.model_validate(response.json(), strict=True)
    assert error.message.count("\n") == 0
    return response.status_code, error.code


def test_a_picture_comes_back_in_its_format_with_its_face_hidden(service: Service) -> None:
    response = post(service, png(1))
    assert (response.status_code, response.headers["content-type"]) == (200, "image/png")
    assert (response.headers[contract.HIDDEN], response.headers[contract.KEPT]) == ("1", "0")
    assert response.headers["cache-control"] == "no-store"
    assert response.content == anonymize_file(png(1), "x", work_of()).data
    hidden, source = decode_image(response.content, "x"), picture(1)
    mask = mask_of(RedFaces().detect(source).boxes, 96, 96)
    assert not hidden[mask].any()
    assert np.array_equal(hidden[~mask], source[~mask])


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_other_formats_stay_what_they_are(service: Service, form: str) -> None:
    out = io.BytesIO()
    PILImage.fromarray(picture(2)).save(out, form)
    response = post(service, out.getvalue(), data={"boxes": "[[8, 8, 40, 40]]"})
    assert response.headers["content-type"] == f"image/{form.lower()}"
    assert PILImage.open(io.BytesIO(response.content)).format == form


def test_json_holds_the_picture_and_what_was_done(service: Service) -> None:
    response = post(service, png(1), data={"boxes": "[[0, 0, 5, 5]]", "keep": "[[0, 0, 10, 10]]"}, headers={"Accept": "application/json"})
    told = contract.PictureShape.model_validate_json(response.content, strict=True)
    assert response.headers["content-type"] == "application/json"
    assert (told.format, told.width, told.height, told.frames, told.hidden, told.method) == ("png", 96, 96, 1, 1, "block")
    assert [(face.origin, face.kept) for face in told.faces] == [("annotated", True), ("red", False)]
    assert base64.b64decode(told.image) == anonymize_file(png(1), "x", work_of(), as_boxes([0, 0, 5, 5]), as_boxes([0, 0, 10, 10])).data


def test_detect_gives_the_boxes(service: Service) -> None:
    response = post(service, png(3), "/v1/detect")
    told = contract.FacesShape.model_validate_json(response.content, strict=True)
    assert [list(face.box) for face in told.faces] == RedFaces().detect(picture(3)).boxes.tolist()
    assert post(service, png(3, face=False), "/v1/detect").json()["faces"] == []


def test_a_picture_without_a_face_is_withheld(service: Service) -> None:
    for accept in ("application/json", "image/png"):
        response = post(service, png(4, face=False), headers={"Accept": accept})
        assert code_of(response) == (422, "no_face")
        assert len(response.content) < 300
    bold = Service(replace(work_of(), write_empty=True))
    assert code_of(post(bold, png(4, face=False))) == (422, "no_face")
    bold.close()


@pytest.mark.parametrize(
    ("reason", "code", "message"),
    [
        (NO_FACE, "no_face", "no face was found; look at it, and give its faces in the field boxes"),
        (f"page 2 of 3: {NO_FACE}", "no_face", "page 2 of 3: no face was found; look at it, and give its faces in the field boxes"),
        ("1 faces are still to be seen in it, at [1, 2]; look", "still_visible", "1 faces are still to be seen in it, at [1, 2]; look at it,"),
    ],
)
def test_reasons_are_told_in_words_of_the_service(reason: str, code: str, message: str) -> None:
    refusal = contract.withheld(Outcome(None, reason, (), "png", 1, 1, 1))
    assert (refusal.status, refusal.code) == (422, code)
    assert str(refusal).startswith(message)


def test_a_face_that_still_shows_is_withheld() -> None:
    class Nothing:
        name = "nothing"

        def anonymize(self, image: Any, boxes: Any) -> Any:
            return image.copy()

    class TexturedFaces(RedFaces):
        """The same, with something in it that could be recognised."""

        def detect(self, image: Any) -> Any:
            boxes = np.array([[10.0, 10, 40, 40]])
            return replace(super().detect(image), boxes=boxes, scores=np.array([0.9]))

    careless = Service(replace(work_of(Nothing()), verifier=TexturedFaces()))
    response = post(careless, png(5, face=False), data={"boxes": "[[10, 10, 40, 40]]"})
    assert code_of(response) == (422, "still_visible")
    careless.close()


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


def test_too_many_boxes(service: Service) -> None:
    most = [[1, 1, 9, 9]] * MAX_BOXES
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


def test_32_clients_at_once_each_get_their_own() -> None:
    crowd = Service(work_of(), workers=4)
    sent = {seed: (png(seed, size=96 + seed), f"[[{seed}, 0, {seed + 9}, 9]]") for seed in range(32)}

    async def calls(client: httpx.AsyncClient) -> list[tuple[httpx.Response, httpx.Response]]:
        async def one(data: bytes, boxes: str) -> tuple[httpx.Response, httpx.Response]:
            file = {"file": ("a", data)}
            return await client.post("/v1/anonymize", files=file, data={"boxes": boxes}), await client.post("/v1/detect", files=file)

        return await asyncio.gather(*(one(*content) for content in sent.values()))

    answers = run(crowd, calls)
    for (seed, (data, boxes)), (picture_answer, faces_answer) in zip(sent.items(), answers, strict=True):
        assert picture_answer.content == anonymize_file(data, "x", work_of(), as_boxes(json.loads(boxes))).data
        found = RedFaces().detect(picture(seed, size=96 + seed)).boxes.tolist()
        assert [face["box"] for face in faces_answer.json()["faces"]] == found
    assert crowd.admission.enter() is not None  # everybody has left
    crowd.close()


def test_too_many_at_once_are_sent_away_and_told_when_to_come_again() -> None:
    held = Held()
    busy = Service(work_of(held), workers=1, bounds=SMALL)

    async def calls(client: httpx.AsyncClient) -> tuple[Any, ...]:
        inside = [asyncio.ensure_future(client.post("/v1/anonymize", files={"file": ("a", png(seed))})) for seed in range(SMALL.requests)]
        while not busy.admission.full:
            await asyncio.sleep(0.01)
        refused, state = await client.post("/v1/anonymize", files={"file": ("a", png(9))}), await client.get("/ready")
        held.go.set()
        done = await asyncio.gather(*inside)
        return refused, state, done, await client.get("/ready"), await client.post("/v1/anonymize", files={"file": ("a", png(9))})

    refused, state, done, later, again = run(busy, calls)
    assert code_of(refused) == (503, "busy")
    assert refused.headers["retry-after"] == "1"
    assert (state.status_code, state.json()) == (503, {"status": "busy"})
    assert [response.content for response in done] == [anonymize_file(png(seed), "x", work_of()).data for seed in range(SMALL.requests)]
    assert (later.status_code, later.json(), again.status_code) == (200, {"status": "ready"}, 200)
    busy.close()


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


def test_what_takes_too_long_is_given_up_but_keeps_its_place_until_it_is_done() -> None:
    held = Held()
    slow = Service(work_of(held), workers=1, bounds=replace(SMALL, requests=2, seconds=0.2))

    async def calls(client: httpx.AsyncClient) -> tuple[Any, ...]:
        first = asyncio.ensure_future(client.post("/v1/anonymize", files={"file": ("a", png(1))}))
        while not held.begun.acquire(blocking=False):
            await asyncio.sleep(0.01)
        waiting = await client.post("/v1/anonymize", files={"file": ("a", png(2))})  # never begun, so its place is free again
        answers = [await first, waiting]
        one_free = slow.admission.enter()
        full = slow.admission.full
        one_free.release()
        held.go.set()
        while slow.admission._inside:
            await asyncio.sleep(0.01)
        return (*answers, full)

    first, waiting, full = run(slow, calls)
    assert code_of(first) == code_of(waiting) == (504, "timeout")
    assert full  # the thread that nobody waits for any more
    slow.close()


def test_a_request_that_does_not_come_to_its_end(service: Service) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"--x\r\n"
        await asyncio.sleep(30)

    impatient = Service(work_of(), bounds=replace(SMALL, seconds=0.1))
    response = post(impatient, files=None, content=stalled(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert code_of(response) == (408, "too_slow")
    assert impatient.admission._inside == impatient.admission._bytes == 0
    impatient.close()


def test_a_closed_service_takes_nothing(service: Service) -> None:
    service.close()
    assert get(service, "/ready").json() == {"status": "closing"}
    assert get(service, "/health").json() == {"status": "ok"}
    assert code_of(post(service, png(1))) == (503, "busy")


def test_a_token_is_asked_for_before_anything_is_read() -> None:
    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("the body was asked for")
        yield b""

    guarded = Service(work_of(), token="correct-horse-battery")  # noqa: S106
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic correct-horse-battery"}, {"Authorization": b"Bearer \xff"}):
        response = post(guarded, files=None, content=unread(), headers={**headers, **wrong})
        assert code_of(response) == (401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"
    assert get(guarded, "/v1/model").status_code == 401
    assert get(guarded, "/health").status_code == get(guarded, "/ready").status_code == 200
    assert post(guarded, png(1), headers={"Authorization": "Bearer correct-horse-battery"}).status_code == 200
    guarded.close()


def test_the_journal_knows_sizes_and_nothing_else(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "dartblur.service"):
        post(service, png(1), "/v1/anonymize?who=ann")
        get(service, "/ann/photo.png")
    first, second = caplog.messages
    assert first.startswith("POST /v1/anonymize 200 in=")
    assert second.startswith("GET other 404 in=0 out=")
    assert "ann" not in caplog.text.replace("/v1/anonymize", "")


def test_a_fault_says_where_and_not_what(caplog: pytest.LogCaptureFixture) -> None:
    broken = Service(work_of(Broken()))
    with caplog.at_level(logging.INFO, "dartblur.service"):
        response = post(broken, png(1))
    assert code_of(response) == (500, "internal")
    assert caplog.messages[0].startswith("RuntimeError at clients.py:")
    assert "a part of the picture" not in caplog.text + response.text
    assert broken.admission._inside == 0
    broken.close()


def test_a_model_that_does_not_run_is_noticed_at_the_start(service: Service) -> None:
    class Refusing(Broken):
        def anonymize(self, image: Any, boxes: Any) -> Any:
            raise DartblurError("the U-Net's output is not finite; the model is broken, nothing was anonymised")

    service.check()
    broken = Service(work_of(Refusing()))
    with pytest.raises(DartblurError, match="not finite"):
        broken.check()
    assert code_of(post(broken, png(1))) == (422, "not_possible")
    broken.close()


def test_what_runs_is_told(service: Service) -> None:
    told = contract.ModelShape.model_validate(get(service, "/v1/model").json(), strict=True)
    assert (told.version, told.method, told.detectors, told.workers) == (__version__, "block", ["red"], 2)
    assert (told.max_bytes, told.max_pixels, told.max_requests) == (SMALL.upload, SMALL.pixels, SMALL.requests)


def test_openapi_describes_it_without_help_from_elsewhere(service: Service) -> None:
    response = get(service, "/openapi.json")
    assert "http" not in response.text.replace('"http"', "")  # "type": "http" of the token
    paths = response.json()["paths"]
    assert sorted(paths) == ["/health", "/ready", "/v1/anonymize", "/v1/detect", "/v1/model"]
    assert paths["/v1/anonymize"]["post"]["responses"].keys() == {"200", *map(str, contract.REFUSALS)}
    assert paths["/v1/anonymize"]["post"]["responses"]["200"]["content"].keys() == {"image/*", "application/json"}
    form = paths["/v1/anonymize"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"file", "boxes", "keep"}
    assert json.loads(form["properties"]["boxes"]["example"])
    shapes = response.json()["components"]["schemas"]
    assert all("examples" in value for value in shapes["ModelShape"]["properties"].values())
    for page in ("/docs", "/redoc"):  # they would load scripts from a CDN
        assert code_of(get(service, page)) == (404, "not_found")
