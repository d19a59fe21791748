"""The pictures of the report, drawn with matplotlib: same numbers, same bytes.

No pyplot, because it keeps figures and a display in global state; the PNG carries no date and no program version.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.evaluation.convenience import FaceConvenience
from dartblur.media.images import Image

WIDTH = 5.2
"""Inches. Narrow on purpose: text of 10 points is still readable when a phone shrinks the figure."""
DPI = 200
TILE = 192
"""Side of a face in a strip, pixels."""
INK, FAINT, ACCENT, SECOND = "#1f2933", "#cbd2d9", "#0f766e", "#d97706"


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _plain(axes: Any) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(length=0, colors=INK, labelsize=10)


def draw_average_precision(arms: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw AP (``all``) of every arm as bars: tested on clean pictures, and on the arm itself; spreads as lines where there are several seeds.

    Args:
        arms: the ``arms`` of reports/metrics.json.
        path: the PNG to write.
    """
    figure = _figure(WIDTH, 0.9 + 0.55 * len(arms))
    axes = figure.add_subplot()
    for offset, key, color, label in ((-0.19, "ap", ACCENT, "tested on clean pictures"), (0.19, "ap_self", SECOND, "tested on the same arm")):
        figures = [arm[key]["all"] for arm in arms.values()]
        places = np.arange(len(arms)) + offset
        axes.barh(places, [f["mean"] or 0.0 for f in figures], 0.34, color=color, label=label)
        for place, value in zip(places, figures, strict=True):
            if value["mean"] is None:
                axes.text(0.01, place, "—", va="center", color=INK)
                continue
            if value["std"] is not None:
                axes.errorbar(value["mean"], place, xerr=value["std"], color=INK, capsize=2, linewidth=1)
            axes.text(value["mean"] + (value["std"] or 0) + 0.012, place, f"{value['mean']:.3f}", va="center", fontsize=9.5, color=INK)
    axes.set_yticks(np.arange(len(arms)), list(arms))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.16)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_xlabel("average precision, all faces", fontsize=10, color=INK)
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    _plain(axes)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=10)
    _save(figure, path)


def draw_frontier(points: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw suppression against re-identification (the highest AUC of all attackers): up and to the left is better.

    Args:
        points: of reports/frontier.json; those that lack one of the two are left out.
        path: the PNG to write.
    """
    figure = _figure(WIDTH, 3.9)
    axes = figure.add_subplot()
    line = []
    for point in points:
        aucs = [found["auc"] for found in point["privacy"].values() if found is not None and found["auc"] is not None]
        suppression = point["suppression"]
        if not aucs or suppression["mean"] is None:
            continue
        ours, name = point["arm"] == "dartblur", point["arm"] + ("" if point["strength"] is None else f" {point['strength']:g}")
        color = ACCENT if ours else SECOND
        axes.errorbar(max(aucs), suppression["mean"], yerr=suppression["std"], color=color, marker="o", capsize=2, linewidth=1)
        axes.annotate(name, (max(aucs), suppression["mean"]), xytext=(6, 5), textcoords="offset points", fontsize=9.5, color=INK)
        if ours:
            line.append((point["strength"], max(aucs), suppression["mean"]))
    if line:
        _, across, up = zip(*sorted(line), strict=True)
        axes.plot(across, up, color=ACCENT, linewidth=1, alpha=0.5)
    axes.axvline(0.5, color=FAINT, linewidth=1)
    axes.set_xlabel("re-identification by the strongest attacker, AUC (0.5 is guessing)", fontsize=10, color=INK)
    axes.set_ylabel("suppression", fontsize=10, color=INK)
    axes.margins(x=0.15, y=0.12)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    _plain(axes)
    _save(figure, path)


def draw_history(columns: Mapping[str, Sequence[float]], path: Path) -> None:
    """Draw each loss of the training against its steps, a panel a loss, because their units differ.

    Args:
        columns: ``step`` and the losses, equally long.
        path: the PNG to write.
    """
    losses = [name for name in columns if name != "step"]
    rows = (len(losses) + 1) // 2
    figure = _figure(WIDTH, 1.35 * rows + 0.2)
    for index, name in enumerate(losses):
        axes = figure.add_subplot(rows, 2, index + 1)
        axes.plot(columns["step"], columns[name], color=ACCENT, marker="o", markersize=3, linewidth=1.5)
        axes.set_title(name, fontsize=11, color=INK, loc="left")
        finite = [value for value in columns[name] if np.isfinite(value)]  # realism may be below 0
        axes.set_ylim(bottom=min([*finite, 0.0]) * 1.1, top=max([*finite, 0.0]) * 1.1 or 1.0)
        axes.locator_params(axis="y", nbins=4)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
        _plain(axes)
        if index >= len(losses) - 2:
            axes.set_xlabel("step", fontsize=10, color=INK)
    _save(figure, path)


def face_tile(image: Image, box: tuple[int, int, int, int], size: int = TILE) -> Image:
    """A square around one face with a third of its longer side as context, black beyond the picture: uint8, size x size x 3."""
    x1, y1, x2, y2 = box
    side = max(round(max(x2 - x1, y2 - y1) * 5 / 3), 4)
    left, top = (x1 + x2 - side) // 2, (y1 + y2 - side) // 2
    height, width = image.shape[:2]
    square: npt.NDArray[np.uint8] = np.zeros((side, side, 3), np.uint8)
    a, b, c, d = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    square[b - top : d - top, a - left : c - left] = image[b:d, a:c]
    method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square, (size, size), interpolation=method), np.uint8)


def draw_faces(rows: Sequence[tuple[FaceConvenience, Sequence[Image]]], titles: Sequence[str], path: Path) -> None:
    """Draw a strip: a row a face, a column an arm.

    Args:
        rows: a face and its tiles, one an arm, each uint8, S x S x 3.
        titles: the arms.
        path: the PNG to write.
    """
    figure = _figure(WIDTH, 1.56 * len(rows) + 0.3)
    for row, (face, tiles) in enumerate(rows):
        for column, (tile, title) in enumerate(zip(tiles, titles, strict=True)):
            axes = figure.add_subplot(len(rows), len(titles), row * len(titles) + column + 1)
            axes.imshow(tile, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_visible(False)
            if row == 0:
                axes.set_title(title, fontsize=10, color=INK)
            if column == 0:
                x1, y1, x2, y2 = face.box
                axes.set_ylabel(f"{x2 - x1}×{y2 - y1} px\nL1 {face.l1:.1f}", fontsize=10, color=INK)
    _save(figure, path)
