"""Pages of evaluations and comparisons: all they show is within, and no name becomes markup."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import dentify
from dentify.evaluation import Evaluation, Mistakes, compare, evaluate
from dentify.evaluation.page import comparison_page, evaluation_page
from dentify.evaluation.write import write_comparison, write_evaluation
from dentify.testing import tiny_bundle
from html_page import Page
from painted_samples import mixed_samples

ELEMENTS = {
    "html", "meta", "title", "style", "body", "h1", "h2", "p", "table", "tr", "th", "td", "img", "div", "figure", "figcaption",
}  # fmt: skip
HOSTILE = "<img src=https://evil.example/x onerror=alert(1)>&\"'.png"


@pytest.fixture(scope="module")
def assessor(tmp_path_factory: pytest.TempPathFactory) -> dentify.Assessor:
    return dentify.load(tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny", photo_types=True))


@pytest.fixture(scope="module")
def judged(assessor: dentify.Assessor) -> tuple[Evaluation, Mistakes]:
    mistakes = Mistakes()
    samples = [replace(sample, name=HOSTILE) if sample.name == "alarm.png" else sample for sample in mixed_samples()]
    return evaluate(assessor, samples, resamples=5, data=[HOSTILE], mistakes=mistakes), mistakes


def test_the_page_holds_tables_plots_and_the_worst_mistakes(judged: tuple[Evaluation, Mistakes], tmp_path: Path) -> None:
    evaluation, mistakes = judged
    written = write_evaluation(evaluation, tmp_path / "out", mistakes=mistakes)
    page = Page((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    assert page.tags == ELEMENTS
    assert page.asks_nobody()
    plots = [path for path in written if path.suffix == ".png"]
    pictures = page.pictures()
    figures = sum(tag == "figure" for tag, _ in page.elements)
    assert len(pictures) == len(plots) + figures
    assert figures == len([one for kind in ("vehicle", "damage", "types", "findings", "missed") for one in mistakes.of(kind)]) > 5
    for text in ("tiny 1.0.0", "Is it damaged (9 photos)", "Which types does the photo show", "mask AP", " parameters"):
        assert text in page.text


def test_a_hostile_name_is_text(judged: tuple[Evaluation, Mistakes]) -> None:
    page = Page(evaluation_page(judged[0], None, judged[1]))
    assert page.tags <= ELEMENTS
    assert page.asks_nobody()
    assert f"{HOSTILE}: is undamaged, told damaged" in page.text
    assert f"data {HOSTILE}" in page.text


def test_a_page_without_mistakes_and_plots_has_no_pictures(judged: tuple[Evaluation, Mistakes]) -> None:
    page = Page(evaluation_page(judged[0]))
    assert page.pictures() == []
    assert "worst mistakes" not in page.text


def test_a_comparison_is_one_page_and_one_document(assessor: dentify.Assessor, tmp_path: Path) -> None:
    comparison = compare([assessor, assessor], mixed_samples(), paths=[HOSTILE, "b"], resamples=5, data=[HOSTILE])
    page = Page(comparison_page(comparison))
    assert page.tags <= ELEMENTS
    assert page.asks_nobody()
    assert HOSTILE in page.text
    assert "B − A" in page.text
    written = write_comparison(comparison, tmp_path / "out")
    assert [path.name for path in written] == ["comparison.json", "comparison.html"]
    assert type(comparison).model_validate_json(written[0].read_text()) == comparison
