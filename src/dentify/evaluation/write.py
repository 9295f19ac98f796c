"""An `Evaluation` as files: `metrics.json`, tables as CSV, plots as PNG, and `index.html`, one page of all of it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

from dentify.evaluation.mistakes import Mistakes
from dentify.evaluation.overlays import Overlays
from dentify.evaluation.results import ClassificationResult, Comparison, Evaluation, FoundConfusion, Mean
from dentify.spreadsheets import csv_bytes, csv_line, safe_cell
from dentify.writing import check_apart, check_vacant, write_whole

_SUFFIXES = (".json", ".csv", ".html", ".png")
_COMPARISON = ("comparison.json", "comparison.html")
_SIZES = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
COLUMNS = ["kind", "name", "taught", "photos", "instances", *(f"mask_{key}" for key in _SIZES), *(f"box_{key}" for key in _SIZES)]
COLUMNS += ["pixel_iou", "pixel_precision", "pixel_recall", "pixel_f1", "boundary_f", "told_right", "told_wrong", "told_missed"]


def write_evaluation(
    evaluation: Evaluation,
    folder: Path | str,
    *,
    mistakes: Mistakes | None = None,
    overlays: Overlays | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Writes all files of an evaluation, none of them in part.

    Args:
        evaluation: what was measured.
        folder: to write into; made where it is not there.
        mistakes: the worst of them, for the page.
        overlays: the best and the worst photos, likewise.
        overwrite: replace an evaluation that is there.

    Raises:
        OutputError: the folder cannot be written, or holds an evaluation and `overwrite` is off.
        MissingExtraError: matplotlib or Jinja2 is not installed.
    """
    from dentify.evaluation.page import evaluation_page

    folder = Path(folder)
    check_folder(folder, overwrite=overwrite)
    plots = _plots(evaluation)
    texts = {"metrics.json": f"{evaluation.to_json()}\n", "names.csv": names_csv(evaluation)}
    if evaluation.classification:
        texts["classes.csv"] = classes_csv(evaluation)
    texts |= {f"confusion_{key}.csv": confusion_csv(result) for key, result in evaluation.classification.items()}
    for key, found in (("damage", evaluation.damage), ("parts", evaluation.parts)):
        if found is not None and found.confusion is not None:
            texts[f"{key}_confusion.csv"] = found_confusion_csv(found.confusion)
    texts["index.html"] = evaluation_page(evaluation, plots, mistakes, overlays)
    files = {
        folder / name: csv_bytes([text]) if name.endswith(".csv") else text.encode(errors="backslashreplace")
        for name, text in texts.items()
    }
    files |= {folder / f"{name}.png": data for name, data in plots.items()}
    write_whole(files)
    return list(files)


def check_folder(folder: Path, *, overwrite: bool, read: Iterable[Path | str] = ()) -> None:
    """Refuses a folder that an evaluation must not be written to, before the work is done.

    Raises:
        OutputError: it is a file, or holds an evaluation and `overwrite` is off; or it is read, or holds a file that is read
            and could be replaced.
    """
    check_vacant(folder, ("metrics.json", "index.html"), "the evaluation", overwrite=overwrite)
    read = list(read)
    written = [folder, *(Path(one) for one in read if Path(one).parent == folder and Path(one).suffix in _SUFFIXES)]
    check_apart(written, read)


def write_comparison(comparison: Comparison, folder: Path | str, *, overwrite: bool = False) -> list[Path]:
    """Writes `comparison.json` and `comparison.html` into a folder, neither of them in part.

    Raises:
        OutputError: the folder cannot be written, or holds a comparison and `overwrite` is off.
        MissingExtraError: Jinja2 is not installed.
    """
    from dentify.evaluation.page import comparison_page

    folder = Path(folder)
    check_comparison_folder(folder, overwrite=overwrite)
    texts = dict(zip(_COMPARISON, (f"{comparison.to_json()}\n", comparison_page(comparison)), strict=True))
    files = {folder / name: text.encode(errors="backslashreplace") for name, text in texts.items()}
    write_whole(files)
    return list(files)


def check_comparison_folder(folder: Path, *, overwrite: bool, read: Iterable[Path | str] = ()) -> None:
    """Refuses a folder that a comparison must not be written to, before the work is done.

    Raises:
        OutputError: it is a file, or holds a comparison and `overwrite` is off; or what would be replaced is read.
    """
    check_vacant(folder, _COMPARISON, "the comparison", overwrite=overwrite)
    check_apart((folder / name for name in _COMPARISON), read)


def names_csv(evaluation: Evaluation) -> str:
    """Figures of each type and part, one a row; empty where not measured."""
    lines = [csv_line(COLUMNS)]
    for kind, found in (("damage", evaluation.damage), ("part", evaluation.parts)):
        for name, one in found.names.items() if found is not None else ():
            mask = one.mask.model_dump().values() if one.mask is not None else [None] * 6
            pixels = (one.pixels.iou, one.pixels.precision, one.pixels.recall, one.pixels.f1, one.pixels.boundary_f)
            row = [
                kind,
                safe_cell(name),
                str(one.taught).lower(),
                one.photos,
                one.instances,
                *mask,
                *one.box.model_dump().values(),
                *pixels,
            ]
            lines.append(csv_line([*row, one.told.right, one.told.wrong, one.told.missed]))
    return "".join(lines)


def classes_csv(evaluation: Evaluation) -> str:
    """Figures of each class of each question of whole photos, one a row, with the ends of their intervals."""
    figures = ("precision", "recall", "f1", "auroc", "average_precision")
    ends = [f"{key}{end}" for key in figures for end in ("", "_low", "_high")]
    lines = [csv_line(["question", "class", "photos", "told", *ends])]
    for key, result in evaluation.classification.items():
        for name, one in result.per_class.items():
            means: list[Mean] = [getattr(one, figure) for figure in figures]
            cells = [cell for mean in means for cell in (mean.value, *(mean.interval or (None, None)))]
            lines.append(csv_line([key, safe_cell(name), one.photos, one.told, *cells]))
    return "".join(lines)


def confusion_csv(result: ClassificationResult) -> str:
    """A confusion matrix: a row a class that photos are of, a column a class, or answer, that is told of them."""
    lines = [csv_line(["class", *map(safe_cell, result.confusion_columns)])]
    lines += [csv_line([safe_cell(name), *row]) for name, row in zip(result.classes, result.confusion, strict=True)]
    return "".join(lines)


def found_confusion_csv(confusion: FoundConfusion) -> str:
    """What is taken for what: a row a type or part that is annotated, a column one that is told."""
    lines = [csv_line(["annotated", *map(safe_cell, confusion.columns)])]
    lines += [csv_line([safe_cell(name), *row]) for name, row in zip(confusion.rows, confusion.counts, strict=True)]
    return "".join(lines)


def _plots(evaluation: Evaluation) -> dict[str, bytes]:
    from dentify.evaluation.plots import figures  # takes half a second, and only files want it

    pictures = {}
    for name, figure in figures(evaluation).items():
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=120, metadata={"Software": None})
        pictures[name] = data.getvalue()
    return pictures
