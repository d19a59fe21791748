"""For tests of the service: pictures with a face that a simple detector finds, and a client that calls the application without a network."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from dartblur.anonymizer import contract
from dartblur.anonymizer.methods import Method
from dartblur.anonymizer.picture import Work
from dartblur.anonymizer.search import Search
from dartblur.anonymizer.service import Bounds, Service, make_app
from dartblur.blur.block import Block
from dartblur.detector.detections import Detections
from dartblur.faces.boxes import Boxes
from dartblur.media.images import Image, encode_image

RED = (255, 0, 0)
FACE = 20
"""Side of the red square that stands for a face, pixels."""


class RedFaces:
    """Finds the red square of a picture."""

    name, score = "red", 0.5

    def detect(self, image: Image) -> Detections:
        rows, columns = np.nonzero((image == RED).all(axis=2))
        boxes = [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]] if len(rows) else []
        return Detections.of(boxes, [0.9] * len(boxes), image)


class Held:
    """An anonymiser that waits for :attr:`go` and says in :attr:`begun` that it does."""

    name = "held"

    def __init__(self) -> None:
        self.begun, self.go = threading.Semaphore(0), threading.Event()

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        self.begun.release()
        assert self.go.wait(30)
        return Block().anonymize(image, boxes)


class Broken:
    """An anonymiser that fails in a way that nobody thought of."""

    name = "broken"

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        raise RuntimeError("a part of the picture")


def work_of(method: Any = None) -> Work:
    return Work(Search([RedFaces()], margin=0.0), Method(method or Block(), "block"))


def picture(seed: int, face: bool = True, size: int = 96) -> Image:
    """Noise without red, and a red square whose place depends on ``seed``."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 250, (size, size, 3), dtype=np.uint8)
    if face:
        x, y = rng.integers(0, size - FACE, 2)
        image[y : y + FACE, x : x + FACE] = RED
    return image


def png(seed: int, face: bool = True, size: int = 96) -> bytes:
    return encode_image(picture(seed, face, size), ".png")


SMALL = Bounds(upload=200_000, pixels=40_000, requests=3, seconds=20)


@pytest.fixture
def service() -> Iterator[Service]:
    """One with narrow bounds, for a test module to import."""
    made = Service(work_of(), workers=2, bounds=SMALL)
    yield made
    made.close()


def code_of(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal, whose message is one line."""
    error = contract.ErrorShape.model_validate(response.json(), strict=True)
    assert error.message.count("\n") == 0
    return response.status_code, error.code


Calls = Callable[[httpx.AsyncClient], Awaitable[Any]]


def run(service: Service, calls: Calls) -> Any:
    """What ``calls`` makes of a client of the service."""

    async def inside() -> Any:
        transport = httpx.ASGITransport(app=make_app(service))
        async with asyncio.timeout(60), httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await calls(client)

    return asyncio.run(inside())


def post(service: Service, file: bytes = b"", path: str = "/v1/anonymize", **options: Any) -> httpx.Response:
    """One request with a ``file`` and whatever else httpx is told."""
    options = {"files": {"file": ("ann.png", file)}, **options}

    async def call(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(path, **options)

    response: httpx.Response = run(service, call)
    return response


def get(service: Service, path: str, **options: Any) -> httpx.Response:
    async def call(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(path, **options)

    response: httpx.Response = run(service, call)
    return response
