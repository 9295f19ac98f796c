"""`prelabel`: what a bundle finds on photos, as drafts for annotators; those that it is not sure of are marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from dentify.assessment import Assessment
from dentify.assessor import Assessor
from dentify.datasets.sample import Annotation, Sample
from dentify.errors import DentifyError
from dentify.sources import SourcePhoto

CHECK_BELOW = 0.5
"""Findings that are told with less confidence are marked."""


def prelabel(
    photos: Iterable[SourcePhoto],
    assessor: Assessor,
    *,
    score_threshold: float | None = None,
    parts: bool = False,
    check_below: float = CHECK_BELOW,
    on_error: Callable[[DentifyError], None],
    on_photo: Callable[[], None] = lambda: None,
) -> Iterator[Sample]:
    """A draft for each photo, one by one; gates are off, since it is a person who decides.

    Args:
        photos: what `iter_photos` gives.
        assessor: with the bundle to ask.
        score_threshold: from which confidence on findings are drafted; the bundle's own without it.
        parts: whether parts are drafted as well.
        check_below: findings of less confidence are marked, and those that the bundle wants reviewed.
        on_error: is given what is wrong with a photo that cannot be read, which is then left out.
        on_photo: called after each photo, for progress.
    """
    manifest = assessor.bundle.manifest
    labelled = frozenset([*manifest.found_types, *(manifest.classes.parts if parts else ())])
    for photo in photos:
        try:
            data = photo.read()
            decoded = assessor.decode(data, name=photo.where)
            assessment = assessor.assess(decoded, name=photo.name, score_threshold=score_threshold, gates=False)
        except DentifyError as error:
            on_error(error)
        else:
            yield _draft(assessment, data, photo.name, labelled, parts=parts, check_below=check_below)
        on_photo()


def _draft(
    assessment: Assessment, data: bytes, name: str, labelled: frozenset[str], *, parts: bool, check_below: float
) -> Sample:
    marked = {reason.finding for reason in assessment.review.reasons if reason.finding is not None}
    annotations = [
        Annotation(
            name=finding.type,
            box_xyxy=finding.box,
            rle=finding.mask,
            severity=finding.severity.level if finding.severity is not None else None,
            score=finding.confidence,
            check=finding.confidence < check_below or finding.id in marked,
        )
        for finding in assessment.findings
    ]
    if parts:
        annotations += [
            Annotation(part.name, part.box, rle=part.mask, score=part.confidence, check=part.confidence < check_below)
            for part in assessment.parts
        ]
    return Sample(
        image=data,
        name=name,
        size_hw=(assessment.photo.height, assessment.photo.width),
        annotations=tuple(annotations),
        labelled=labelled,
        where=name,
    )
