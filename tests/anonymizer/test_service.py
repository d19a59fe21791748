"""The service's contract: what comes back, what is refused and how, and that no request sees anything of another."""

import asyncio
import base64
import io
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image as PILImage

from dartblur import __version__
from dartblur.anonymizer import contract
from dartblur.anonymizer.picture import NO_FACE, Outcome, anonymize_file
from dartblur.anonymizer.service import Service
from dartblur.errors import DartblurError
from dartblur.faces.boxes import as_boxes, mask_of
from dartblur.media.images import decode_image
from tests.anonymizer.clients import SMALL, Broken, Held, RedFaces, code_of, get, picture, png, post, run, service, work_of

__all__ = ["service"]


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
