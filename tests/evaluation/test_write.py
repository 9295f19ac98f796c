"""Tables, CSV, plots and files of an evaluation."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image

from dentify.datasets import Sample
from dentify.errors import OutputError
from dentify.evaluation import Evaluation, evaluate, evaluation_table, write_evaluation
from dentify.evaluation.plots import bars_plot, confusion_plot, found_confusion_plot, precision_recall_plot, reliability_plot
from dentify.evaluation.write import classes_csv, confusion_csv, found_confusion_csv, names_csv

Make = Callable[..., Any]


@pytest.fixture
def evaluation(make_sample: Make, make_assessment: Make, scripted: Make) -> Evaluation:
    """One of each: damage, parts, severity, undamaged photos of two sources, a type without annotations."""
    box = (0, 0, 10, 10)
    samples = [
        make_sample("a", [("dent", box, "minor"), ("crack", (20, 20, 25, 25))], labelled=["dent", "scratch", "crack"]),
        make_sample("p", [("hood", box)], labelled=["hood", "wheel"]),
        Sample(b"", "c", vehicle=True, damage=False, source="yard"),
        Sample(b"", "d", vehicle=True, damage=False, source="street"),
    ]
    answers = [
        make_assessment("a", [("dent", 0.8, box, "minor"), ("scratch", 0.4, box)], severity="minor"),
        make_assessment("p", [("hood", 0.9, box)]),
        make_assessment("c", damage=0.1),
        make_assessment("d", [("dent", 0.9, box)]),
    ]
    return evaluate(scripted(answers), samples, taught=("dent", "scratch"), data=["val.json"], resamples=20)


def test_the_table_tells_every_section_in_aligned_columns(evaluation: Evaluation) -> None:
    table = evaluation_table(evaluation)
    for text in ("bundle scripted 1 (ffffffffffff)", "data val.json", "crack (not taught)", "any damage", "Parts", "AUROC"):
        assert text in table
    for text in (
        "Severity of photos: macro recall 1.000",
        "Number of findings",
        "salient-object scores",
        "What is said of photos",
        "F1 0.889, boundary F ",
        "Calibration of told findings",
        "  yard",
        "  street",
        "Findings that name a part 0.0 % [0.0, 56.1]; photos of vehicles without a part 75.0 %",
    ):
        assert text in table
    lines = table.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("Damage"))
    assert len({len(line) for line in lines[head + 1 : head + 5]}) == 1
    scratch = next(line for line in lines if line.startswith("scratch "))
    assert "–" in scratch, "what was not measured is no 0"


def test_sources_stand_below_each_kind_of_photos_where_there_are_several(make_assessment: Make, scripted: Make) -> None:
    photos = [("c", False, "yard"), ("d", True, "street"), ("e", True, "yard"), ("f", True, "yard")]
    answers = [make_assessment(name, damage=0.1 if name == "f" else 0.9) for name, _, _ in photos]
    samples = [Sample(b"", name, vehicle=True, damage=damage, source=source) for name, damage, source in photos]
    lines = evaluation_table(evaluate(scripted(answers), samples, resamples=2)).splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("Gates"))
    rows = [line.split()[:2] for line in lines[head + 1 : head + 6]]
    assert rows == [["damaged", "3"], ["street", "1"], ["yard", "2"], ["undamaged", "1"], ["yard", "1"]]
    assert "50.0 % [9.5, 90.5]" in lines[head + 3]
    one = evaluation_table(evaluate(scripted(answers), samples[2:], resamples=2))
    assert "  yard" not in one


def test_what_was_not_judged_has_no_section(make_sample: Make, make_assessment: Make, scripted: Make) -> None:
    severe = Sample(b"", "c", vehicle=True, damage=True, severity="severe")
    table = evaluation_table(evaluate(scripted([make_assessment("c")]), [severe], resamples=2))
    assert "Severity of photos: macro recall 0.000 (0 judged of 1)" in table
    for text in ("Severity of findings", "Damage", "Calibration", "Number of findings"):
        assert text not in table
    untyped = make_sample("a", [("damage", (0, 0, 10, 10))], labelled=["damage"])
    result = evaluate(scripted([make_assessment("a", [("dent", 0.9, (0, 0, 10, 10))])]), [untyped], resamples=2)
    assert "Damage: none of its types is labelled\n\nPixel IoU of any damage 1.000" in evaluation_table(result)
    assert names_csv(result).count("\n") == 1


def test_the_csv_holds_a_row_a_type_and_part(evaluation: Evaluation) -> None:
    rows = list(csv.DictReader(io.StringIO(names_csv(evaluation))))
    assert [(row["kind"], row["name"], row["taught"]) for row in rows] == [
        ("damage", "dent", "true"),
        ("damage", "scratch", "true"),
        ("damage", "crack", "false"),
        ("part", "hood", "true"),
        ("part", "wheel", "true"),
    ]
    assert float(rows[0]["mask_AP50"]) == pytest.approx(1.0)
    assert rows[1]["mask_AP"] == ""
    assert (float(rows[0]["pixel_f1"]), float(rows[0]["boundary_f"])) == (1.0, 1.0)


def test_what_is_taken_for_what_is_a_table_and_a_picture(evaluation: Evaluation) -> None:
    assert evaluation.damage is not None
    confusion = evaluation.damage.confusion
    assert confusion is not None
    assert list(csv.reader(io.StringIO(found_confusion_csv(confusion)))) == [
        ["annotated", "dent", "scratch", "crack", "missed"],
        ["dent", "1", "0", "0", "0"],
        ["scratch", "0", "0", "0", "0"],
        ["crack", "0", "0", "0", "1"],
        ["background", "0", "1", "0", "0"],
    ]
    axes = found_confusion_plot(evaluation, confusion).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("told", "annotated")
    assert [text.get_text() for text in axes.texts] == [str(count) for row in confusion.counts for count in row]


def test_a_type_of_ones_own_is_no_formula_for_a_spreadsheet(make_sample: Make, make_assessment: Make, scripted: Make) -> None:
    sample = make_sample("a", [("=1+1", (0, 0, 10, 10))], labelled=["=1+1"])
    result = evaluate(scripted([make_assessment("a")]), [sample], taught=("=1+1",), data=[], resamples=2)
    (row,) = csv.DictReader(io.StringIO(names_csv(result)))
    assert row["name"] == "'=1+1"


def test_classes_and_what_they_are_taken_for_are_tables_too(evaluation: Evaluation) -> None:
    rows = list(csv.DictReader(io.StringIO(classes_csv(evaluation))))
    assert [(row["question"], row["class"], row["photos"], row["told"]) for row in rows[:4]] == [
        ("vehicle", "no vehicle", "0", "0"),
        ("vehicle", "vehicle", "4", "4"),
        ("damage", "undamaged", "2", "1"),
        ("damage", "damaged", "1", "2"),
    ]
    undamaged, damaged = rows[2:4]
    assert (float(undamaged["recall"]), float(damaged["precision"])) == (0.5, 0.5)
    assert float(undamaged["recall_low"]) <= 0.5 <= float(undamaged["recall_high"])
    assert (rows[0]["recall"], rows[0]["recall_low"], rows[0]["auroc"]) == ("", "", "")
    assert list(csv.reader(io.StringIO(confusion_csv(evaluation.classification["damage"])))) == [
        ["class", "undamaged", "damaged", "none told"],
        ["undamaged", "1", "1", "0"],
        ["damaged", "0", "1", "0"],
    ]


def test_names_of_classes_are_no_formulas_for_spreadsheets_and_plots(evaluation: Evaluation) -> None:
    odd = ("=1+1", "$\\frac$")
    damage = evaluation.classification["damage"]
    classes = dict(zip(odd, damage.per_class.values(), strict=True))
    result = damage.model_copy(update={"classes": odd, "per_class": classes, "confusion_columns": (*odd, "none told")})
    renamed = evaluation.model_copy(update={"classification": {"damage": result}})
    assert next(csv.DictReader(io.StringIO(classes_csv(renamed))))["class"] == "'=1+1"
    assert confusion_csv(result).splitlines()[0] == "class,'=1+1,$\\frac$,none told"
    confusion_plot("damage", result).savefig(io.BytesIO(), format="png")  # would not parse as a formula
    assert evaluation.damage is not None
    found = evaluation.damage.model_copy(
        update={"names": dict(zip(("$^$", "$\\frac$"), evaluation.damage.names.values(), strict=False))}
    )
    for plot in (precision_recall_plot, bars_plot):
        plot(evaluation, found).savefig(io.BytesIO(), format="png")


def test_the_table_tells_of_classes_and_of_those_that_no_photo_shows(evaluation: Evaluation) -> None:
    lines = evaluation_table(evaluation).splitlines()
    place = lines.index("Is it damaged (3 photos)")
    assert lines[place + 1].startswith("accuracy 0.667 [")
    assert lines[place + 2].startswith("calibration: ECE ")
    assert lines[place + 4].split() == ["undamaged", "2", "1", "1.000", "0.500", "0.667", "0.750", "0.833"]
    assert "no photo is known as no vehicle: not all can be measured" in lines


def test_plots_are_figures_that_name_what_they_show(evaluation: Evaluation) -> None:
    assert evaluation.damage is not None
    reliability = reliability_plot(evaluation)
    assert isinstance(reliability, Figure)
    assert reliability.axes[0].get_title() == "Reliability of findings, 1 photos"
    curves = precision_recall_plot(evaluation, evaluation.damage)
    assert [line.get_label() for line in curves.axes[0].lines] == ["dent (1.00, n = 1)", "crack (0.00, n = 1)"]
    bars = bars_plot(evaluation, evaluation.damage)
    assert [text.get_text() for text in bars.axes[0].texts] == ["1.00", "–", "0.00"]


def test_all_files_are_written_and_not_over_others(evaluation: Evaluation, tmp_path: Path) -> None:
    written = write_evaluation(evaluation, tmp_path / "out")
    assert sorted(path.name for path in written) == [
        "classes.csv",
        "confusion_damage.csv",
        "confusion_damage.png",
        "confusion_severity.csv",
        "confusion_severity.png",
        "confusion_vehicle.csv",
        "confusion_vehicle.png",
        "damage_bars.png",
        "damage_confusion.csv",
        "damage_confusion.png",
        "damage_precision_recall.png",
        "index.html",
        "metrics.json",
        "names.csv",
        "parts_bars.png",
        "parts_confusion.csv",
        "parts_confusion.png",
        "parts_precision_recall.png",
        "reliability.png",
        "reliability_photos.png",
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in written)
    document = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert Evaluation.model_validate(document) == evaluation
    with Image.open(tmp_path / "out" / "reliability.png") as picture:
        picture.verify()
    with pytest.raises(OutputError, match=r"metrics.json: is there already; --overwrite replaces it"):
        write_evaluation(evaluation, tmp_path / "out")
    write_evaluation(evaluation, tmp_path / "out", overwrite=True)
    with pytest.raises(OutputError, match="is a file; name a folder"):
        write_evaluation(evaluation, tmp_path / "out" / "names.csv")


@pytest.mark.parametrize(
    ("missing", "module", "what"),
    [
        ("hotcoco", "dentify.evaluation", "Evaluating needs more packages"),
        ("matplotlib", "dentify.evaluation.plots", "Plotting an evaluation needs more packages"),
    ],
)
def test_a_missing_extra_says_what_to_install(missing: str, module: str, what: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; import {module}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stderr.splitlines()[-1] == f'dentify.errors.MissingExtraError: {what}: pip install "dentify[evaluate]"'


def test_the_room_loads_neither_matplotlib_nor_torch() -> None:
    code = (
        "import sys, dentify.evaluation; print([name for name in ('matplotlib', 'torch', 'pycocotools') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
