"""The anonymiser over HTTP: pictures in, pictures out, nothing kept. A model is loaded once; every answer is made from its own request alone.

    >>> service = Service(make_work(Settings()), workers=2)
    >>> app = make_app(service)  # ASGI, for any server; `dartblur serve` is one
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from hmac import compare_digest
from http import HTTPStatus
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from dartblur import __version__
from dartblur.anonymizer import contract
from dartblur.anonymizer.journal import Journal
from dartblur.anonymizer.picture import Work, anonymize_file
from dartblur.anonymizer.uploads import MAX_BOXES, Admission, Refusal, Upload, read_upload
from dartblur.blur.base import Anonymizer, bounds_to_hide
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, area, as_boxes, clip
from dartblur.media.codec import Limits, is_picture, open_picture
from dartblur.media.images import Image, encode_image

NAME = "the picture"
"""What an error calls a picture; what its owner calls it is nobody's business."""
MAX_FRAMES = 1000
MAX_COVER = 3
"""How many times the boxes of a picture may cover it, all together."""


@dataclass(frozen=True)
class Bounds:
    """What is too much.

    Attributes:
        upload: bytes of a picture's file.
        pixels: of a picture, those of all frames of an animation together.
        requests: that are taken at once, those that wait for a worker among them.
        held: bytes of all uploads that are in memory at once.
        seconds: for a request to arrive, and again for it to be done.
    """

    upload: int = 32 * 2**20
    pixels: int = 50_000_000
    requests: int = 64
    held: int = 512 * 2**20
    seconds: float = 60.0


class _TooManyPixels(DartblurError):
    pass


class _TooMuch(DartblurError):
    pass


class _PixelLimits(Limits):
    """Limits whose breach can be told from damage."""

    def check(self, name: str, width: int, height: int, frames: int = 1) -> None:
        """See :meth:`Limits.check`."""
        try:
            super().check(name, width, height, frames)
        except DartblurError as error:
            if width < 1 or height < 1:
                raise
            raise _TooManyPixels(str(error)) from error


class _Bounded:
    """An anonymiser that refuses boxes which cover the picture over and over: their work is not bounded by the picture's size."""

    def __init__(self, inner: Anonymizer) -> None:
        self.name, self._inner = inner.name, inner

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        """See :class:`dartblur.blur.base.Anonymizer`."""
        height, width = image.shape[:2]
        covered = float(area(clip(boxes, width, height)).sum()) / (height * width)
        if covered > MAX_COVER:
            raise _TooMuch(f"the boxes cover the picture {covered:.1f} times, at most {MAX_COVER} are taken; give each face once")
        return self._inner.anonymize(image, boxes)


class Service:
    """What answers requests: the loaded model, a thread for each picture that is worked on at once, and the bounds.

    Pictures without a face are withheld, whatever ``work`` says.
    """

    def __init__(self, work: Work, workers: int = 1, bounds: Bounds = Bounds(), token: str = "") -> None:
        """Args: token: what clients must send as ``Authorization: Bearer``; empty: nothing."""
        method = replace(work.method, anonymizer=_Bounded(work.method.anonymizer))
        self.work = replace(work, method=method, write_empty=False, limits=_PixelLimits(bounds.pixels, MAX_FRAMES, bounds.pixels))
        self.workers, self.bounds = workers, bounds
        self.admission = Admission(bounds.requests, bounds.held)
        self.closed = False
        self._token = token.encode()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="picture")

    def check(self) -> None:
        """Hide a box of a grey picture, so that a model that does not run is noticed before a client comes.

        Raises:
            DartblurError: it does not.
        """
        grey = encode_image(np.full((64, 64, 3), 127, np.uint8), ".png")
        anonymize_file(grey, NAME, replace(self.work, verifier=None), as_boxes([16, 16, 48, 48]))

    def close(self) -> None:
        """Take no more; what waits is dropped, what runs comes to its end."""
        self.closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def admits(self, token: str | None) -> bool:
        """Whether a client with this token is served; the answer takes as long for a nearly right token as for any other."""
        return not self._token or (token is not None and compare_digest(token.encode(), self._token))

    async def answer(self, request: Request, work: Callable[[Upload], Response]) -> Response:
        """Read a request, do ``work`` on it in a thread, and answer.

        Raises:
            Refusal: it is refused, or took too long.
        """
        if self.closed:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "busy", "the service is ending; send it to another, or again later", {"Retry-After": "5"})
        ticket = self.admission.enter()
        try:
            upload = await read_upload(request, self.bounds.upload, self.bounds.seconds, ticket.hold)
            future = self._pool.submit(work, upload)
        except BaseException:
            ticket.release()
            raise
        # Not before the thread is done: one that nobody waits for any more still takes its memory and its core.
        future.add_done_callback(lambda _: ticket.release())
        try:
            async with asyncio.timeout(self.bounds.seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise Refusal(HTTPStatus.GATEWAY_TIMEOUT, "timeout", f"not done within {self.bounds.seconds:g} s; send a smaller picture") from error

    def anonymize(self, upload: Upload, as_json: bool = False) -> Response:
        """The anonymised picture as a file, or in JSON with everything that is known about it.

        Raises:
            Refusal: it is withheld, or cannot be done.
        """
        _must_be_picture(upload)
        try:
            outcome = anonymize_file(upload.picture, NAME, self.work, upload.boxes, upload.keep)
        except DartblurError as error:
            raise self._refusal(error, upload) from error
        if outcome.data is None:
            raise contract.withheld(outcome)
        return contract.anonymised(outcome, outcome.data, self.work.method.label, as_json)

    def detect(self, upload: Upload) -> Response:
        """The faces as they would be hidden.

        Raises:
            Refusal: it cannot be done.
        """
        _must_be_picture(upload)
        try:
            picture = open_picture(upload.picture, NAME, limits=self.work.limits)
            faces = [self.work.search.faces(picture.frame(index), frame=index) for index in range(picture.frames)]
        except DartblurError as error:
            raise self._refusal(error, upload) from error
        return contract.found(picture, tuple(face for one in faces for face in one))

    def _refusal(self, error: DartblurError, upload: Upload) -> Refusal:
        """Whose fault an error is: of the size, the file, the boxes, or of what can be done at all."""
        if isinstance(error, _TooManyPixels) or isinstance(error.__cause__, _TooManyPixels):
            return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "too_many_pixels", str(error))
        if isinstance(error.__cause__, _TooMuch):
            return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_boxes", str(error))
        try:
            picture = open_picture(upload.picture, NAME, limits=self.work.limits)
        except DartblurError:
            return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "malformed", str(error))
        try:
            bounds_to_hide(picture.upright(as_boxes([] if upload.boxes is None else upload.boxes)), picture.width, picture.height)
        except DartblurError:
            return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_boxes", str(error))
        return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "not_possible", str(error))

    def about(self) -> contract.ModelShape:
        """What runs here."""
        return contract.ModelShape(
            version=__version__,
            method=self.work.method.label,
            detectors=[detector.name for detector in self.work.search.detectors],
            verified=self.work.verifier is not None,
            workers=self.workers,
            max_bytes=self.bounds.upload,
            max_pixels=self.bounds.pixels,
            max_boxes=MAX_BOXES,
            max_requests=self.bounds.requests,
            seconds=self.bounds.seconds,
        )


