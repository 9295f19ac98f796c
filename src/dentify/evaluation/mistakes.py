"""The worst mistakes as small pictures: the surest wrong answers and findings, and the biggest damages that were missed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dentify.datasets.sample import Annotation
from dentify.evaluation.foremost import Foremost, Picture, drawn_thing
from dentify.evaluation.judge import Assessed, Seen
from dentify.evaluation.outlines import area
from dentify.evaluation.questions import GATE_CLASSES
from dentify.settings import Settings

MOST = 12
"""Of each kind."""
KINDS = {
    "vehicle": "Vehicle or not: the surest wrong answers",
    "damage": "Damaged or not: the surest wrong answers",
    "types": "Types of the photo: the surest wrong answers",
    "findings": "The surest wrong findings (coloured: the finding; grey: what is annotated)",
    "missed": "The biggest damages that were not told",
}


class Mistakes:
    """Gathers the worst mistakes of an evaluation.

    Args:
        most: of each kind.
        settings: limits on photos.
    """

    def __init__(self, *, most: int = MOST, settings: Settings | None = None) -> None:
        self._kept = {kind: Foremost(most, settings or Settings()) for kind in KINDS}

    def of(self, kind: str) -> list[Picture]:
        """Those of one of `KINDS`, the worst first: ranked by a confidence, or by a share of the photo."""
        return self._kept[kind].pictures

    def collect(self, assessed: Assessed, seen: Seen | None) -> None:
        """Takes those of one photo that are among the worst so far.

        Args:
            assessed: the photo, its picture still at hand, and what was said of it.
            seen: its damages, where any are labelled.
        """
        sample = assessed.sample
        for kind, badness, text in (*_wrong_gates(assessed), *_wrong_types(assessed)):
            self._kept[kind].offer((badness,), text, sample)
        if seen is None:
            return
        for badness, text, finding in _wrong_findings(seen):
            around = tuple(replace(one, unsure=True) for one in sample.annotations)
            self._kept["findings"].offer((badness,), text, replace(sample, annotations=(*around, finding)))
        for badness, text, damage in _missed(seen):
            self._kept["missed"].offer((badness,), text, replace(sample, annotations=(damage,)))


def _wrong_gates(assessed: Assessed) -> Iterator[tuple[str, float, str]]:
    """Answers of the gates that are wrong, with their confidence."""
    for row in assessed.gates[:1]:  # the photo itself, before its close-ups
        truths = {
            "vehicle": row.kind != "no_vehicle",
            "damage": row.kind == "damaged" if row.kind in ("damaged", "undamaged") else None,
        }
        told = {"vehicle": (row.vehicle_present, row.vehicle), "damage": (row.damage_alone_present, row.damage_alone)}
        for gate, truth in truths.items():
            present, yes = told[gate]
            if truth is not None and present is not None and yes is not None and present != truth:
                sure = yes if present else 1 - yes
                yield gate, sure, f"is {GATE_CLASSES[gate][truth]}, told {GATE_CLASSES[gate][present]} ({sure:.2f})"


def _wrong_types(assessed: Assessed) -> Iterator[tuple[str, float, str]]:
    """The surest type that is told wrongly or missed, of those that are known."""
    if assessed.types is None:
        return
    row, names = assessed.types, assessed.types.names
    wrong = [
        (probability if told else 1 - probability, name, told)
        for name, shown, told, probability in zip(names, row.shown, row.told, row.probabilities, strict=True)
        if shown is not None and shown != told
    ]
    if wrong:
        sure, name, told = max(wrong)
        shows = ", ".join(one for one, shown in zip(names, row.shown, strict=True) if shown) or "none of them"
        yield "types", sure, f"{'told' if told else 'not told'} {name} ({sure:.2f}), shows {shows}"


def _wrong_findings(seen: Seen) -> Iterator[tuple[float, str, Annotation]]:
    """Told findings of labelled types that lie on no free annotation of theirs, with their confidence."""
    for name, counts in seen.tally.names.items():
        of_name = seen.told.of(name)
        wrong = ~(counts.told.right[0] | counts.told.left_out[0])
        for place in wrong.nonzero()[0].tolist():
            score = float(of_name.scores[place])
            yield score, f"told {name} ({score:.2f})", drawn_thing(of_name, place)


def _missed(seen: Seen) -> Iterator[tuple[float, str, Annotation]]:
    """Annotated damages that no told finding of their type lies on, with the share of the photo that they take."""
    for name, counts in seen.tally.names.items():
        of_name = seen.truth.of(name)
        for place in counts.told.unmatched[0].nonzero()[0].tolist():
            height, width = of_name.rles[place]["size"]
            share = area(of_name.rles[place]) / (height * width)
            yield share, f"{name}, {100 * share:.1f} % of the photo", drawn_thing(of_name, place)
