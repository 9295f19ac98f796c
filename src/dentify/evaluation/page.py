"""An evaluation, or a comparison, as one HTML page that holds all it shows and asks nobody for anything."""

from __future__ import annotations

from collections.abc import Mapping

from dentify.evaluation.compare import comparison_head, comparison_sections
from dentify.evaluation.foremost import Picture
from dentify.evaluation.mistakes import KINDS as MISTAKES
from dentify.evaluation.mistakes import Mistakes
from dentify.evaluation.overlays import KINDS as OVERLAYS
from dentify.evaluation.overlays import Overlays
from dentify.evaluation.results import Comparison, Evaluation
from dentify.evaluation.table import QUESTIONS, confusion_rows, evaluation_sections, found_confusion_rows, head
from dentify.pages import picture_address, render_page


def evaluation_page(
    evaluation: Evaluation,
    plots: Mapping[str, bytes] | None = None,
    mistakes: Mistakes | None = None,
    overlays: Overlays | None = None,
) -> str:
    """One page: all tables, plots, the best and the worst photos, and the worst mistakes as pictures.

    Args:
        evaluation: what was measured.
        plots: PNG files by name, as `write_evaluation` makes them.
        mistakes: the worst of them.
        overlays: the best and the worst photos.
    """
    confusions = [(QUESTIONS[key], confusion_rows(result)) for key, result in evaluation.classification.items()]
    for title, found in (("Damage, by what is annotated", evaluation.damage), ("Parts, by what is annotated", evaluation.parts)):
        if found is not None and found.confusion is not None:
            confusions.append((title, found_confusion_rows(found.confusion)))
    return render_page(
        "evaluation.html",
        title=f"{evaluation.bundle.name} {evaluation.bundle.version}",
        head=head(evaluation),
        notes=evaluation.notes,
        sections=list(evaluation_sections(evaluation)),
        confusions=confusions,
        plots=[(name.replace("_", " "), picture_address(data, "png")) for name, data in (plots or {}).items()],
        overlays=_shown(OVERLAYS, overlays),
        mistakes=_shown(MISTAKES, mistakes),
    )


def _shown(kinds: Mapping[str, str], gathered: Mistakes | Overlays | None) -> list[tuple[str, list[tuple[str, str]]]]:
    """Pictures with what is said of them, kind by kind, those without any left out."""
    pictures: dict[str, list[Picture]] = {} if gathered is None else {kind: gathered.of(kind) for kind in kinds}
    return [
        (kinds[kind], [(picture_address(one.jpeg, "jpeg"), f"{one.photo}: {one.text}") for one in of_kind])
        for kind, of_kind in pictures.items()
        if of_kind
    ]


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
        overlays=(),
        mistakes=(),
    )
