"""What a client of the service sends: a picture and lists of boxes, read into memory while the bytes are counted; none of it is put on a disk."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from annotated_types import Len
from pydantic import FiniteFloat, TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from dartblur.faces.boxes import Boxes, as_boxes

MAX_BOXES = 1000
"""In one list of boxes: each takes its time, and a request cannot be stopped once it is being worked on."""
FIELD_BYTES = 128 * 1024
"""Of one list of boxes as JSON."""
OVERHEAD = 2 * FIELD_BYTES + 64 * 1024
"""Bytes of a request beside its picture: the lists, and what multipart puts between the parts."""
BOXES = TypeAdapter(Annotated[list[Annotated[list[FiniteFloat], Len(4, 4)]], Len(0, MAX_BOXES)])


class Refusal(Exception):
    """What the service says instead of doing what was asked.

    Attributes:
        status: of HTTP.
        code: one word for programs, see docs/how-to/service.md.
        headers: of the answer.
    """

    def __init__(self, status: HTTPStatus, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers


@dataclass(frozen=True)
class Upload:
    """One request's content.

    Attributes:
        picture: the bytes of the file; its name is not kept.
        boxes: N x 4, known faces in pixels of the stored raster; keep: N x 4, regions to leave alone, in upright pixels. None: not given.
    """

    picture: bytes
    boxes: Boxes | None
    keep: Boxes | None


class Admission:
    """How many requests are in the house, and how many of their bytes; safe to use from several threads."""

    def __init__(self, requests: int, held: int) -> None:
        self._requests, self._held = requests, held
        self._inside, self._bytes = 0, 0
        self._lock = threading.Lock()

    @property
    def full(self) -> bool:
        """Whether the next request would be sent away."""
        return self._inside >= self._requests or self._bytes >= self._held

    def enter(self) -> "Ticket":
        """Let a request in.

        Raises:
            Refusal: 503, there are too many.
        """
        with self._lock:
            if self.full:
                raise _busy()
            self._inside += 1
        return Ticket(self)

    def hold(self, count: int) -> None:
        """Count bytes that came; Refusal (503) if the uploads of all requests together are too many."""
        with self._lock:
            if self._bytes + count > self._held:
                raise _busy()
            self._bytes += count

    def leave(self, count: int) -> None:
        """A request that held ``count`` bytes is gone."""
        with self._lock:
            self._inside -= 1
            self._bytes -= count


class Ticket:
    """One request's place in the house, until :meth:`release`."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._held, self._inside = 0, True

    def hold(self, count: int) -> None:
        """See :meth:`Admission.hold`."""
        self._admission.hold(count)
        self._held += count

    def release(self) -> None:
        """Give the place back; once is enough, twice does no harm."""
        if self._inside:
            self._inside = False
            self._admission.leave(self._held)


class _InMemory(MultiPartParser):
    """Starlette's parser, which puts whatever is larger than this many bytes into a temporary file; 0 is never."""

    spool_max_size = 0


async def read_upload(request: Request, limit: int, seconds: float, hold: Callable[[int], None]) -> Upload:
    """Read ``multipart/form-data`` with the fields file, boxes and keep.

    Args:
        limit: largest picture, bytes; a larger one is refused as soon as that is known.
        seconds: in which all of it must have come.
        hold: told of the bytes as they come.

    Raises:
        Refusal: it is something else, too large, too slow or cut off.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_multipart", "send multipart/form-data with the picture in the field file")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit + OVERHEAD:
        raise _too_large(limit)
    parser = _InMemory(request.headers, _counted(request, limit, hold), max_files=1, max_fields=2, max_part_size=FIELD_BYTES)
    try:
        async with asyncio.timeout(seconds):
            form = await parser.parse()
    except TimeoutError as error:
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "too_slow", f"the request did not arrive within {seconds:g} s; send it again") from error
    except MultiPartException as error:
        raise _malformed(f"the form cannot be read ({error.message.rstrip('.')}); send one field file, and boxes and keep if you like") from error
    except ClientDisconnect as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, "cut_off", "the request ended before it was whole; send it again") from error
    try:
        return await _content(form, limit)
    finally:
        await form.close()


async def _content(form: FormData, limit: int) -> Upload:
    # A misspelt `boxes`, or one of two, would leave faces in the clear that the client believes hidden.
    if set(form) - {"file", "boxes", "keep"} or len(form.multi_items()) > len(form):
        raise _malformed("a field is unknown or comes twice; there are file, boxes and keep, each once")
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise _malformed("there is no field file that holds a file; send the picture in it")
    picture = await file.read()
    if len(picture) > limit:
        raise _too_large(limit)
    return Upload(picture, _boxes(form.get("boxes"), "boxes"), _boxes(form.get("keep"), "keep"))


async def _counted(request: Request, limit: int, hold: Callable[[int], None]) -> AsyncGenerator[bytes, None]:
    """The body as it comes, whatever its header announced, up to the limit."""
    count = 0
    async for chunk in request.stream():
        count += len(chunk)
        if count > limit + OVERHEAD:
            raise _too_large(limit)
        hold(len(chunk))
        yield chunk


def _boxes(value: str | UploadFile | None, name: str) -> Boxes | None:
    """A list of boxes (N x 4) from JSON; None where there is none."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_boxes", f"{name}: is a file; send the JSON as a plain field")
    try:
        return as_boxes(BOXES.validate_json(value, strict=True))
    except ValidationError as error:
        message = f"{name}: {error.errors(include_input=False)[0]['msg']}; give at most {MAX_BOXES} boxes [[x1, y1, x2, y2], ...] in pixels"
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_boxes", message) from error


def _malformed(message: str) -> Refusal:
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "malformed", message)


def _too_large(limit: int) -> Refusal:
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"the picture is larger than the {limit:,} bytes that are taken; shrink it")


def _busy() -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "busy", "too many requests at once; send it again in a second", {"Retry-After": "1"})
