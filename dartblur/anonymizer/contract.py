"""What goes over the wire: the answers of the service, their shapes for OpenAPI, and the words for what it refuses."""

import base64
import json
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from dartblur.anonymizer.picture import NO_FACE, Outcome
from dartblur.anonymizer.records import Face
from dartblur.anonymizer.uploads import Refusal
from dartblur.media.codec import OpenPicture

JSON = "application/json"
HIDDEN, KEPT = "X-Dartblur-Hidden", "X-Dartblur-Kept"
_LOOK = "look at it, and give its faces in the field boxes"
_BOX = [118.2, 64.0, 171.9, 131.5]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class FaceShape(_Shape):
    """One face that was found or given."""

    frame: int = Field(description="of an animation or a document, from 0", examples=[0])
    box: tuple[float, float, float, float] = Field(description="x1 y1 x2 y2, pixels of the upright picture, as hidden", examples=[_BOX])
    score: float | None = Field(description="of the detector; null for a box that was given", examples=[0.93])
    origin: str = Field(alias="from", description="annotated, a detector's name, or neighbour: of a frame beside this one", examples=["yunet"])
    kept: bool = Field(description="left alone because it lies in a region of keep", examples=[False])


class FacesShape(_Shape):
    """The faces of a picture."""

    format: str = Field(description="of its content", examples=["jpeg"])
    width: int = Field(description="pixels, upright", examples=[640])
    height: int = Field(examples=[480])
    frames: int = Field(examples=[1])
    faces: list[FaceShape]


class PictureShape(FacesShape):
    """An anonymised picture and everything that is known about it."""

    hidden: int = Field(description="boxes that were hidden", examples=[1])
    method: str = Field(description="what hid them", examples=["dartblur small 0123456789ab"])
    media_type: str = Field(examples=["image/jpeg"])
    image: str = Field(description="the file, base64", examples=["/9j/4AAQSkZJRg=="])


class ModelShape(_Shape):
    """What this service runs, and its bounds."""

    version: str = Field(description="of dartblur", examples=["1.0.0"])
    method: str = Field(examples=["dartblur small 0123456789ab"])
    detectors: list[str] = Field(examples=[["yunet"]])
    verified: bool = Field(description="whether every written picture is looked at once more", examples=[False])
    workers: int = Field(description="pictures that are worked on at once", examples=[2])
    max_bytes: int = Field(examples=[32 * 2**20])
    max_pixels: int = Field(description="of all frames together", examples=[50_000_000])
    max_boxes: int = Field(examples=[1000])
    max_requests: int = Field(description="at once, waiting ones among them", examples=[64])
    seconds: float = Field(description="for a request to arrive, and again for it to be done", examples=[60.0])


class StateShape(_Shape):
    """Whether it lives, or takes requests."""

    status: str = Field(examples=["ok"])


class ErrorShape(_Shape):
    """Why there is no picture."""

    code: str = Field(description="for programs", examples=["no_face"])
    message: str = Field(description="for people, one sentence", examples=[f"no face was found; {_LOOK}"])


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorShape, "description": "unauthorized: the token is missing or wrong"},
    408: {"model": ErrorShape, "description": "too_slow: the request did not arrive in time"},
    413: {"model": ErrorShape, "description": "too_large: the file has too many bytes; said before they are read"},
    415: {"model": ErrorShape, "description": "not_multipart, or unsupported: not a picture of a format that is read"},
    422: {
        "model": ErrorShape,
        "description": "no_face, still_visible: withheld, look at it; malformed, too_many_pixels, bad_boxes, not_possible: as it says",
    },
    500: {"model": ErrorShape, "description": "internal: a fault of the service"},
    503: {"model": ErrorShape, "description": "busy: too many requests at once; Retry-After says when to come again"},
    504: {"model": ErrorShape, "description": "timeout: not done in time"},
}


def body_of(*lists: str) -> dict[str, Any]:
    """The request's body for OpenAPI: a file, and the named lists of boxes."""
    boxes = {"type": "string", "description": "JSON, [[x1, y1, x2, y2], ...] in pixels"}
    meaning = {"boxes": "faces that are known, in the stored raster; hidden beside those that are found", "keep": "regions to leave alone, upright"}
    fields: dict[str, Any] = {"file": {"type": "string", "format": "binary", "description": "a picture; its name is not read"}}
    fields |= {name: {**boxes, "description": f"{meaning[name]}: {boxes['description']}", "example": json.dumps([_BOX])} for name in lists}
    schema = {"type": "object", "required": ["file"], "properties": fields}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def refused(refusal: Refusal) -> JSONResponse:
    """A refusal as an answer."""
    return JSONResponse({"code": refusal.code, "message": str(refusal)}, refusal.status, refusal.headers)


def withheld(outcome: Outcome) -> Refusal:
    """Why a picture is not given back, in words for those who sent it."""
    page, found, _ = outcome.reason.partition(NO_FACE)
    if found:
        return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "no_face", f"{page}no face was found; {_LOOK}")
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "still_visible", f"{outcome.reason.partition(';')[0]}; {_LOOK}")


def anonymised(outcome: Outcome, data: bytes, method: str, as_json: bool) -> Response:
    """A finished picture: the file, or JSON with the file in it."""
    hidden = sum(not face.kept for face in outcome.faces)
    media_type = f"image/{outcome.kind}"
    if not as_json:
        return Response(data, headers={HIDDEN: str(hidden), KEPT: str(len(outcome.faces) - hidden)}, media_type=media_type)
    image = base64.b64encode(data).decode("ascii")
    about = _about(outcome.kind, outcome.width, outcome.height, outcome.frames, outcome.faces)
    return JSONResponse({**about, "hidden": hidden, "method": method, "media_type": media_type, "image": image})


def found(picture: OpenPicture, faces: tuple[Face, ...]) -> Response:
    """The faces of a picture."""
    return JSONResponse(_about(picture.format, picture.width, picture.height, picture.frames, faces))


def _about(kind: str, width: int, height: int, frames: int, faces: tuple[Face, ...]) -> dict[str, Any]:
    return {"format": kind, "width": width, "height": height, "frames": frames, "faces": [face.as_dict() for face in faces]}
