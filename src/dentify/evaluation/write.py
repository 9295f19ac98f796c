"""An `Evaluation` as files: `metrics.json`, `names.csv`, and plots as PNG."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from dentify.evaluation.results import Evaluation
from dentify.spreadsheets import safe_cell
from dentify.writing import check_vacant, write_whole

_SIZES = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
COLUMNS = ["kind", "name", "taught", "photos", "instances", *(f"mask_{key}" for key in _SIZES), *(f"box_{key}" for key in _SIZES)]
COLUMNS += ["pixel_iou", "pixel_precision", "pixel_recall", "told_right", "told_wrong", "told_missed"]


def write_evaluation(evaluation: Evaluation, folder: Path | str, *, overwrite: bool = False) -> list[Path]:
    """Writes all files of an evaluation, none of them in part.

    Raises:
        OutputError: the folder cannot be written, or holds an evaluation and `overwrite` is off.
        MissingExtraError: matplotlib is not installed.
    """
    folder = Path(folder)
    metrics = folder / "metrics.json"
    check_folder(folder, overwrite=overwrite)
    files = {metrics: f"{evaluation.to_json()}\n".encode(), folder / "names.csv": names_csv(evaluation).encode()}
    files |= {folder / f"{name}.png": data for name, data in _plots(evaluation).items()}
    write_whole(files)
    return list(files)


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuses a folder that an evaluation must not be written to, before the work is done.

    Raises:
        OutputError: it is a file, or holds an evaluation and `overwrite` is off.
    """
    check_vacant(folder, ("metrics.json",), "the evaluation", overwrite=overwrite)


def names_csv(evaluation: Evaluation) -> str:
    """Figures of each type and part, one a row; empty where not measured."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for kind, found in (("damage", evaluation.damage), ("part", evaluation.parts)):
        for name, one in found.names.items() if found is not None else ():
            mask = one.mask.model_dump().values() if one.mask is not None else [None] * 6
            pixels = (one.pixels.iou, one.pixels.precision, one.pixels.recall)
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
            writer.writerow(["" if cell is None else cell for cell in [*row, one.told.right, one.told.wrong, one.told.missed]])
    return text.getvalue()


def _plots(evaluation: Evaluation) -> dict[str, bytes]:
    from dentify.evaluation.plots import figures  # takes half a second, and only files want it

    pictures = {}
    for name, figure in figures(evaluation).items():
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=120, metadata={"Software": None})
        pictures[name] = data.getvalue()
    return pictures
