"""The commands of the anonymiser, for :mod:`dartblur.cli`: thin, everything heavy is imported inside."""

from pathlib import Path
from typing import Annotated, Literal

import typer

_BOXES = "a CSV, or a data set in WIDER, COCO, VOC or YOLO layout"

Source = Annotated[str, typer.Argument(metavar="IN", help="a picture, a video, a folder, a pattern in quotes, or s3://<bucket>/<prefix>")]
Detector = Annotated[list[str] | None, typer.Option(help="yunet, centerface, mtcnn or none, may repeat (default: yunet; none beside annotations)")]
Score = Annotated[float | None, typer.Option(help="smallest score of a detection, 0 to 1")]
MinSize = Annotated[float, typer.Option(help="smallest side of a detected face, pixels")]
Workers = Annotated[int, typer.Option(help="files at a time (default: one a core)", min=0)]


def anonymize(
    source: Source,
    target: Annotated[str, typer.Argument(metavar="OUT", help="a folder, a file for a single picture, or s3://<bucket>/<prefix>")],
    method: Annotated[str, typer.Option(help="dartblur (learned), gaussian, pixelate, block or swap")] = "dartblur",
    model: Annotated[str, typer.Option(help="of dartblur: small (in the package), a .onnx or .safetensors file, a version or champion")] = "small",
    strength: Annotated[float | None, typer.Option(help="of gaussian and pixelate, relative to the face; 1 is the usual one")] = None,
    annotations: Annotated[Path | None, typer.Option(help=f"your own boxes: {_BOXES}")] = None,
    detector: Detector = None,
    score: Score = None,
    min_size: MinSize = 0.0,
    margin: Annotated[float | None, typer.Option(help="share of a face that its box grows by (default: 0.2 if detected, 0 if annotated)")] = None,
    keep: Annotated[str | None, typer.Option(help="faces to leave alone: x1,y1,x2,y2, or a CSV with image,x1,y1,x2,y2")] = None,
    shape: Annotated[Literal["box", "ellipse"], typer.Option(help="what is hidden of a box")] = "box",
    feather: Annotated[float, typer.Option(help="soft rim outside it, a share of the face, 0 to 0.5")] = 0.0,
    on_empty: Annotated[Literal["withhold", "write", "fail"], typer.Option(help="what happens to a picture without a face")] = "withhold",
    verify: Annotated[bool, typer.Option("--verify", help="look at what was written with another detector; withhold it if a face shows")] = False,
    keep_metadata: Annotated[bool, typer.Option("--keep-metadata", help="keep time and exposure; never places, serials, thumbnails")] = False,
    audio: Annotated[bool, typer.Option(help="keep a video's sound")] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace what is in the target")] = False,
    boxes: Annotated[Path | None, typer.Option(help="also write the boxes: .csv, .json (COCO) or .txt (WIDER)")] = None,
    manifest: Annotated[Path | None, typer.Option(help="where the manifest goes (default: manifest.jsonl and .parquet in OUT)")] = None,
    workers: Workers = 0,
    shard: Annotated[str, typer.Option(help="only the i-th of n parts, i/n")] = "1/1",
    device: Annotated[str, typer.Option(help="of the model: cpu, cuda or cuda:<n>")] = "cpu",
) -> None:
    """Hide the faces of pictures and videos; the same command goes on after any interruption.

    Example: dartblur anonymize photos out
    """
    from dartblur.anonymizer import command
    from dartblur.anonymizer.ends import is_data_set
    from dartblur.anonymizer.methods import Choice
    from dartblur.anonymizer.settings import Settings
    from dartblur.anonymizer.shape import Shape

    settings = Settings(
        choice=Choice(command.known_method(method), model, strength, device),
        detectors=command.detectors(detector, annotations is not None or is_data_set(source)),
        score=score,
        min_size=min_size,
        margin=margin,
        shape=Shape(shape, feather),
        verify=verify,
        keep_metadata=keep_metadata,
        write_empty=on_empty == "write",
        audio=audio,
    )
    request = command.Request(
        source=source,
        target=target,
        annotations=annotations,
        keep=keep,
        on_empty=on_empty,
        overwrite=overwrite,
        workers=workers,
        shard=command.parse_shard(shard),
        manifest=manifest,
        boxes=boxes,
    )
    summary, notes = command.anonymize(request, settings)
    typer.echo("\n".join([*command.tell(summary), *notes]))
    if not summary.done:
        raise typer.Exit(1)


