"""A bundle whose networks compute in 8 bits, kept only where that pays: faster here, and less than a point lost.

    quantized = quantize_bundle(bundle, samples)
    if quantized.pays:
        write_bundle("my-bundle-int8", quantized.manifest, quantized.files)

Photos show how large values get (`dentify.runtime.int8`); then both bundles are timed in turns on the same photos, and judged on
all of them. Speed is that of this machine: the same bundle may be slower on another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from dentify.arrays import FloatArray
from dentify.assessment import Assessment
from dentify.assessor import Assessor
from dentify.bundle.manifest import Manifest, Metric, Preprocessing, Roles
from dentify.bundle.open import Bundle
from dentify.datasets.sample import Sample, spread
from dentify.errors import BundleError, DatasetError
from dentify.evaluation import Evaluation, evaluate
from dentify.evaluation.results import Found, Share
from dentify.fitting.latency import PHOTOS, ROUNDS, latencies_ms
from dentify.fitting.unwritten import unwritten
from dentify.imaging.decode import DecodedPhoto
from dentify.runtime.int8 import Calibration, Layers, to_int8
from dentify.runtime.look import Look
from dentify.runtime.networks import Networks
from dentify.runtime.preprocess import network_input
from dentify.settings import Settings

CALIBRATION_PHOTOS = 100
MOST_LOST = 0.01
"""From what loss of any figure on 8 bits do not pay."""


@dataclass(frozen=True)
class Figure:
    """One number of both bundles."""

    floats: float
    int8: float


@dataclass(frozen=True)
class Quantized:
    """A bundle in 8 bits, beside the one that it was made of.

    Attributes:
        manifest: the bundle's, with what was measured; its files have the names they had.
        files: bytes by name.
        latency_ms: median time of a photo in the networks.
        figures: what both reach on the same photos, all of them the better the larger.
        photos: how many photos they were judged on.
    """

    manifest: Manifest
    files: Mapping[str, bytes]
    latency_ms: Figure
    figures: Mapping[str, Figure]
    photos: int

    @property
    def reasons_against(self) -> tuple[str, ...]:
        """Why the bundle in 8 bits does not pay; none where it does."""
        floats, int8 = self.latency_ms.floats, self.latency_ms.int8
        slow = [f"it is not faster here ({int8:.1f} ms a photo, {floats:.1f} before)"] if int8 >= floats else []
        lost = [
            f"{name} falls from {figure.floats:.3f} to {figure.int8:.3f}"
            for name, figure in self.figures.items()
            if round(figure.floats - figure.int8, 6) >= MOST_LOST
        ]
        return (*slow, *lost)

    @property
    def pays(self) -> bool:
        """Whether it is faster here, and loses less than a point of every figure."""
        return not self.reasons_against


def quantize_bundle(
    bundle: Bundle,
    samples: Sequence[Sample],
    *,
    calibration: Calibration = "percentile",
    layers: Layers = "windows",
    photos: int = CALIBRATION_PHOTOS,
    settings: Settings | None = None,
    workers: int = 1,
    threads: int | None = None,
    on_photo: Callable[[], None] = lambda: None,
) -> Quantized:
    """Makes a bundle's networks compute in 8 bits, and measures what that gains and costs.

    Args:
        bundle: whose networks are taken.
        samples: labelled photos that it was not trained on, to calibrate with and to judge by.
        calibration: how far the 8 bits reach.
        layers: which layers compute in 8 bits.
        photos: of the samples, evenly spread, to calibrate with.
        settings: limits on photos.
        workers: photos in work at a time while judging.
        threads: of a network's run; all processors that this process may use where not given.
        on_photo: called whenever a photo was looked at, to calibrate with it or to judge by it.

    Raises:
        BundleError: no network has layers that 8 bits are meant for, or ONNX Runtime cannot do it.
        DatasetError: there is no photo, one cannot be read, or nothing is known of them that the bundle tells.
        MissingExtraError: the `onnx` package is not installed.
    """
    if not samples:
        raise DatasetError("no photo to calibrate with")
    settings = settings or Settings()
    before = Assessor(bundle, settings=settings, threads=threads, device="cpu")
    calibrated_with = spread(samples, photos)
    files = dict(bundle.files)
    changed = []
    for network in bundle.manifest.networks:
        inputs = [partial(_input, before, sample, network.preprocessing, on_photo) for sample in calibrated_with]
        where = f"{bundle.where}/{network.file}"
        made = to_int8(
            bundle.files[network.file], inputs, input_name=network.input, where=where, calibration=calibration, layers=layers
        )
        if made is not None:
            files[network.file] = made
            changed.append(network.file)
    if not changed:
        raise BundleError(
            f"{bundle.where}: no network has layers that 8 bits are meant for (between its first and its last, {layers}); "
            "leave it as it is" + ("" if layers == "all" else ", or take all layers")
        )
    after = Assessor(unwritten(bundle.manifest, files, where=bundle.where), settings=settings, threads=threads, device="cpu")
    shown = [before.decode(sample.read(settings), name=sample.name) for sample in spread(samples, PHOTOS)]
    latency_ms = compare_latency(before.networks, after.networks, shown)
    figures = compare_figures(before, after, samples, settings=settings, workers=workers, on_photo=on_photo)
    measured: dict[str, Metric] = {
        "photo, ms": {"floats": round(latency_ms.floats, 1), "int8": round(latency_ms.int8, 1)},
        **{name: {"floats": round(one.floats, 4), "int8": round(one.int8, 4)} for name, one in figures.items()},
    }
    note = (
        f"Layers of {', '.join(changed)} compute in 8 bits ({layers}, {calibration} of {len(calibrated_with)} photos). Figures "
        f"under int8 compare that with floats on {len(samples)} photos; all others, and what was fitted, are of floats."
    )
    manifest = bundle.manifest.model_copy(
        update={"metrics": bundle.manifest.metrics | {"int8": measured}, "notes": (*bundle.manifest.notes, note)}
    )
    return Quantized(manifest, files, latency_ms, figures, len(samples))


def _input(assessor: Assessor, sample: Sample, preprocessing: Preprocessing, on_photo: Callable[[], None]) -> FloatArray:
    """A photo as assessing shows it to a network."""
    photo = assessor.decode(sample.read(assessor.settings), name=sample.name)
    on_photo()
    return network_input(photo.image, preprocessing)


def compare_latency(before: Networks, after: Networks, photos: Sequence[DecodedPhoto], *, rounds: int = ROUNDS) -> Figure:
    """What a photo takes in both; see `latencies_ms`."""
    return Figure(*latencies_ms((before, after), photos, rounds=rounds))


class _Listening:
    """An assessor that keeps which types it told of each photo as a whole, which `evaluate` does not judge."""

    def __init__(self, assessor: Assessor, on_photo: Callable[[], None]) -> None:
        self._assessor = assessor
        self._on_photo = on_photo
        self.types: dict[str, frozenset[str]] = {}

    def look(self, photo: bytes, *, name: str | None = None) -> Look:
        look = self._assessor.look(photo, name=name)
        self._on_photo()
        return look

    def tell(self, look: Look, *, score_threshold: float | None = None, gates: bool = True) -> Assessment:
        told = self._assessor.tell(look, score_threshold=score_threshold, gates=gates)
        if told.types is not None and score_threshold is None and gates:
            self.types[told.photo.sha256] = frozenset(one.type for one in told.types)
        return told


def compare_figures(
    before: Assessor,
    after: Assessor,
    samples: Sequence[Sample],
    *,
    settings: Settings,
    workers: int = 1,
    on_photo: Callable[[], None] = lambda: None,
) -> dict[str, Figure]:
    """What two bundles of one manifest reach on the same photos, by the names of `main_figures`.

    Types of the photo as a whole are judged by agreement: the share of photos of which both tell the same.

    Raises:
        DatasetError: a photo cannot be read, or nothing is known of them that the bundle tells.
    """
    manifest = before.bundle.manifest
    listening = [_Listening(assessor, on_photo) for assessor in (before, after)]
    floats, int8 = (
        main_figures(
            evaluate(
                one,
                samples,
                taught=manifest.found_types,
                parts=manifest.classes.parts,
                resamples=1,
                workers=workers,
                settings=settings,
            ),
            manifest.roles,
        )
        for one in listening
    )
    figures = {name: Figure(floats[name], int8.get(name, 0.0)) for name in floats}
    told, again = (one.types for one in listening)
    if told:
        agreed = sum(types == again[sha256] for sha256, types in told.items()) / len(told)
        figures["types of the photo, told the same"] = Figure(1.0, agreed)
    if not figures:
        raise DatasetError(
            "nothing is known of these photos that the bundle tells, so 8 bits cannot be judged; give labelled ones"
        )
    return figures


def main_figures(evaluation: Evaluation, roles: Roles) -> dict[str, float]:
    """The figures that people ask for first, by name: of what the bundle answers, where the photos show it.

    Of a gate it is the share of right answers, yes and no weighing the same where the photos show both.

    Args:
        evaluation: of a bundle.
        roles: what it answers.
    """
    kinds = evaluation.gates.kinds
    figures: dict[str, float | None] = {}
    if roles.damage and evaluation.damage is not None:
        any_damage = evaluation.damage.any_damage
        figures["any damage, pixel IoU"] = None if any_damage is None else any_damage.iou.value
        figures["damage, mean AP50"] = _mean_precision(evaluation.damage)
    if roles.parts and evaluation.parts is not None:
        figures["parts, mean AP50"] = _mean_precision(evaluation.parts)
    if roles.vehicle_gate:
        figures["vehicle gate, right"] = _right(
            [one.vehicle for kind, one in kinds.items() if kind != "no_vehicle"],
            [one.vehicle for kind, one in kinds.items() if kind == "no_vehicle"],
        )
    if roles.damage_gate:
        figures["damage gate, right"] = _right(
            [one.damage for kind, one in kinds.items() if kind == "damaged"],
            [one.damage for kind, one in kinds.items() if kind == "undamaged"],
        )
    if roles.severity and evaluation.severity is not None:
        figures["severity of photos, macro recall"] = evaluation.severity.photos.macro_recall
    return {name: value for name, value in figures.items() if value is not None}


def _mean_precision(found: Found) -> float | None:
    """Mean AP50 over the names that the photos show, of masks where there are any."""
    means = found.means.get("mask_AP50") or found.means.get("box_AP50")
    return means["taught"].value if means else None


def _right(yes: Sequence[Share], no: Sequence[Share]) -> float | None:
    """Share of right answers where yes is right and where no is, in the mean of the two."""
    right = []
    for shares, is_yes in ((yes, True), (no, False)):
        if of := sum(share.of for share in shares):
            told = sum(share.count for share in shares) / of
            right.append(told if is_yes else 1 - told)
    return sum(right) / len(right) if right else None
