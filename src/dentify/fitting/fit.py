"""Scorer, confidences and thresholds of a bundle from labelled photos that its networks never saw in training.

    fitted = fit_bundle(Bundle.open("my-bundle"), samples, seed=0)
    write_bundle("my-bundle-fitted", fitted.manifest, bundle.files)

Each photo goes through the networks as it is and mirrored. What is kept of it is small: candidates, truth, a few logits. What
the photos tell nothing of stays as the bundle has it, and a note says why. Damage may be told as maps, as instances or as both;
a scorer is of maps alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from dentify.arrays import FloatArray
from dentify.bundle.manifest import Calibration, Grouping, Manifest, SeverityCalibration, Thresholds
from dentify.bundle.open import Bundle
from dentify.datasets.sample import UNTYPED, Sample
from dentify.errors import BundleError, DatasetError, NothingToFitError, printable
from dentify.fitting.confidence import LEAST_LEVELS, fit_temperature
from dentify.fitting.findings import Findings, fit_findings
from dentify.fitting.gates import Gate, fit_gate_of
from dentify.fitting.photo_types import Types, fit_types
from dentify.fitting.seeing import Seen, look_at, told_photos
from dentify.in_order import map_in_order
from dentify.runtime.networks import Networks
from dentify.settings import Settings
from dentify.strict import nearest

GROUPING = Grouping(
    levels=(0.15, 0.3, 0.45, 0.6, 0.75), radii=(0, 4, 11), min_cells=12, overlap=0.5, spread_to=0.45, upscale=3, part_upscale=4
)
"""For a network that was just trained, with maps of about 200 × 200 cells; its scorer is fitted here."""


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
        DatasetError: a photo cannot be read, or none is given.
        NothingToFitError: no label is one of the bundle's types, or nothing can be fitted.
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


def check_names(names: Iterable[str], taught: Sequence[str]) -> None:
    """Makes sure that some annotated damage is of a type that the bundle knows.

    Raises:
        NothingToFitError: all are of others; the message names them with the nearest.
    """
    unknown = sorted(names)
    if not unknown or set(unknown) & set(taught):
        return
    told = ", ".join(printable(name) for name in unknown)
    near = next(filter(None, (nearest(name.casefold(), taught) for name in unknown)), "")
    raise NothingToFitError(
        f"the labels name {told}; the bundle was taught {', '.join(taught)}; say in --labels what each becomes{near}"
    )


def fit_seen(seen: Seen, manifest: Manifest, *, photos: int, seed: int) -> Fitted:
    """All that is fitted, once every photo was seen.

    Raises:
        NothingToFitError: nothing could be.
    """
    notes: list[str] = []
    roles, calibration, thresholds = manifest.roles, manifest.calibration, manifest.thresholds
    own_gates = {
        "vehicle": Gate(calibration.vehicle, thresholds.vehicle),
        "damage": Gate(calibration.damage, thresholds.damage),
    }
    answered = {"vehicle": roles.vehicle_gate, "damage": roles.damage_gate}
    before = {gate: own for gate, own in own_gates.items() if answered[gate]}
    gates = {gate: fit_gate_of(gate, own, seen.asked, notes) for gate, own in before.items()}
    vehicle, damage = (gates.get(gate, own) for gate, own in own_gates.items())
    severity = _severity(seen.levels, calibration.severity, notes) if roles.severity else calibration.severity
    types = Types(calibration.types, thresholds.types)
    if roles.types:
        types = fit_types(seen.types, types, manifest.classes.types, notes)
    found = Findings(manifest.grouping.scorer, calibration.findings, thresholds.findings, {}, {}, fitted=False)
    if roles.damage:
        found = fit_findings(seen.evidence, manifest, before, gates, notes, seed=seed)
    fitted = manifest.model_copy(
        update={
            "grouping": manifest.grouping.model_copy(update={"scorer": found.scorer}),
            "calibration": Calibration(
                vehicle=vehicle.calibration,
                damage=damage.calibration,
                types=types.calibration,
                findings=found.curves,
                severity=severity,
            ),
            "thresholds": Thresholds(
                vehicle=vehicle.threshold,
                damage=damage.threshold,
                types=types.thresholds,
                findings=found.thresholds,
                parts=thresholds.parts,
            ),
        }
    )
    whole = severity is not calibration.severity or types.calibration is not calibration.types
    if not (found.fitted or whole or any(gates[gate] is not before[gate] for gate in gates)):
        raise NothingToFitError(f"nothing can be fitted to {told_photos(photos)}: {'; '.join(notes)}")
    return Fitted(fitted, found.figures, found.before, photos, tuple(notes))


def _severity(levels: Sequence[tuple[FloatArray, int]], own: SeverityCalibration, notes: list[str]) -> SeverityCalibration:
    if len(levels) < LEAST_LEVELS:
        notes.append(f"severity stays: {told_photos(len(levels) // 2)} of known severity, it takes {-(-LEAST_LEVELS // 2)}")
        return own
    return fit_temperature([logits for logits, _ in levels], [level for _, level in levels])