def detect(
    source: Source,
    out: Annotated[Path | None, typer.Option(help=".csv, .json (COCO) or .txt (WIDER); CSV on the terminal if none is given")] = None,
    detector: Detector = None,
    score: Score = None,
    min_size: MinSize = 0.0,
    workers: Workers = 0,
) -> None:
    """Find the faces of pictures and write their boxes.

    Example: dartblur detect photos --out boxes.csv
    """
    from dartblur.anonymizer import command
    from dartblur.anonymizer.detect import detect_all
    from dartblur.anonymizer.settings import Settings

    settings = Settings(detectors=command.detectors(detector, False), score=score, min_size=min_size, margin=0.0)
    if not detect_all(source, out, settings, workers):
        raise typer.Exit(1)


def serve(
    host: Annotated[str, typer.Option(help="address to listen on; another than this one lets other machines in")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one", min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="pictures at a time (default: one a core)", min=0)] = 0,
    max_mb: Annotated[float, typer.Option(help="largest file, megabytes", min=0.001, max=512)] = 32,
    max_megapixels: Annotated[float, typer.Option(help="largest picture, all frames together", min=0.001, max=250)] = 50,
    max_requests: Annotated[int, typer.Option(help="taken at once, waiting ones among them; more are told to come again", min=1)] = 64,
    timeout: Annotated[float, typer.Option(help="seconds for a request to arrive, and again for it to be done", min=0.1)] = 60,
    method: Annotated[str, typer.Option(help="dartblur (learned), gaussian, pixelate, block or swap")] = "dartblur",
    model: Annotated[str, typer.Option(help="of dartblur: small (in the package), a .onnx or .safetensors file, a version or champion")] = "small",
    strength: Annotated[float | None, typer.Option(help="of gaussian and pixelate, relative to the face; 1 is the usual one")] = None,
    detector: Detector = None,
    score: Score = None,
    min_size: MinSize = 0.0,
    margin: Annotated[float | None, typer.Option(help="share of a face that its box grows by (default: 0.2 if detected, 0 if given)")] = None,
    shape: Annotated[Literal["box", "ellipse"], typer.Option(help="what is hidden of a box")] = "box",
    feather: Annotated[float, typer.Option(help="soft rim outside it, a share of the face, 0 to 0.5")] = 0.0,
    verify: Annotated[bool, typer.Option("--verify", help="look at every result with another detector; withhold it if a face shows")] = False,
    device: Annotated[str, typer.Option(help="of the model: cpu, cuda or cuda:<n>")] = "cpu",
) -> None:
    """Hide faces over HTTP; clients need a token where the variable DARTBLUR_TOKEN holds one.

    Example: dartblur serve --port 8000
    """
    from dartblur.optional import optional_module

    for module in ("fastapi", "uvicorn", "python_multipart"):
        optional_module(module, "install the extra dartblur[serve]")
    from dartblur.anonymizer import command
    from dartblur.anonymizer import serve as server
    from dartblur.anonymizer.methods import Choice
    from dartblur.anonymizer.service import Bounds
    from dartblur.anonymizer.settings import Settings
    from dartblur.anonymizer.shape import Shape

    settings = Settings(
        choice=Choice(command.known_method(method), model, strength, device),
        detectors=command.detectors(detector, False),
        score=score,
        min_size=min_size,
        margin=margin,
        shape=Shape(shape, feather),
        verify=verify,
    )
    bounds = Bounds(upload=round(max_mb * 1e6), pixels=round(max_megapixels * 1e6), requests=max_requests, seconds=timeout)
    server.serve(settings, host, port, workers or command.cores(), bounds)


def doctor(
    with_torch: Annotated[bool, typer.Option("--torch", help="also ask torch for its devices, which takes seconds")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Say what is installed, on which machine, and which servers answer; exit 1 if `anonymize` could not work.

    Example: dartblur doctor
    """
    from dartblur.anonymizer.doctor import examine, tell

    report = examine(with_torch)
    typer.echo(tell(report, as_json))
    if not report.fit:
        raise typer.Exit(1)
