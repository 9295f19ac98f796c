"""Figures of an `Evaluation`: each function takes it and returns a matplotlib `Figure`; who calls saves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dentify.errors import MissingExtraError, printable
from dentify.evaluation.results import ClassificationResult, Evaluation, Found, FoundConfusion
from dentify.evaluation.table import QUESTIONS
from dentify.taxonomy import damage_colour, part_colour

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as error:
    raise MissingExtraError(what="Plotting an evaluation", extra="evaluate") from error

_LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
RGBShare = tuple[float, float, float]


def reliability_plot(evaluation: Evaluation) -> Figure:
    """Share of findings that are right against their confidence, told and scored ones; dots grow with their number."""
    figure = Figure(figsize=(5.5, 5.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1, label="calibrated")
    for (key, result), colour in zip(evaluation.calibration.items(), ("#0072b2", "#d55e00"), strict=False):
        if not result.bins or result.ece is None:
            continue
        confidences = [part.confidence for part in result.bins]
        rights = [part.right for part in result.bins]
        auroc = "–" if result.auroc is None else f"{result.auroc:.2f}"
        axes.plot(confidences, rights, color=colour, linewidth=1)
        sizes = [20 + 180 * part.count / result.findings for part in result.bins]
        label = f"{key}: {result.findings} findings, ECE {result.ece:.3f}, AUROC {auroc}"
        axes.scatter(confidences, rights, s=sizes, color=colour, label=label)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share right (type, mask IoU ≥ 0.5)")
    axes.set_title(f"Reliability of findings, {evaluation.photos.annotated} photos")
    axes.legend(loc="upper left", fontsize="small")
    return figure


def photo_reliability_plot(evaluation: Evaluation) -> Figure:
    """Share of photos of which an answer is true against its confidence, a line a question; dots grow with their number."""
    figure = Figure(figsize=(5.5, 5.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1, label="calibrated")
    for (key, result), colour in zip(evaluation.classification.items(), _LINES, strict=False):
        if not result.bins or result.ece is None:
            continue
        confidences, rights = [part.confidence for part in result.bins], [part.right for part in result.bins]
        total = sum(part.count for part in result.bins)
        axes.plot(confidences, rights, color=colour, linewidth=1)
        sizes = [20 + 180 * part.count / total for part in result.bins]
        axes.scatter(confidences, rights, s=sizes, color=colour, label=f"{key}: {result.photos} photos, ECE {result.ece:.3f}")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share true")
    axes.set_title("Reliability of answers of whole photos")
    axes.legend(loc="upper left", fontsize="small")
    return figure


def confusion_plot(key: str, result: ClassificationResult) -> Figure:
    """Photos by class and by what was told of them, each cell with its count and shaded by its share of the class."""
    figure, axes = _matrix(result.confusion, result.classes, result.confusion_columns)
    axes.set(xlabel="told" if result.exclusive else "answer", ylabel="is" if result.exclusive else "type")
    axes.set_title(f"{QUESTIONS[key]}, {result.photos} photos")
    return figure


def found_confusion_plot(evaluation: Evaluation, confusion: FoundConfusion, *, parts: bool = False) -> Figure:
    """What is taken for what, each cell with its count and shaded by its share of what is annotated so."""
    figure, axes = _matrix(confusion.counts, confusion.rows, confusion.columns)
    axes.set(xlabel="told", ylabel="annotated")
    axes.set_title(f"{_thing(parts)} told at IoU 0.5, {_photos(evaluation, parts)} photos")
    return figure


def precision_recall_plot(evaluation: Evaluation, found: Found, *, parts: bool = False) -> Figure:
    """Precision against recall at IoU 0.5, one line a type or part."""
    figure = Figure(figsize=(7.5, 5.5), layout="constrained")
    axes = figure.add_subplot()
    for name, result in found.names.items():
        best = result.mask or result.box
        if result.curve and best.AP50 is not None:
            recalls = [step / (len(result.curve) - 1) for step in range(len(result.curve))]
            axes.plot(
                recalls,
                result.curve,
                color=_colour(name, parts),
                linewidth=2,
                label=f"{_label(name)} ({best.AP50:.2f}, n = {result.instances})",
            )
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axes.set_title(f"{_thing(parts)} at IoU 0.5 ({_target(found)}), {_photos(evaluation, parts)} photos")
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside right upper", fontsize="small", title="AP50")
    return figure


def bars_plot(evaluation: Evaluation, found: Found, *, parts: bool = False) -> Figure:
    """AP50, AP and pixel IoU of each type or part, each bar with its value."""
    names = list(found.names)
    figure = Figure(figsize=(9, 0.8 + 0.35 * max(len(names), 4)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    target = _target(found)
    values = {
        f"AP50 ({target})": [(one.mask or one.box).AP50 for one in found.names.values()],
        f"AP ({target})": [(one.mask or one.box).AP for one in found.names.values()],
        "pixel IoU": [one.pixels.iou for one in found.names.values()],
    }
    for axes, (title, row) in zip(panels, values.items(), strict=True):
        _bars(axes, names, row, title, parts)
    panels[0].set_yticks(range(len(names)), list(map(_label, names)))
    panels[0].invert_yaxis()
    figure.suptitle(f"{_thing(parts)}, {_photos(evaluation, parts)} photos")
    return figure


def figures(evaluation: Evaluation) -> dict[str, Figure]:
    """All figures of an evaluation by file name, without a suffix."""
    made: dict[str, Figure] = {}
    for question, result in evaluation.classification.items():
        made[f"confusion_{question}"] = confusion_plot(question, result)
    if evaluation.classification:
        made["reliability_photos"] = photo_reliability_plot(evaluation)
    if evaluation.calibration:
        made["reliability"] = reliability_plot(evaluation)
    for key, found in (("damage", evaluation.damage), ("parts", evaluation.parts)):
        if found is not None and found.names:
            made[f"{key}_precision_recall"] = precision_recall_plot(evaluation, found, parts=key == "parts")
            made[f"{key}_bars"] = bars_plot(evaluation, found, parts=key == "parts")
        if found is not None and found.confusion is not None:
            made[f"{key}_confusion"] = found_confusion_plot(evaluation, found.confusion, parts=key == "parts")
    return made


def _matrix(numbers: Sequence[Sequence[int]], rows: Sequence[str], columns: Sequence[str]) -> tuple[Figure, Axes]:
    """A matrix of counts, each shaded by its share of the row."""
    counts = np.array(numbers, np.float64)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(2.5 + 0.9 * counts.shape[1], 1.6 + 0.5 * counts.shape[0]), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        axes.text(column, row, f"{counts[row, column]:.0f}", ha="center", va="center", color="white" if share > 0.5 else "black")
    axes.set_xticks(range(len(columns)), [_label(name) for name in columns], rotation=30, ha="right")
    axes.set_yticks(range(len(rows)), [_label(name) for name in rows])
    return figure, axes


def _bars(axes: Axes, names: list[str], values: list[float | None], title: str, parts: bool) -> None:
    widths = [value or 0.0 for value in values]
    colours = [_colour(name, parts) for name in names]
    axes.barh(range(len(names)), widths, color=colours, edgecolor="0.3", linewidth=0.5)
    for place, value in enumerate(values):
        axes.text((value or 0.0) + 0.02, place, "–" if value is None else f"{value:.2f}", va="center", fontsize="small")
    axes.set(xlim=(0, 1.15), xticks=(0, 0.5, 1), title=title)
    axes.spines[["top", "right"]].set_visible(False)


def _label(name: str) -> str:
    """A name in which matplotlib finds no formula."""
    return printable(name).replace("$", r"\$")


def _colour(name: str, parts: bool) -> RGBShare:
    red, green, blue = part_colour(name) if parts else damage_colour(name)
    return red / 255, green / 255, blue / 255


def _target(found: Found) -> str:
    return "mask" if any(result.mask is not None for result in found.names.values()) else "box"


def _thing(parts: bool) -> str:
    return "Parts" if parts else "Damage"


def _photos(evaluation: Evaluation, parts: bool) -> int:
    return evaluation.photos.parts if parts else evaluation.photos.annotated
