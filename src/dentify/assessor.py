"""From a photo to its `Assessment`: the stages in order, each a plain function from arrays and numbers to a piece of the answer.

A *look* is what was seen: decode → quality → networks, decoded by kind. *Telling* is what is said of it: vehicle? → damaged? →
types of the photo as a whole → findings → parts of each → severity → review → report. One look can be told in several ways; only
telling calibrates and decides.

Gates decide what is told, not what is computed: without a vehicle nothing else is told, without damage no findings or types are,
and `gates=False` tells everything and still says what the gates think. Of a blank picture nothing is told in any case.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
from PIL import Image

from dentify import assessment as told
from dentify.arrays import FloatArray
from dentify.bundle.manifest import GateCalibration, Manifest, ScoreCalibration
from dentify.bundle.open import DEFAULT, Bundle
from dentify.errors import DentifyError, InputError, printable
from dentify.imaging.decode import DAMAGED_FILE, DecodedPhoto
from dentify.imaging.given import NamedPhoto, PhotoLike, decode_given
from dentify.imaging.quality import MEASURED_SIDE, judge_quality
from dentify.in_order import map_in_order
from dentify.languages import Language, in_language
from dentify.part_naming import parts_of_findings
from dentify.report import as_text, report_lines
from dentify.review import review_reasons, several_vehicles
from dentify.runtime.decoders import damage_instances, part_instances, vehicle_instances
from dentify.runtime.instances import Instances, means_over_cells
from dentify.runtime.look import Look
from dentify.runtime.networks import Networks
from dentify.runtime.probabilities import calibrated, gate_probability, softmax, type_probabilities
from dentify.runtime.session import Device
from dentify.settings import Settings, TilesSetting
from dentify.version import __version__

MOST_UNPLACED = 0.49  # confidence of damage that could not be placed: at most possible


AnyPhoto = TypeVar("AnyPhoto", bound=PhotoLike)


def load(
    bundle: str | os.PathLike[str] | Bundle = DEFAULT,
    *,
    settings: Settings | None = None,
    threads: int | None = None,
    device: Device = "auto",
) -> Assessor:
    """Open a bundle, ready to assess photos.

    Args:
        bundle: a folder, a zip, an opened `Bundle`, or `"default"` for the one that comes with Dentify.
        settings: limits; the defaults where not given.
        threads: threads of a network's run; all processors that this process may use where not given.
        device: `"auto"` uses a GPU where `onnxruntime-gpu` can, `"cpu"` never, and `"cuda"` warns where it cannot.

    Raises:
        BundleError: the bundle is missing, altered, hostile or too new.
        InputError: `device` is none of the three.
    """
    settings = settings or Settings()
    opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle, settings=settings)
    return Assessor(opened, settings=settings, threads=threads, device=device)


class Assessor:
    """Assesses photos with one bundle. It keeps nothing of a photo, and any number of threads may use one at once.

    Args:
        bundle: what to assess with.
        settings: limits; the defaults where not given.
        threads: threads of a network's run; all processors that this process may use where not given.
        device: `"auto"` uses a GPU where `onnxruntime-gpu` can, `"cpu"` never, and `"cuda"` warns where it cannot.
    """

    def __init__(
        self, bundle: Bundle, *, settings: Settings | None = None, threads: int | None = None, device: Device = "auto"
    ) -> None:
        if device not in get_args(Device):
            raise InputError(f"device must be auto, cpu or cuda, got {printable(str(device))!r}")
        self.bundle = bundle
        self.settings = settings or Settings()
        self.networks = Networks(
            bundle.manifest, bundle.files, threads=threads, where=bundle.where, device=device, settings=self.settings
        )

    def assess(
        self, photo: PhotoLike, *, name: str | None = None, score_threshold: float | None = None, gates: bool = True
    ) -> told.Assessment:
        """What is damaged on a photo, where, on which part, how badly, and how sure that is.

        Args:
            photo: a path, a file's bytes, a Pillow picture, a `(H, W, 3)` uint8 RGB array, a photo of `dentify.sources`, or
                what `decode` returned.
            name: what the assessment calls the photo; its path where not given.
            score_threshold: tell findings, parts and types of the photo from this confidence on, in place of the bundle's own
                thresholds.
            gates: tell no findings and types where the bundle sees no vehicle or no damage; `False` tells them all the same.

        Raises:
            InputError: `score_threshold` is not within 0 and 1, or `photo` is nothing that can be assessed.
            ImageError: the photo cannot be read, or is over a limit.
        """
        answer_settings(score_threshold, gates=gates)  # a wrong one is told before the work
        told_of = self.tell(self.look(photo, name=name), score_threshold=score_threshold, gates=gates)
        return told_of.with_photo(photo)

    def look(self, photo: PhotoLike, *, name: str | None = None) -> Look:
        """What the networks see on a photo, before anything is decided: to be told, in one way or several.

        Args:
            photo: as in `assess`.
            name: as in `assess`.

        Raises:
            InputError: `photo` is nothing that can be assessed.
            ImageError: the photo cannot be read, or is over a limit.
        """
        decoded = self.decode(photo, name=name)
        answers = self.networks.ask(decoded.image, photo_hw=decoded.photo_hw)
        return Look(
            photo=told.Photo(
                name=_name_of(photo, name),
                sha256=decoded.sha256,
                width=decoded.photo_hw[1],
                height=decoded.photo_hw[0],
                captured_at=decoded.captured_at,
            ),
            quality=judge_quality(decoded.image, decoded.photo_hw, damaged=decoded.damaged),
            notes=decoded.notes,
            vehicle=answers.vehicle,
            damaged=answers.damaged,
            damage=damage_instances(answers, self.bundle.manifest, decoded.photo_hw),
            parts=part_instances(answers, self.bundle.manifest, decoded.photo_hw),
            vehicles=vehicle_instances(answers, decoded.photo_hw),
            severity_maps=answers.severity,
            photo_severity=answers.photo_severity,
            photo_types=answers.photo_types,
        )

    def tell(self, look: Look, *, score_threshold: float | None = None, gates: bool = True) -> told.Assessment:
        """What is said of a look; see `assess`."""
        language, tiles = self.settings.language, self.settings.tiles
        return tell(look, self.bundle, score_threshold=score_threshold, gates=gates, language=language, tiles=tiles)

    def assess_many(
        self, photos: Iterable[AnyPhoto], *, workers: int = 2, score_threshold: float | None = None, gates: bool = True
    ) -> Iterator[tuple[AnyPhoto, told.Assessment | DentifyError]]:
        """Assess photos lazily and in order; some are decoded while others are in the network.

        A photo that cannot be assessed gives its error in place of an assessment, and the others go on. Never more than
        `workers` photos are decoded at a time, nor more than `workers + 1` taken ahead of what was asked for.

        Args:
            photos: what `assess` takes, such as the photos of `dentify.sources.iter_photos`.
            workers: photos in work at a time.
            score_threshold: as in `assess`.
            gates: as in `assess`.

        Yields:
            Each photo as it was given, with its assessment or error.
        """

        def work(photo: AnyPhoto) -> told.Assessment | DentifyError:
            try:
                return self.assess(photo, score_threshold=score_threshold, gates=gates)
            except DentifyError as error:
                return error

        return map_in_order(work, photos, workers=workers)

    def decode(self, photo: PhotoLike, *, name: str | None = None) -> DecodedPhoto:
        """Read and decode a photo, files only as finely as the networks and the quality check need.

        Raises:
            ImageError: it cannot be read, or is over a limit.
            InputError: it is nothing that can be assessed.
        """
        where = photo.where if isinstance(photo, NamedPhoto) else printable(_name_of(photo, name))
        enough_side = max(self.networks.enough_side, MEASURED_SIDE)
        return decode_given(photo, where=where, settings=self.settings, enough_side=enough_side)


def tell(
    look: Look,
    bundle: Bundle,
    *,
    score_threshold: float | None = None,
    gates: bool = True,
    language: Language = "en",
    tiles: TilesSetting = "bundle",
) -> told.Assessment:
    """All stages after the networks: what was seen, calibrated and held against thresholds, as an assessment.

    Args:
        look: with this bundle.
        bundle: whose calibration, thresholds and names count.
        score_threshold: as in `Assessor.assess`.
        gates: as in `Assessor.assess`.
        language: of the report and of reasons for review.
        tiles: that the photo was looked at in.

    Raises:
        InputError: `score_threshold` is not within 0 and 1.
    """
    settings = answer_settings(score_threshold, gates=gates, language=language, tiles=tiles)
    words = in_language(language)
    photo, quality, manifest = look.photo, look.quality, bundle.manifest
    thresholds, calibration = manifest.thresholds, manifest.calibration
    judges_types = look.photo_types is not None
    vehicle = presence(_gate(look.vehicle, calibration.vehicle), thresholds.vehicle)
    damage = presence(_gate(look.damaged, calibration.damage), thresholds.damage)
    if "not_a_photo" in quality.issues:
        # Networks say anything of a plain surface. No vehicle is there, whatever a gate says and whether or not gates count.
        vehicle = None if vehicle is None else told.Presence(present=False, confidence=1.0)
        damage = None
        look = Look(photo=photo, quality=quality, notes=look.notes)

    seen_types: tuple[told.PhotoType, ...] = ()
    if look.photo_types is not None:
        seen_types = types_of_photo(look.photo_types, manifest, score_threshold)
    nothing = Instances.empty((photo.height, photo.width), (1, 1))
    found, parts_seen = nothing, nothing
    if look.damage is not None:
        curves = [calibration.findings.get(name) for name in manifest.classes.damage]
        own = [thresholds.findings[name] for name in manifest.classes.damage]
        found = confident(look.damage, curves, own if score_threshold is None else [score_threshold] * len(own))
    if look.parts is not None:
        least = thresholds.parts if score_threshold is None else score_threshold
        parts_seen = look.parts.select(look.parts.scores >= least)

    no_vehicle = gates and vehicle is not None and not vehicle.present
    no_damage = gates and damage is not None and not damage.present
    types = () if no_vehicle or no_damage else seen_types
    findings: tuple[told.Finding, ...] = ()
    severity = None
    if not (no_vehicle or no_damage):
        temperature = calibration.severity.temperature
        maps, logits = look.severity_maps, look.photo_severity
        levels = None if maps is None else means_over_cells(found, softmax(maps / temperature, axis=0))
        whole = None if logits is None else softmax(logits / temperature)
        if levels is not None and whole is not None:
            levels = no_worse_than(whole, levels)
        findings = tell_findings(
            found,
            manifest.classes.damage,
            parts=parts_of_findings(found, parts_seen, types=manifest.classes.damage, names=manifest.classes.parts),
            severities=None if levels is None else [severity_of(each, manifest.classes.severity) for each in levels],
        )
        if whole is None and levels is not None and len(found):
            whole = level_of_photo(levels, found.scores)
        # A bundle of severity alone says how bad it looks, and no more.
        looked = look.damage is not None or damage is not None or judges_types
        if whole is not None and (len(found) or types or not looked or (damage is not None and damage.present)):
            severity = severity_of(whole, manifest.classes.severity)
    parts = () if no_vehicle else tell_parts(parts_seen, manifest.classes.parts)
    strongest = (manifest.classes.damage[int(found.class_ids[0])], float(found.scores[0])) if len(found) else None
    if strongest is None and seen_types and not calibration.types.exclusive:  # one of exclusive types is likely on any photo
        strongest = seen_types[0].type, seen_types[0].confidence
    reasons = review_reasons(
        quality=quality,
        vehicle=vehicle,
        damage=damage,
        findings=findings,
        types=types,
        strongest=strongest,
        several=several_vehicles(look.vehicles, words),
        rules=manifest.review,
        words=words,
        judges_findings=look.damage is not None,
        gates=gates,
    )
    review = told.Review(needed=bool(reasons), reasons=reasons)
    damage = None if no_vehicle else damage
    if look.damage is not None and gates and not findings:  # what cannot be placed is at most possible
        damage = at_most_possible(damage) if damage is not None and damage.present else damage
        types = tuple(one.model_copy(update={"confidence": min(one.confidence, MOST_UNPLACED)}) for one in types)
    judged_types = types if judges_types else None
    lines = report_lines(
        photo=photo,
        quality=quality,
        vehicle=vehicle,
        damage=damage,
        types=judged_types,
        findings=findings,
        parts=parts,
        severity=severity,
        review=review,
        not_judged=manifest.not_judged,
        notes=[note for note in look.notes if note != DAMAGED_FILE],  # an issue of quality, and told as one
        judges_findings=bool(manifest.roles.damage),
        language=language,
    )
    return told.Assessment(
        schema_version=told.SCHEMA_VERSION if settings.tiles is None else told.WITH_TILES,
        photo=photo,
        bundle=bundle.identity,
        quality=quality,
        vehicle=vehicle,
        damage=damage,
        types=judged_types,
        findings=findings,
        parts=parts,
        severity=severity,
        review=review,
        not_judged=manifest.not_judged,
        report=as_text(lines),
        report_lines=lines,
        notes=look.notes,
        settings=settings,
        dentify_version=__version__,
    )


def answer_settings(
    score_threshold: float | None, *, gates: bool, language: Language = "en", tiles: TilesSetting = "bundle"
) -> told.AnswerSettings:
    """What an answer says of the settings that it depends on; tiles as the bundle says are none of them.

    Raises:
        InputError: `score_threshold` is not within 0 and 1.
    """
    if score_threshold is not None and not 0 <= score_threshold <= 1:
        raise InputError(f"score_threshold must be between 0 and 1, got {score_threshold}")
    named = None if tiles == "bundle" else tiles
    return told.AnswerSettings(score_threshold=score_threshold, gates=gates, language=language, tiles=named)


def _gate(logit: float | None, calibration: GateCalibration) -> float | None:
    return None if logit is None else gate_probability(logit, calibration)


def presence(probability: float | None, threshold: float) -> told.Presence | None:
    """A gate's answer: yes from the threshold on. Its confidence is that of the answer given.

    With a threshold other than a half an answer's confidence may be below a half: the bundle then prefers one kind of mistake.

    >>> presence(0.2, 0.5)
    Presence(present=False, confidence=0.8)
    >>> presence(0.3, 0.25)
    Presence(present=True, confidence=0.3)
    """
    if probability is None:
        return None
    present = probability >= threshold
    return told.Presence(present=present, confidence=round(probability if present else 1 - probability, 3))


def at_most_possible(damage: told.Presence) -> told.Presence:
    """Damage of which no place could be told: whatever a photo as a whole looks like, that is for a person to check.

    >>> at_most_possible(told.Presence(present=True, confidence=0.97))
    Presence(present=True, confidence=0.49)
    """
    return told.Presence(present=damage.present, confidence=min(damage.confidence, MOST_UNPLACED))


def types_of_photo(logits: FloatArray, manifest: Manifest, score_threshold: float | None = None) -> tuple[told.PhotoType, ...]:
    """The damage types that a photo shows as a whole, most confident first; of types that exclude each other one at most.

    Args:
        logits: `(C,)`, in the order of `classes.types`.
        manifest: whose calibration, thresholds and names count.
        score_threshold: in place of the bundle's own thresholds.
    """
    names, own, calibration = manifest.classes.types, manifest.thresholds.types, manifest.calibration.types
    probabilities = type_probabilities(logits, calibration)
    order = np.argsort(-probabilities, kind="stable").tolist()
    likely = order[:1] if calibration.exclusive else order

    def threshold(name: str) -> float:
        if score_threshold is not None:
            return score_threshold
        return own[name] if isinstance(own, dict) else own

    return tuple(
        told.PhotoType(type=names[index], confidence=told.rounded(probabilities[index], 3))
        for index in likely
        if probabilities[index] >= np.float32(threshold(names[index]))
    )


def confident(candidates: Instances, curves: Sequence[ScoreCalibration | None], thresholds: Sequence[float]) -> Instances:
    """Candidates with calibrated confidences, those from their class's threshold on, most confident first.

    Args:
        candidates: with raw scores.
        curves: one a class; `None` keeps the scores.
        thresholds: one a class.
    """
    confidences = calibrated(candidates.scores, candidates.class_ids, curves)
    order = np.argsort(-confidences, kind="stable")
    order = order[confidences[order] >= np.asarray(thresholds, np.float32)[candidates.class_ids[order]]]
    return replace(candidates, scores=confidences).select(order)


def level_of_photo(levels: FloatArray, confidences: FloatArray) -> FloatArray:
    """Severity of the whole photo: that of its worst finding, weighed by how sure findings are beside the surest one.

    The photo is at least as bad as a level with the largest `weight × P(finding at least as bad)`; the surest finding weighs 1.
    One finding gives the photo its own severity. Many small ones do not add up to a bad one. A doubtful bad one beside a sure
    mild one counts by its doubt.

    Args:
        levels: `(N, L)` probabilities, mild to bad, N ≥ 1.
        confidences: `(N,)`.

    Returns:
        `(L,)` probabilities.

    >>> level_of_photo(np.float32([[0.9, 0.1, 0.0], [0.0, 0.0, 1.0]]), np.float32([0.8, 0.6])).tolist()
    [0.25, 0.0, 0.75]
    """
    weights = confidences / max(float(confidences.max()), 1e-6)
    at_least = np.cumsum(levels[:, ::-1], axis=1)[:, ::-1]  # (N, L), falling along L
    worst = (weights[:, None] * at_least).max(axis=0)
    worst[0] = 1
    return np.asarray(worst - np.append(worst[1:], 0), np.float32)


def no_worse_than(whole: FloatArray, levels: FloatArray) -> FloatArray:
    """Severity of findings, knowing that of the photo, which is as bad as its worst damage.

    Args:
        whole: `(L,)` probabilities of the photo's severity, mild to bad.
        levels: `(N, L)` of the findings', judged alone.

    Returns:
        `(N, L)`, each row summing to 1.

    >>> no_worse_than(np.float32([0.5, 0.5, 0]), np.float32([[0.25, 0.5, 0.25]])).round(3).tolist()
    [[0.5, 0.5, 0.0]]
    """
    at_least = np.maximum(np.cumsum(whole[::-1])[::-1], 1e-6)  # how likely the photo is as bad; nothing is impossible
    joint = levels * at_least
    return np.asarray(joint / joint.sum(axis=1, keepdims=True), np.float32)


def severity_of(probabilities: FloatArray, levels: Sequence[told.SeverityLevel]) -> told.Severity:
    """The likeliest level.

    >>> severity_of(np.float32([0.2, 0.7, 0.1]), ["minor", "moderate", "severe"])
    Severity(level='moderate', confidence=0.7)
    """
    best = int(probabilities.argmax())
    return told.Severity(level=levels[best], confidence=told.rounded(probabilities[best], 3))


def tell_findings(
    findings: Instances,
    names: Sequence[str],
    *,
    parts: Sequence[tuple[told.PartOfFinding, ...]],
    severities: Sequence[told.Severity] | None,
) -> tuple[told.Finding, ...]:
    """Findings as an assessment tells them, numbered from 1, most confident first."""
    shares = findings.area_shares
    return tuple(
        told.Finding(
            id=index + 1,
            type=names[int(findings.class_ids[index])],
            confidence=told.rounded(findings.scores[index], 3),
            box=_box(findings, index),
            mask=findings.rle(index),
            area_share=told.rounded(shares[index], 5),
            parts=parts[index],
            severity=None if severities is None else severities[index],
        )
        for index in range(len(findings))
    )


def tell_parts(parts: Instances, names: Sequence[str]) -> tuple[told.FoundPart, ...]:
    """The parts that were seen as an assessment tells them, most confident first."""
    return tuple(
        told.FoundPart(
            name=names[int(parts.class_ids[index])],
            confidence=told.rounded(parts.scores[index], 3),
            box=_box(parts, index),
            mask=parts.rle(index),
        )
        for index in np.argsort(-parts.scores, kind="stable")
    )


def _box(instances: Instances, index: int) -> told.Box:
    height, width = instances.photo_hw
    x_min, y_min, x_max, y_max = (float(value) for value in instances.boxes_xyxy[index])
    x_min, x_max = (round(min(max(x, 0.0), width), 1) for x in (x_min, x_max))
    y_min, y_max = (round(min(max(y, 0.0), height), 1) for y in (y_min, y_max))
    return x_min, y_min, x_max, y_max


def _name_of(photo: Any, name: str | None) -> str:
    """What an assessment and its errors call a photo. File names that are no text are spelled so that JSON can hold them."""
    if name is None:
        match photo:
            case str() | os.PathLike():
                name = Path(photo).as_posix()
            case Image.Image():
                name = Path(getattr(photo, "filename", "")).name or "photo"
            case NamedPhoto():
                name = photo.name
            case _:
                name = "photo"
    return name.encode("utf-8", "backslashreplace").decode()
