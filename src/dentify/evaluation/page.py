"""An evaluation, or a comparison, as one HTML page that holds all it shows and asks nobody for anything."""

from __future__ import annotations

from collections.abc import Mapping

from dentify.evaluation.compare import comparison_head, comparison_sections
from dentify.evaluation.mistakes import KINDS, Mistakes
from dentify.evaluation.results import Comparison, Evaluation
from dentify.evaluation.table import QUESTIONS, confusion_rows, evaluation_sections, head
from dentify.pages import picture_address, render_page


def evaluation_page(evaluation: Evaluation, plots: Mapping[str, bytes] | None = None, mistakes: Mistakes | None = None) -> str:
    """One page: all tables, plots, and the worst mistakes as pictures.

    Args:
        evaluation: what was measured.
        plots: PNG files by name, as `write_evaluation` makes them.
        mistakes: the worst of them.
    """
    kinds = () if mistakes is None else [(title, mistakes.of(kind)) for kind, title in KINDS.items()]
    return render_page(
        "evaluation.html",
        title=f"{evaluation.bundle.name} {evaluation.bundle.version}",
        head=head(evaluation),
        notes=evaluation.notes,
        sections=list(evaluation_sections(evaluation)),
        confusions=[(QUESTIONS[key], confusion_rows(result)) for key, result in evaluation.classification.items()],
        plots=[(name.replace("_", " "), picture_address(data, "png")) for name, data in (plots or {}).items()],
        mistakes=[
            (title, [(picture_address(one.jpeg, "jpeg"), f"{one.photo}: {one.text}") for one in worst])
            for title, worst in kinds
            if worst
        ],
    )


def comparison_page(comparison: Comparison) -> str:
    """One page of all figures of all bundles."""
    return render_page(
        "evaluation.html",
        title=" and ".join(f"{one.bundle.name} {one.bundle.version}" for one in comparison.bundles),
        head=comparison_head(comparison),
        notes=comparison.notes,
        sections=list(comparison_sections(comparison)),
        confusions=(),
        plots=(),
        mistakes=(),
    )
