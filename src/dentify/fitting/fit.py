"""Scorer, confidences and thresholds of a bundle from labelled photos that its networks never saw in training.

    fitted = fit_bundle(Bundle.open("my-bundle"), samples, seed=0)
    write_bundle("my-bundle-fitted", fitted.manifest, bundle.files)

Each photo goes through the networks as it is and mirrored. What is kept of it is small: candidates, truth, a few logits. What
the photos tell nothing of stays as the bundle has it, and a note says why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from dentify.arrays import BoolArray, DoubleArray, FloatArray, IntArray, Matrix
from dentify.bundle.manifest import (
    Calibration,
    GateCalibration,
    Grouping,
    Manifest,
    ScoreCalibration,
    Scorer,
    SeverityCalibration,
    Thresholds,
    TypesCalibration,
)
from dentify.bundle.open import Bundle
from dentify.datasets.crops import crops_of
from dentify.datasets.dataset import decode_picture
from dentify.datasets.sample import UNTYPED, Sample, has_vehicle, is_damaged, types_shown, worst_severity
from dentify.errors import BundleError, DatasetError, printable
from dentify.fitting.confidence import (
    LEAST_LEVELS,
    balanced,
    calibrate,
    fit_curves,
    fit_gate,
    fit_temperature,
    fit_yes_temperature,
    gate_probabilities,
)
from dentify.fitting.evidence import Evidence, Matched, cross_match, gather, match, silenced
from dentify.fitting.figures import figures_of, mean_precision50
from dentify.fitting.scorer import fit_scorer
from dentify.fitting.thresholds import choose_thresholds, gate_threshold
from dentify.imaging.views import mirrored_view, whole_view
from dentify.in_order import map_in_order
from dentify.runtime.networks import Answers, Networks
from dentify.runtime.probabilities import sigmoid
from dentify.settings import Settings
from dentify.strict import nearest

GROUPING = Grouping(
    levels=(0.15, 0.3, 0.45, 0.6, 0.75), radii=(0, 4, 11), min_cells=12, overlap=0.5, spread_to=0.45, upscale=3, part_upscale=4
)
"""For a network that was just trained, with maps of about 200 × 200 cells; its scorer is fitted here."""

CLOSE_UP_WEIGHT = 0.25
"""Of a random close-up when gates are fitted: many show more street than car."""
STRICTNESS = {"vehicle": 1.0, "damage": 0.5}
"""Which of the thresholds that are about as good: other things vary more than the few held-out photos of them show."""
EVEN_CHANCE = 0.5
"""The damage gate says yes to what is likelier than not: they are calibrated, and a person looks at what is unsure."""
LEAST_ANSWERS = 10
"""Photos of either answer without which a gate is not fitted."""
MOST_MISTAKES = 0.5
"""Shares of either kind of mistake, in sum, above which a gate is not fitted: chance makes 1, by turning all or none away."""
LEAST_INSTANCES = 5
"""Annotated instances without which a type keeps its threshold."""
LEAST_OUTLINED = 20
"""Photos with outlines of damage without which nothing is fitted to findings; near-duplicates count as one."""


@dataclass(frozen=True)
class Fitted:
    """What labelled photos taught a bundle.

    Attributes:
        manifest: the bundle's, with scorer, calibration and thresholds as fitted; nothing else is changed.
        figures: on these photos, cross-fitted: no photo's findings were scored by a scorer that saw it. Empty without outlines.
        before: the same figures with the bundle as it was.
        photos: how many photos there were.
        notes: what could not be fitted, and why.
    """

    manifest: Manifest
    figures: dict[str, float]
    before: dict[str, float]
    photos: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Gate:
    """How a gate decides."""

    calibration: GateCalibration
    threshold: float

    def lets_through(self, logit: float) -> bool:
        """Whether a photo with this logit passes."""
        return bool(gate_probabilities(np.array([logit]), self.calibration)[0] >= self.threshold)


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


def fit_bundle(
    bundle: Bundle,
    samples: Iterable[Sample],
    *,
    seed: int = 0,
    close_ups: int = 1,
    settings: Settings | None = None,
    workers: int = 1,
    threads: int | None = None,
    on_photo: Callable[[Sample], None] | None = None,
) -> Fitted:
    """Fits a bundle's scorer, confidences, thresholds and gates to labelled photos.

    Args:
        bundle: whose networks are asked; its `grouping` says how candidates are made.
        samples: labelled photos that training never saw, taken one by one; photos of one `group` teach and judge together.
        seed: of the scorer and of the close-ups.
        close_ups: to cut from each photo of a sound vehicle, for the gates: whole vehicles alone would not show where these err.
        settings: limits on photos.
        workers: photos in work at a time.
        threads: of a network's run; all processors that this process may use where not given.
        on_photo: called after each photo.

    Raises:
        BundleError: the bundle has nothing that can be fitted.
        DatasetError: a photo cannot be read, none is given, no label is one of the bundle's types, or nothing can be fitted.
    """
    check_fittable(bundle)
    settings = settings or Settings()
    networks = Networks(bundle.manifest, bundle.files, threads=threads, where=bundle.where, settings=settings)
    look = partial(look_at, networks, bundle.manifest, seed=seed, close_ups=close_ups, settings=settings)
    everything = Seen()
    names: set[str] = set()
    numbers: dict[tuple[str | None, str], int] = {}
    photos = 0
    for sample, seen in map_in_order(look, samples, workers=workers):
        number = numbers.setdefault((sample.source, sample.group or sample.name), len(numbers))
        everything.evidence.extend(replace(evidence, photo=number) for evidence in seen.evidence)
        everything.asked.extend(seen.asked)
        everything.levels.extend(seen.levels)
        everything.types.extend(seen.types)
        names |= {damage.name for damage in sample.damages} - ({UNTYPED} - set(bundle.manifest.classes.damage))
        photos += 1
        if on_photo is not None:
            on_photo(sample)
    if not photos:
        raise DatasetError("no photo to fit to")
    if bundle.manifest.classes.damage:
        check_names(names, bundle.manifest.classes.damage)
    return fit_seen(everything, bundle.manifest, photos=photos, seed=seed)


def check_fittable(bundle: Bundle) -> None:
    """Makes sure that a bundle answers something that can be fitted.

    Raises:
        BundleError: it does not.
    """
    roles = bundle.manifest.roles
    if not (roles.vehicle_gate or roles.damage_gate or roles.types or roles.damage or roles.severity):
        raise BundleError(f"{bundle.where}: has no gate, damage or severity, so nothing can be fitted")
    if other := next((member.kind for member in roles.damage if member.kind != "maps"), None):
        raise BundleError(f"{bundle.where}: tells damage as {other}; only bundles that tell it as maps can be fitted")


def check_names(names: Iterable[str], taught: Sequence[str]) -> None:
    """Makes sure that some annotated damage is of a type that the bundle knows.

    Raises:
        DatasetError: all are of others; the message names them with the nearest.
    """
    unknown = sorted(names)
    if not unknown or set(unknown) & set(taught):
        return
    told = ", ".join(printable(name) for name in unknown)
    near = next(filter(None, (nearest(name.casefold(), taught) for name in unknown)), "")
    raise DatasetError(
        f"the labels name {told}; the bundle was taught {', '.join(taught)}; say in --labels what each becomes{near}"
    )


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
        if judged and answers.types is not None:
            seen.evidence.append(
                gather(
                    sample,
                    answers.types,
                    answers.auxiliary,
                    partial(_view, photo.photo_hw, mirrored=mirrored),
                    names,
                    manifest.grouping,
                    gates=_logits(answers),
                )
            )
    if close_ups and (manifest.roles.vehicle_gate or manifest.roles.damage_gate) and sample.vehicle and sample.damage is False:
        for crop in crops_of(sample, close_ups, seed=seed, settings=settings):
            picture = decode_picture(crop, settings, enough_side=networks.enough_side)
            answers = networks.ask(picture.image, photo_hw=picture.photo_hw)
            seen.asked.extend(_asked(answers, True, False, CLOSE_UP_WEIGHT, sample.source))
    return seen


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


def fit_seen(seen: Seen, manifest: Manifest, *, photos: int, seed: int) -> Fitted:
    """All that is fitted, once every photo was seen.

    Raises:
        DatasetError: nothing could be.
    """
    notes: list[str] = []
    roles, calibration, thresholds = manifest.roles, manifest.calibration, manifest.thresholds
    before = {
        gate: Gate(own, threshold)
        for gate, own, threshold, role in (
            ("vehicle", calibration.vehicle, thresholds.vehicle, roles.vehicle_gate),
            ("damage", calibration.damage, thresholds.damage, roles.damage_gate),
        )
        if role
    }
    gates = {gate: fit_gate_of(gate, own, seen.asked, notes) for gate, own in before.items()}
    severity = _severity(seen.levels, calibration.severity, notes) if roles.severity else calibration.severity
    types = Types(calibration.types, thresholds.types)
    if roles.types:
        types = fit_types(seen.types, types, manifest.classes.types, notes)
    found = _Findings(manifest.grouping.scorer, calibration.findings, thresholds.findings, {}, {}, fitted=False)
    if roles.damage:
        found = _findings(seen.evidence, manifest, before, gates, notes, seed=seed)
    fitted = manifest.model_copy(
        update={
            "grouping": manifest.grouping.model_copy(update={"scorer": found.scorer}),
            "calibration": Calibration(
                vehicle=gates["vehicle"].calibration if "vehicle" in gates else calibration.vehicle,
                damage=gates["damage"].calibration if "damage" in gates else calibration.damage,
                types=types.calibration,
                findings=found.curves,
                severity=severity,
            ),
            "thresholds": Thresholds(
                vehicle=gates["vehicle"].threshold if "vehicle" in gates else thresholds.vehicle,
                damage=gates["damage"].threshold if "damage" in gates else thresholds.damage,
                types=types.thresholds,
                findings=found.thresholds,
                parts=thresholds.parts,
            ),
        }
    )
    whole = severity is not calibration.severity or types.calibration is not calibration.types
    if not (found.fitted or whole or any(gates[gate] is not before[gate] for gate in gates)):
        raise DatasetError(f"nothing can be fitted to {_photos(photos)}: {'; '.join(notes)}")
    return Fitted(fitted, found.figures, found.before, photos, tuple(notes))


def fit_gate_of(gate: str, own: Gate, asked: Sequence[Asked], notes: list[str]) -> Gate:
    """A gate's calibration and threshold; its own where the photos do not show both answers often enough."""
    mine = [one for one in asked if one.gate == gate]
    truth = np.array([one.answer for one in mine], np.bool_)
    weights = np.array([one.weight for one in mine])
    yes, no = (round(float(weights[(truth == answer) & (weights == 1.0)].sum())) // 2 for answer in (True, False))  # seen twice
    if min(yes, no) < LEAST_ANSWERS:
        of = {"vehicle": "with a vehicle", "damage": "with damage"}[gate]
        notes.append(f"the {gate} gate stays: {_photos(yes)} {of} and {no} without, it takes {LEAST_ANSWERS} of either")
        return own
    weights = weights * source_weights(mine)
    logits = np.array([one.logit for one in mine])
    calibration = fit_gate(logits, truth, weights)
    probabilities = gate_probabilities(logits, calibration)
    threshold = gate_threshold(probabilities, truth, weights, strictness=STRICTNESS[gate])
    if gate == "damage":
        threshold = min(threshold, EVEN_CHANCE)
    mistakes = balanced(truth, weights)[truth != (probabilities >= threshold)].sum()
    if mistakes > MOST_MISTAKES:
        notes.append(f"the {gate} gate stays: it tells these photos apart hardly better than chance")
        return own
    return Gate(calibration, threshold)


def source_weights(asked: Sequence[Asked]) -> DoubleArray:
    """`(N,)`: a source counts by the square root of its photos of an answer.

    People's photos are of sources that are not here: one that happens to have most photos must not decide alone, and one of
    three photos must not either.

    >>> source_weights([Asked("damage", 0.0, True, 1.0, source) for source in "aaaab"]).tolist()
    [0.5, 0.5, 0.5, 0.5, 1.0]
    """
    counts: dict[tuple[bool, str | None], float] = defaultdict(float)
    for one in asked:
        counts[one.answer, one.source] += one.weight
    return np.array([1 / np.sqrt(counts[one.answer, one.source]) for one in asked])


def _severity(levels: Sequence[tuple[FloatArray, int]], own: SeverityCalibration, notes: list[str]) -> SeverityCalibration:
    if len(levels) < LEAST_LEVELS:
        notes.append(f"severity stays: {_photos(len(levels) // 2)} of known severity, it takes {-(-LEAST_LEVELS // 2)}")
        return own
    return fit_temperature([logits for logits, _ in levels], [level for _, level in levels])


@dataclass(frozen=True)
class Types:
    """How the types of a photo as a whole are told."""

    calibration: TypesCalibration
    thresholds: float | dict[str, float]


def fit_types(
    seen: Sequence[tuple[FloatArray, tuple[bool | None, ...]]], own: Types, names: Sequence[str], notes: list[str]
) -> Types:
    """Temperature and thresholds for the types of photos as a whole; their own where too few photos are labelled with these.

    Args:
        seen: of each view `(C,)` logits, and of each type whether the photo shows it.
        own: as the bundle has them.
        names: of the types.
        notes: is told what stays.
    """
    if own.calibration.exclusive:
        one = [(logits, shown.index(True)) for logits, shown in seen if shown.count(True) == 1 and None not in shown]
        if len(one) < LEAST_LEVELS:
            notes.append(f"types stay: {_photos(len(one) // 2)} of one known type, it takes {-(-LEAST_LEVELS // 2)}")
            return own
        temperature = fit_temperature([logits for logits, _ in one], [place for _, place in one]).temperature
        return Types(TypesCalibration(temperature=temperature, exclusive=True), own.thresholds)
    asked = {}
    for place, name in enumerate(names):
        known = [(logits[place], shown[place]) for logits, shown in seen if shown[place] is not None]
        truth = np.array([answer for _, answer in known], np.bool_)
        if min(truth.sum(), (~truth).sum()) >= 2 * LEAST_ANSWERS:  # seen twice
            asked[name] = np.array([logit for logit, _ in known], np.float64), truth
        else:
            notes.append(f"{name} of a photo as a whole keeps its threshold: it takes {LEAST_ANSWERS} photos with and without")
    if not asked:
        return own
    logits, truth = (np.concatenate(parts) for parts in zip(*asked.values(), strict=True))
    calibration = TypesCalibration(temperature=fit_yes_temperature(logits, truth))
    assert isinstance(own.thresholds, dict)
    thresholds = {name: gate_threshold(sigmoid(z / calibration.temperature), right) for name, (z, right) in asked.items()}
    return Types(calibration, own.thresholds | thresholds)


@dataclass(frozen=True)
class _Findings:
    """How findings are scored and told, and how good they are so."""

    scorer: Scorer | None
    curves: Mapping[str, ScoreCalibration]
    thresholds: Mapping[str, float]
    figures: dict[str, float]
    before: dict[str, float]
    fitted: bool


def _findings(
    evidence: Sequence[Evidence],
    manifest: Manifest,
    gates_before: Mapping[str, Gate],
    gates: Mapping[str, Gate],
    notes: list[str],
    *,
    seed: int,
) -> _Findings:
    """Scorer, curves and thresholds of findings."""
    names, grouping = manifest.classes.damage, manifest.grouping
    own = _Findings(grouping.scorer, manifest.calibration.findings, manifest.thresholds.findings, {}, {}, fitted=False)
    outlined = len({photo.photo for photo in evidence if len(photo.types)})
    if not evidence:
        notes.append(f"findings stay: {_photos(outlined)} with outlines, it takes {LEAST_OUTLINED}")
        return own
    matched = [match(photo, grouping, own.scorer) for photo in evidence]
    before = _figures(matched, gates_before, own.curves, own.thresholds, manifest)
    own = replace(own, figures=_figures(matched, gates, own.curves, own.thresholds, manifest), before=before)
    if outlined < LEAST_OUTLINED:
        notes.append(f"findings stay: {_photos(outlined)} with outlines, it takes {LEAST_OUTLINED}")
        return own

    # What a gate holds back is never told, so scorer, confidences and thresholds need not guard against it.
    def fit(some: Sequence[Evidence]) -> Scorer | None:
        return fit_scorer([photo for photo in some if passes(photo, gates)], len(names), seed=seed)

    labelled: BoolArray = np.any([photo.known for photo in evidence], axis=0)
    unlabelled = [name for name, is_known in zip(names, labelled, strict=True) if not is_known]
    scorer = own.scorer
    crossed = None
    if unlabelled and scorer is not None:
        notes.append(f"the scorer stays: it scores {', '.join(unlabelled)} too, which no photo labels")
    else:
        crossed = cross_match(evidence, grouping, fit)
        if crossed is None:
            notes.append("the scorer stays: too few right and wrong candidates to tell them apart by")
        elif scorer is not None and mean_precision50(crossed, len(names)) <= mean_precision50(matched, len(names)):
            notes.append("the scorer stays: one from these photos ranks findings no better")
            crossed = None
        else:
            scorer, matched = fit(evidence), crossed
    fitted = fit_curves([photo for photo in matched if passes(photo.evidence, gates)], names)
    if not fitted:
        notes.append(
            "confidences stay: too few findings" if crossed is None else "confidences are the scorer's: too few findings"
        )
    curves = {} if crossed is not None else dict(own.curves)
    curves |= {name: curve for name, curve in fitted.items() if crossed is not None or name not in unlabelled}
    instances = _instances(evidence, len(names))
    few = [name for name, count in zip(names, instances.tolist(), strict=True) if count < LEAST_INSTANCES]
    if few:
        notes.append(f"thresholds of {', '.join(few)} stay: fewer than {LEAST_INSTANCES} are annotated")
    told = _through(calibrate(matched, curves, names), gates)
    thresholds = choose_thresholds(told, names, kept={name: own.thresholds[name] for name in few})
    figures = _figures(matched, gates, curves, thresholds, manifest)
    return _Findings(scorer, curves, thresholds, figures, before, fitted=True)


def passes(photo: Evidence, gates: Mapping[str, Gate]) -> bool:
    """Whether every gate lets a photo through."""
    return all(gates[gate].lets_through(logit) for gate, logit in photo.gates.items())


def _through(matched: Sequence[Matched], gates: Mapping[str, Gate]) -> list[Matched]:
    return [photo if passes(photo.evidence, gates) else silenced(photo) for photo in matched]


def _figures(
    matched: Sequence[Matched],
    gates: Mapping[str, Gate],
    curves: Mapping[str, ScoreCalibration],
    thresholds: Mapping[str, float],
    manifest: Manifest,
) -> dict[str, float]:
    names = manifest.classes.damage
    scored = calibrate(matched, curves, names)
    return figures_of(scored, _through(scored, gates), names, thresholds, manifest.grouping.upscale)


def _instances(evidence: Sequence[Evidence], num_types: int) -> IntArray:
    """`(C,)` how many instances of each type are annotated; each photo was seen twice."""
    types = np.concatenate([np.zeros(0, np.int64), *(photo.types for photo in evidence)])
    return np.asarray(np.bincount(types, minlength=num_types) // 2, np.int64)


def _photos(count: int) -> str:
    return f"{count} photo" if count == 1 else f"{count} photos"
