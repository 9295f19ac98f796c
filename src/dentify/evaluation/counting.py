"""How many findings a photo gets, against how many were annotated; and what connected components would say.

Functions take plain counts by type, so that an assessment's findings, a model's `Instances` and the components of its maps are
judged alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import cv2
import numpy as np
from hotcoco import mask as coco_mask

from dentify.arrays import IntArray
from dentify.assessment import Assessment
from dentify.datasets.sample import UNTYPED, Sample
from dentify.evaluation.bootstrap import interval, photo_weights
from dentify.evaluation.outlines import Things, union
from dentify.evaluation.results import CountingResult, Mean
from dentify.runtime.instances import Instances


def annotated_counts(sample: Sample) -> dict[str, int]:
    """Annotated damages by type; a labelled type without any counts 0, an unlabelled one is not there.

    Damage of a type that nobody told is no type's, and is not there either.
    """
    counts = Counter(annotation.name for annotation in sample.damages if not annotation.crowd)
    return {name: counts[name] for name in sorted((sample.labelled | set(counts)) - {UNTYPED})}


def found_counts(found: Assessment | Instances, class_names: Sequence[str] = ()) -> dict[str, int]:
    """Findings by type.

    Args:
        found: an assessment, or a model's instances.
        class_names: names of the instances' class ids.
    """
    if isinstance(found, Assessment):
        return dict(Counter(finding.type for finding in found.findings))
    return dict(Counter(class_names[class_id] for class_id in found.class_ids.tolist()))


def component_counts(found: Things) -> dict[str, int]:
    """Connected components (of eight neighbours) of each type's pixels, all findings of a type drawn together.

    What one gets without instances: two dents that touch are one, a scratch in three strokes is three.
    """
    counts = {}
    for name in sorted(set(found.names)):
        rles = found.of(name).rles
        height, width = rles[0]["size"]
        bitmap = np.ascontiguousarray(coco_mask.decode(union(rles, (height, width))))
        counts[name] = cv2.connectedComponents(bitmap, connectivity=8)[0] - 1
    return counts


def count_error(counted: Mapping[str, int], annotated: Mapping[str, int], names: Collection[str]) -> int:
    """By how many the number of findings of some types is off on one photo, all types together.

    >>> count_error({"dent": 1, "crack": 4}, {"dent": 2, "scratch": 1}, ["dent", "scratch"])
    2
    """
    return abs(sum(counted.get(name, 0) - annotated.get(name, 0) for name in names))


def mean_count_error(pairs: Iterable[tuple[Mapping[str, int], Sample]]) -> float | None:
    """Mean absolute error of the number of findings a photo, over the types that each photo's source labels.

    Photos with regions in which findings are neither right nor wrong are passed over: numbers do not tell where findings lie.

    Args:
        pairs: counted findings by type and the photo's sample.
    """
    errors = [
        count_error(counted, annotated := annotated_counts(sample), list(annotated))
        for counted, sample in pairs
        if not any(one.kind == "damage" for one in sample.ignored) and all(one.name != UNTYPED for one in sample.damages)
    ]
    return float(np.mean(errors)) if errors else None


def counting_result(errors: IntArray, resamples: int, seed: int) -> CountingResult:
    """Means over photos, with intervals.

    Args:
        errors: `(P, 2)` of findings, and of connected components.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    weights = photo_weights(len(errors), resamples, seed)
    resampled = weights @ errors / len(errors)  # (B, 2)
    findings, components = (
        Mean(value=float(errors[:, column].mean()), interval=interval(resampled[:, column]), over=("photos",))
        for column in (0, 1)
    )
    return CountingResult(findings=findings, components=components, photos=len(errors))
