"""From a checkpoint to a bundle: ONNX, the proof that it says what torch says, and what is fitted on held-out photos.

    dentify export runs/default/last.ckpt -o my-bundle --data DIR

Export is not done until the ONNX file was run on real photos beside torch: logits within 1e-3, masks' IoU at least 0.999.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dentify.arrays import FloatArray
from dentify.bundle import manifest as m
from dentify.bundle.write import write_bundle
from dentify.datasets import Sample
from dentify.datasets.crops import crops_of
from dentify.errors import BundleError, ConfigError
from dentify.imaging.decode import decode_photo
from dentify.runtime.labels import gate_probability, sigmoid
from dentify.runtime.preprocess import network_input
from dentify.runtime.session import Session
from dentify.settings import Settings
from dentify.taxonomy import DAMAGE_NAMES
from dentify.training.augment import whole_view
from dentify.training.data import hold_out, read_source
from dentify.training.fit import (
    Evidence,
    Told,
    average_precision50,
    calibrate,
    choose_thresholds,
    cross_told,
    fit_curves,
    fit_gate,
    fit_scorer,
    fit_temperature,
    gate_threshold,
    gather,
    pixel_counts,
    silenced,
)
from dentify.training.loop import average_weights, check_origins, load_lesson
from dentify.training.recipe import Recipe

NETWORK_FILE = "network.onnx"
OUTPUTS = ("types", "any", "centres", "offsets", "parts", "severity_maps", "vehicle", "damage", "severity")
PARITY_PHOTOS = 50
LARGEST_DIFFERENCE = 1e-3
LEAST_IOU = 0.999

GROUPING = m.Grouping(
    levels=(0.15, 0.3, 0.45, 0.6, 0.75), radii=(0, 4, 11), min_cells=12, overlap=0.5, spread_to=0.45, upscale=3, part_upscale=4
)


@dataclass(frozen=True)
class Parity:
    """How far ONNX Runtime's float32 answers lie from torch's."""

    photos: int
    largest_difference: float
    least_iou: float


def to_onnx(network: nn.Module, size: int) -> bytes:
    """A network as ONNX with one photo a run: input `image` (1, 3, S, S), outputs by name."""
    example = torch.zeros(1, 3, size, size)
    program = torch.onnx.export(
        network.eval().to(memory_format=torch.contiguous_format),
        (example,),
        dynamo=True,
        input_names=["image"],
        output_names=list(OUTPUTS),
        verbose=False,
    )
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NETWORK_FILE
        program.save(path, external_data=False)
        return path.read_bytes()


def check_parity(network: nn.Module, session: Session, inputs: Sequence[FloatArray]) -> Parity:
    """Runs both on the same photos.

    Raises:
        BundleError: they differ by more than 1e-3 in any logit, or a mask's IoU falls under 0.999.
    """
    largest, least = 0.0, 1.0
    for tensor in inputs:
        ours = session.run(tensor)
        with torch.inference_mode():
            theirs = {name: value.numpy() for name, value in network(torch.from_numpy(tensor)).items()}
        for name in OUTPUTS:
            largest = max(largest, float(np.abs(ours[name] - theirs[name]).max()))
        for name in ("types", "any"):
            a, b = ours[name] > 0, theirs[name] > 0
            for one, other in zip(a[0], b[0], strict=True):
                if (one | other).any():
                    least = min(least, float((one & other).sum() / (one | other).sum()))
    if largest > LARGEST_DIFFERENCE or least < LEAST_IOU:
        raise BundleError(f"the ONNX file differs from torch: logits by up to {largest:.2g}, masks' IoU down to {least:.4f}")
    return Parity(len(inputs), largest, least)


def export_bundle(
    checkpoint: Path,
    output: Path,
    *,
    average_with: Sequence[Path] = (),
    data: Path | None = None,
    version: str = "1.0.0",
    overwrite: bool = False,
) -> Path:
    """Writes the bundle of a checkpoint.

    Args:
        checkpoint: of `train`, with its run's `recipe.yaml` beside it.
        output: folder or zip to write.
        average_with: other checkpoints of the same network; the bundle's weights are the mean of all.
        data: folder that the recipe's paths are relative to, that of the run where not given; its held-out photos fit scores,
            thresholds and calibration.
        version: of the bundle.
        overwrite: replace a bundle that is there.

    Raises:
        BundleError: ONNX Runtime and torch disagree.
        ConfigError: a checkpoint or the recipe is missing, or a checkpoint is of another network.
        DatasetError: photos cannot be read.
    """
    lesson = load_lesson(checkpoint)
    if average_with:
        lesson.load_state_dict(average_weights(lesson.state_dict(), average_with))
    recipe = lesson.recipe
    if data is None:
        try:
            data = Path((checkpoint.parent / "data.txt").read_text(encoding="utf-8").strip())
        except OSError as error:
            raise ConfigError(
                f"{checkpoint}: the run's data.txt is not beside it; say where its photos are with --data"
            ) from error
    onnx = to_onnx(lesson.network, recipe.data.serve_size)
    session = Session(onnx, input_name="image", output_names=OUTPUTS, where=NETWORK_FILE)
    preprocessing = m.Preprocessing(
        size_hw=(recipe.data.serve_size, recipe.data.serve_size),
        resize="stretch",
        mean=lesson.network.mean,
        std=lesson.network.std,
    )
    every = [read_source(source, data, "train", recipe.classes) for source in recipe.data.train]
    samples = [sample for source in every for sample in hold_out(source, recipe.data.hold_out)[1]]
    if not samples:
        raise ConfigError(f"recipe {recipe.name}: data.hold_out keeps no photo to compare and fit with; raise it")
    photos = [read_input(sample, preprocessing) for sample in samples]
    parity = check_parity(lesson.network, session, [photo.tensor for photo in photos[:: max(1, len(photos) // PARITY_PHOTOS)]])
    sound = [sample for sample in samples if sample.vehicle and sample.damage is False]
    crops = [crop for sample in sound for crop in crops_of(sample, 1, seed=recipe.seed)]
    close_ups = [read_input(crop, preprocessing) for crop in crops]
    fitted = fit_all(session, samples, photos, close_ups, recipe)
    manifest = describe(
        recipe,
        preprocessing,
        fitted,
        parity,
        version=version,
        photos=Counter(sample.source or "" for source in every for sample in source),
    )
    return write_bundle(output, manifest, {NETWORK_FILE: onnx}, overwrite=overwrite)


@dataclass(frozen=True)
class Input:
    """One photo as the network sees it, and the height and width of the full photo."""

    tensor: FloatArray
    photo_hw: tuple[int, int]


def read_input(sample: Sample, preprocessing: m.Preprocessing) -> Input:
    """Decodes and prepares a photo as serving does."""
    photo = decode_photo(sample.read(), where=sample.name, settings=Settings(), enough_side=max(preprocessing.size_hw))
    return Input(network_input(photo.image, preprocessing), photo.photo_hw)


@dataclass(frozen=True)
class Fitted:
    """What held-out photos taught: see `fit`."""

    grouping: m.Grouping
    calibration: m.Calibration
    thresholds: m.Thresholds
    figures: dict[str, float]


CLOSE_UP_WEIGHT = 0.25
"""Of a random close-up when gates are fitted: many show more street than car."""
STRICTNESS = {"vehicle": 1.0, "damage": 0.5}
"""Which of the thresholds that are about as good: other things vary more than the few held-out photos of them show."""


def fit_all(
    session: Session, samples: Sequence[Sample], photos: Sequence[Input], close_ups: Sequence[Input], recipe: Recipe
) -> Fitted:
    """Fits scorer, calibration and thresholds on held-out photos, each seen as it is and mirrored.

    Args:
        session: the exported network.
        samples: labels of the photos.
        photos: as the network sees them.
        close_ups: of vehicles without damage, for the gates: whole vehicles alone would not show where these err.
        recipe: of the network.
    """
    names = recipe.classes.damage
    evidence: list[Evidence] = []
    severities: tuple[list[FloatArray], list[int]] = ([], [])
    gates: dict[str, list[tuple[float, bool, float]]] = {"vehicle": [], "damage": []}  # logit, answer, weight
    numbers: dict[tuple[str | None, str], int] = {}
    for sample, photo in zip(samples, photos, strict=True):
        number = numbers.setdefault((sample.source, sample.group or sample.name), len(numbers))
        for mirrored in (False, True):
            view = whole_view(photo.photo_hw, recipe.data.serve_size)
            tensor = photo.tensor
            if mirrored:
                tensor = np.ascontiguousarray(tensor[..., ::-1])
                view = np.array([[-view[0, 0], 0, recipe.data.serve_size], view[1]])
            outputs = {name: value[0] for name, value in session.run(tensor).items()}
            for gate, answer in (("vehicle", _has_vehicle(sample)), ("damage", _is_damaged(sample))):
                if answer is not None:
                    gates[gate].append((float(outputs[gate][0]), answer, 1.0))
            if (worst := worst_level(sample, recipe.classes.severity)) is not None:
                severities[0].append(outputs["severity"])
                severities[1].append(worst)
            outlined = all(damage.has_mask for damage in sample.damages)
            if outlined and any(sample.knows(name) for name in names):
                evidence.append(gather(number, sample, outputs, view, names, GROUPING))
    for close_up in close_ups:
        seen = session.run(close_up.tensor)
        for gate, answer in (("vehicle", True), ("damage", False)):
            gates[gate].append((float(seen[gate][0, 0]), answer, CLOSE_UP_WEIGHT))
    calibrations, cuts = {}, {}
    for gate, asked in gates.items():
        logits, answers, weights = (np.array(column) for column in zip(*asked, strict=True))
        calibrations[gate] = fit_gate(logits, answers, weights)
        probabilities = sigmoid(logits / calibrations[gate].temperature + calibrations[gate].bias)
        cuts[gate] = gate_threshold(probabilities, answers, weights, strictness=STRICTNESS[gate])

    def let_through(photo: Evidence) -> bool:
        return all(gate_probability([photo.gates[gate]], [1.0], calibrations[gate]) >= cuts[gate] for gate in calibrations)

    # What a gate holds back is never told, so scorer, confidences and thresholds need not guard against it.
    taught = [photo for photo in evidence if let_through(photo)]
    grouping = GROUPING.model_copy(update={"scorer": fit_scorer(taught, len(names), seed=recipe.seed)})
    scored = cross_told(evidence, GROUPING, len(names), seed=recipe.seed, teaches=let_through)
    curves = fit_curves([photo for photo in scored if let_through(photo.evidence)], names)
    scored = calibrate(scored, curves, names)
    told = [photo if let_through(photo.evidence) else silenced(photo) for photo in scored]
    findings = choose_thresholds(told, names)
    return Fitted(
        grouping=grouping,
        calibration=m.Calibration(
            vehicle=calibrations["vehicle"],
            damage=calibrations["damage"],
            findings=curves,
            severity=fit_temperature(severities[0], severities[1]),
        ),
        thresholds=m.Thresholds(vehicle=cuts["vehicle"], damage=cuts["damage"], findings=findings, parts=0.5),
        figures=figures_of(scored, told, names, findings, GROUPING.upscale),
    )


def figures_of(
    scored: Sequence[Told], told: Sequence[Told], names: Sequence[str], thresholds: dict[str, float], upscale: int
) -> dict[str, float]:
    """AP50 (of all that was scored) and pixel IoU (of what is told) of each type on the held-out photos, cross-fitted."""
    cuts = np.array([thresholds[name] for name in names], np.float32)
    both, either = np.sum([pixel_counts(photo, cuts, upscale) for photo in told], axis=0).T
    ious = (both / np.maximum(either, 1)).round(4).tolist()
    figures = {f"{name}/AP50": round(average_precision50(scored, class_id), 4) for class_id, name in enumerate(names)}
    figures |= {f"{name}/iou": iou for name, iou in zip((*names, "any"), ious, strict=True)}
    figures["mean/AP50"] = round(float(np.nanmean([figures[f"{name}/AP50"] for name in names])), 4)
    figures["mean/iou"] = round(float(np.mean([figures[f"{name}/iou"] for name in names])), 4)
    return {name: value for name, value in figures.items() if not math.isnan(value)}  # no held-out photo shows that type


def worst_level(sample: Sample, levels: Sequence[str]) -> int | None:
    """How bad the worst damage of a photo is, as a place among the levels; `None` where nobody said."""
    told = [levels.index(damage.severity) for damage in sample.damages if damage.severity in levels]
    return max(told, default=None)


def _has_vehicle(sample: Sample) -> bool | None:
    return True if sample.damages or sample.parts else sample.vehicle


def _is_damaged(sample: Sample) -> bool | None:
    """Photos without a vehicle never come to this gate."""
    return None if sample.vehicle is False else True if sample.damages else sample.damage


def describe(
    recipe: Recipe, preprocessing: m.Preprocessing, fitted: Fitted, parity: Parity, *, version: str, photos: Counter[str]
) -> m.Manifest:
    """The manifest of a trained network."""
    check_origins(recipe, photos)
    own = tuple(name for name in recipe.classes.damage if name not in DAMAGE_NAMES)

    def member(output: str, kind: m.Kind, **auxiliary: str) -> tuple[m.Member, ...]:
        return (m.Member(file=NETWORK_FILE, output=output, kind=kind, auxiliary=auxiliary),)

    return m.Manifest(
        name=recipe.name,
        version=version,
        licence=recipe.licence,
        description=recipe.description,
        taxonomy=m.Taxonomy(
            damage_types=DAMAGE_NAMES + own,
            taught=tuple(name for name in DAMAGE_NAMES + own if name in recipe.classes.damage),
            parts=recipe.classes.parts,
            severity_levels=recipe.classes.severity,
        ),
        networks=(m.Network(file=NETWORK_FILE, input="image", preprocessing=preprocessing),),
        roles=m.Roles(
            vehicle_gate=member("vehicle", "labels"),
            damage_gate=member("damage", "labels"),
            damage=member("types", "maps", any="any", centres="centres", offsets="offsets"),
            parts=member("parts", "maps"),
            severity=(*member("severity_maps", "maps"), *member("severity", "labels")),
        ),
        classes=m.Classes(damage=recipe.classes.damage, parts=recipe.classes.parts, severity=recipe.classes.severity),
        thresholds=fitted.thresholds,
        grouping=fitted.grouping,
        calibration=fitted.calibration,
        review=m.ReviewRules(sure_from=recipe.review.sure_from, weak_types=recipe.review.weak_types),
        metrics={
            "held_out": dict(fitted.figures),
            "parity": {
                "photos": float(parity.photos),
                "largest_difference": parity.largest_difference,
                "least_mask_iou": parity.least_iou,
            },
        },
        data=tuple(
            m.DataOrigin(name=name, origin=origin.origin, licence=origin.licence, photos=photos[name], used_for=origin.used_for)
            for name, origin in recipe.origins.items()
            if photos[name]
        ),
        weights=tuple(m.WeightOrigin(name=name, origin=o.origin, licence=o.licence) for name, o in recipe.model.origins.items()),
        limits=recipe.limits,
    )
