"""Triples of type, part and severity, matched as CarDamageEval matches what is said of a photo: word for word, wherever it lies.

A photo's findings are a list of such triples, and so are its annotations. Each told triple takes an equal annotated one that is
still free; precision and recall are shares of all told and of all annotated ones, and F1 is their harmonic mean. Where
annotations tell less, shorter ones are matched: a photo counts for those of which all its annotated damages tell everything.

Source: the structured tier of CarDamageEval (Hasan et al., AusDM 2025), as its page describes it and as the figures printed for
CarDVLM agree with. Its accuracy is not defined there, and is left out here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from dentify.arrays import BoolArray, IntArray
from dentify.assessment import Assessment
from dentify.datasets.sample import UNTYPED, Annotation, Sample, kind_of
from dentify.evaluation.bitmaps import bitmap, frame_of
from dentify.evaluation.bootstrap import photo_weights
from dentify.evaluation.classification import known_or_none
from dentify.evaluation.outlines import annotation_rle
from dentify.evaluation.questions import told_mean
from dentify.evaluation.results import TripleFigures
from dentify.imaging.masks import mask_to_box
from dentify.part_naming import parts_of_findings
from dentify.runtime.instances import Instances, instances_of_crops

Said = tuple[str | None, ...]
"""A type, or a type with its part, its severity, or both; `None` for a part where it lies on none."""
FIELDS: dict[str, tuple[int, ...]] = {
    "type": (0,),
    "type_part": (0, 1),
    "type_severity": (0, 2),
    "type_part_severity": (0, 1, 2),
}
"""What is matched, by the places of its fields in a triple."""
_PART, _SEVERITY = 1, 2


def triples_row(told: Assessment, sample: Sample, labelled: Sequence[str], *, parts: bool, severity: bool) -> dict[str, IntArray]:
    """Counts `(3,)` of one photo, matched, told and annotated, of each of `FIELDS` that it can be judged by.

    A photo with regions in which findings are neither right nor wrong is judged by nothing: words do not tell where findings lie.

    Args:
        told: as a user gets it.
        sample: the photo, of known size.
        labelled: damage types that its source labels; findings of others are left out.
        parts: whether the bundle names parts.
        severity: whether it tells severity.
    """
    damages = [damage for damage in sample.damages if damage.name in labelled]
    elsewhere = any(one.kind == "damage" for one in sample.ignored) or any(one.name == UNTYPED for one in sample.damages)
    if not labelled or elsewhere or any(damage.crowd for damage in damages):
        return {}
    on = _parts_of(damages, sample)
    true: list[Said] = [
        (damage.name, part, damage.severity) for damage, part in zip(damages, on or [None] * len(damages), strict=True)
    ]
    said: list[Said] = [
        (
            finding.type,
            finding.parts[0].name if finding.parts else None,
            None if finding.severity is None else finding.severity.level,
        )
        for finding in told.findings
        if finding.type in labelled
    ]
    known = {0}
    if parts and on is not None:
        known.add(_PART)
    if severity and all(damage.severity is not None for damage in damages):
        known.add(_SEVERITY)
    return {
        key: matched_counts([_fields(one, places) for one in said], [_fields(one, places) for one in true])
        for key, places in FIELDS.items()
        if known.issuperset(places)
    }


def matched_counts(told: Sequence[Said], annotated: Sequence[Said]) -> IntArray:
    """`(3,)`: how many match, each with one other at most; how many are told; how many are annotated.

    >>> matched_counts([("dent", "hood"), ("dent", "hood"), ("crack", None)], [("dent", "hood"), ("scratch", "hood")]).tolist()
    [1, 3, 2]
    """
    return np.array([(Counter(told) & Counter(annotated)).total(), len(told), len(annotated)], np.int64)


def _fields(said: Said, places: Sequence[int]) -> Said:
    return tuple(said[place] for place in places)


def _parts_of(damages: Sequence[Annotation], sample: Sample) -> list[str | None] | None:
    """The part that each damage lies on by the outlines of both, named as findings are; `None` where no parts are labelled."""
    names = sorted(name for name in sample.labelled if kind_of(name) == "part")
    if not names:
        return None
    parts = [part for part in sample.parts if part.name in names]
    types = sorted({damage.name for damage in damages})
    found = parts_of_findings(_instances(damages, types, sample), _instances(parts, names, sample), types=types, names=names)
    return [named[0].name if named else None for named in found]


def _instances(annotations: Sequence[Annotation], names: Sequence[str], sample: Sample) -> Instances:
    """Annotations as if they had been found."""
    assert sample.size_hw is not None
    frame_hw = frame_of(sample.size_hw)
    crops: list[tuple[float, tuple[int, int, int, BoolArray]]] = []
    for annotation in annotations:
        mask = bitmap(annotation_rle(annotation, sample.size_hw), frame_hw)
        x_min, y_min, x_max, y_max = (int(side) for side in mask_to_box(mask) or (0, 0, 1, 1))
        crops.append((1.0, (names.index(annotation.name), x_min, y_min, mask[y_min:y_max, x_min:x_max])))
    return instances_of_crops(crops, frame_hw, sample.size_hw)


def triples_results(rows: Sequence[Mapping[str, IntArray]], resamples: int, seed: int) -> dict[str, TripleFigures]:
    """Figures of each of `FIELDS` that a photo was judged by."""
    results = {}
    for key in FIELDS:
        counts = np.array([row[key] for row in rows if key in row]).reshape(-1, 3)
        if not len(counts):
            continue
        weights = np.concatenate([np.ones((1, len(counts)), np.int64), photo_weights(len(counts), resamples, seed)])
        matched, told, annotated = (weights @ counts).T.astype(np.float64)  # the first of each is the figure itself
        with np.errstate(invalid="ignore", divide="ignore"):
            figures = {"precision": matched / told, "recall": matched / annotated, "f1": 2 * matched / (told + annotated)}
        results[key] = TripleFigures(
            photos=len(counts),
            matched=int(matched[0]),
            told=int(told[0]),
            annotated=int(annotated[0]),
            **{name: told_mean((known_or_none(one[0]), one[1:]), ("photos",)) for name, one in figures.items()},
        )
    return results