def _must_be_picture(upload: Upload) -> None:
    if not upload.picture:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "malformed", "the picture's file is empty; send the whole file")
    if not is_picture(upload.picture):
        message = "not a picture of a format that is read; send JPEG, PNG, WebP, AVIF, HEIF, TIFF, BMP or GIF"
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported", message)


def make_app(service: Service) -> FastAPI:
    """The service as an ASGI application. The pages that show OpenAPI are off, since they load scripts from elsewhere; /openapi.json is there."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="dartblur",
        version=__version__,
        summary="Hides the faces of pictures. Nothing that is sent is kept.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.include_router(_states(service))
    app.include_router(_pictures(service))
    app.add_middleware(Journal)

    @app.exception_handler(Refusal)
    async def refuse(_: Request, refusal: Refusal) -> Response:
        return contract.refused(refusal)

    @app.exception_handler(HTTPException)
    async def other(_: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        return JSONResponse({"code": status.name.lower(), "message": f"{status.phrase}; see /openapi.json"}, status, error.headers)

    return app


def _states(service: Service) -> APIRouter:
    """Whether it lives and takes requests; for everybody."""
    router = APIRouter(tags=["state"])

    @router.get("/health", response_model=contract.StateShape)
    async def health() -> Response:
        """Whether the process lives."""
        return JSONResponse({"status": "ok"})

    @router.get("/ready", response_model=contract.StateShape, responses={503: {"model": contract.StateShape, "description": "busy or closing"}})
    async def ready() -> Response:
        """Whether a request would be taken now."""
        status = "closing" if service.closed else "busy" if service.admission.full else "ready"
        return JSONResponse({"status": status}, 200 if status == "ready" else 503)

    return router


def _pictures(service: Service) -> APIRouter:
    """What takes a token, if one is set."""
    bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]

    async def known(credentials: bearer) -> None:
        if not service.admits(None if credentials is None else credentials.credentials):
            message = "the token is missing or wrong; send Authorization: Bearer <token>"
            raise Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", message, {"WWW-Authenticate": "Bearer"})

    router = APIRouter(prefix="/v1", tags=["pictures"], dependencies=[Depends(known)])
    file = {"image/*": {"schema": {"type": "string", "format": "binary"}}}
    done = {"description": "the picture in its own format; or JSON, where Accept asks for it", "model": contract.PictureShape, "content": file}

    @router.post("/anonymize", responses={200: done, **contract.REFUSALS}, openapi_extra=contract.body_of("boxes", "keep"), response_class=Response)
    async def anonymize(request: Request) -> Response:
        """Hide the faces of a picture. One in which no face is found is withheld, 422: a face may have been missed."""
        as_json = contract.JSON in request.headers.get("accept", "").lower()
        return await service.answer(request, lambda upload: service.anonymize(upload, as_json))

    @router.post("/detect", response_model=contract.FacesShape, responses=contract.REFUSALS, openapi_extra=contract.body_of())
    async def detect(request: Request) -> Response:
        """Find the faces of a picture, as they would be hidden."""
        return await service.answer(request, service.detect)

    @router.get("/model", responses={401: contract.REFUSALS[401]})
    async def model() -> contract.ModelShape:
        """What runs here, and its bounds."""
        return service.about()

    return router
