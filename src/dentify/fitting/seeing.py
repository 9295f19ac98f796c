"""What is kept of labelled photos once the networks were asked: candidates beside the truth, and a few logits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from dentify.arrays import FloatArray, Matrix
from dentify.bundle.manifest import Manifest
from dentify.datasets.crops import crops_of
from dentify.datasets.sample import Sample, has_vehicle, is_damaged, types_shown, worst_severity
from dentify.datasets.sample_picture import decode_picture
from dentify.fitting.evidence import Evidence, gather, gather_found
from dentify.imaging.views import mirrored_view, whole_view
from dentify.runtime.decoders import damage_instances
from dentify.runtime.networks import Answers, Networks
from dentify.settings import Settings

CLOSE_UP_WEIGHT = 0.25
"""Of a random close-up when gates are fitted: many show more street than car."""


@dataclass(frozen=True)
class Asked:
    """A gate's logit for one view, beside the right answer; `source` is the photo's."""

    gate: str
    logit: float
    answer: bool
    weight: float
    source: str | None = None


@dataclass(frozen=True)
class Seen:
    """What is kept of a photo, or of all."""

    evidence: list[Evidence] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    levels: list[tuple[FloatArray, int]] = field(default_factory=list)
    types: list[tuple[FloatArray, tuple[bool | None, ...]]] = field(default_factory=list)


def look_at(networks: Networks, manifest: Manifest, sample: Sample, *, seed: int, close_ups: int, settings: Settings) -> Seen:
    """One photo as it is and mirrored, and close-ups of it where it shows a sound vehicle."""
    seen = Seen()
    names, levels = manifest.classes.damage, manifest.classes.severity
    photo = decode_picture(sample, settings, enough_side=networks.enough_side)
    outlined = all(damage.has_mask for damage in sample.damages)
    judged = bool(manifest.roles.damage) and outlined and any(sample.knows(name) for name in names)
    worst = worst_severity(sample)
    for mirrored in (False, True):
        image = np.ascontiguousarray(photo.image[:, ::-1]) if mirrored else photo.image
        answers = networks.ask(image, photo_hw=photo.photo_hw)
        seen.asked.extend(_asked(answers, has_vehicle(sample), is_damaged(sample), 1.0, sample.source))
        if worst in levels and answers.photo_severity is not None:
            seen.levels.append((answers.photo_severity, levels.index(worst)))
        if answers.photo_types is not None:
            seen.types.append((answers.photo_types, types_shown(sample, manifest.classes.types)))
        if judged:
            seen.evidence.append(_evidence(sample, answers, manifest, photo.photo_hw, mirrored=mirrored))
    if close_ups and (manifest.roles.vehicle_gate or manifest.roles.damage_gate) and sample.vehicle and sample.damage is False:
        for crop in crops_of(sample, close_ups, seed=seed, settings=settings):
            picture = decode_picture(crop, settings, enough_side=networks.enough_side)
            answers = networks.ask(picture.image, photo_hw=picture.photo_hw)
            seen.asked.extend(_asked(answers, True, False, CLOSE_UP_WEIGHT, sample.source))
    return seen


def _evidence(sample: Sample, answers: Answers, manifest: Manifest, photo_hw: tuple[int, int], *, mirrored: bool) -> Evidence:
    """Candidates of maps beside the truth; what was found, fused, where members find things themselves."""
    view, names = partial(_view, photo_hw, mirrored=mirrored), manifest.classes.damage
    if answers.damage_tables:
        found = damage_instances(answers, manifest, photo_hw)
        assert found is not None
        return gather_found(sample, found, view, names, gates=_logits(answers))
    assert answers.types is not None
    return gather(sample, answers.types, answers.auxiliary, view, names, manifest.grouping, gates=_logits(answers))


def _view(photo_hw: tuple[int, int], grid_hw: tuple[int, int], *, mirrored: bool) -> Matrix:
    """The whole photo on a grid."""
    view = whole_view(photo_hw, grid_hw)
    return mirrored_view(view, grid_hw[1]) if mirrored else view


def _logits(answers: Answers) -> dict[str, float]:
    """Of the gates that the bundle has."""
    return {gate: logit for gate, logit in (("vehicle", answers.vehicle), ("damage", answers.damaged)) if logit is not None}


def _asked(answers: Answers, vehicle: bool | None, damaged: bool | None, weight: float, source: str | None) -> Iterator[Asked]:
    """The gates whose right answer is known."""
    known = {"vehicle": vehicle, "damage": damaged}
    for gate, logit in _logits(answers).items():
        answer = known[gate]
        if answer is not None:
            yield Asked(gate, logit, answer, weight, source)


def told_photos(count: int) -> str:
    """How many there are, in words."""
    return f"{count} photo" if count == 1 else f"{count} photos"
