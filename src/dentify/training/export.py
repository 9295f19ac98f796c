"""From a checkpoint to a bundle: ONNX, the proof that it says what torch says, and what is fitted on held-out photos.

    dentify export runs/default/last.ckpt -o my-bundle --data DIR

Export is not done until the ONNX file was run on real photos beside torch: logits within 1e-3, masks' IoU at least 0.999.
What no photo taught is left out: a type that none showed, a gate that saw one answer alone.
"""

from __future__ import annotations

import copy
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from dentify.arrays import FloatArray
from dentify.bundle import manifest as m
from dentify.bundle.open import Bundle
from dentify.bundle.write import check_target, write_bundle
from dentify.datasets.sample import Sample
from dentify.errors import BundleError, ConfigError, NothingToFitError
from dentify.fitting.fit import GROUPING, check_fittable, fit_bundle
from dentify.imaging.decode import decode_photo
from dentify.runtime.preprocess import network_input
from dentify.runtime.session import Session
from dentify.settings import Settings
from dentify.taxonomy import DAMAGE_NAMES
from dentify.training.adapters import merge_adapters
from dentify.training.as_onnx import NETWORK_FILE, Exported, Parity, check_parity, to_onnx
from dentify.training.checkpoints import Weights, average_weights, check_fits, read_checkpoint
from dentify.training.heads.labels import PhotoTypes
from dentify.training.photos import check_origins, read_run_photos
from dentify.training.recipe import Recipe, read_recipe
from dentify.training.taught import Kept, taught_heads

PARITY_PHOTOS = 50


def export_bundle(
    checkpoint: Path,
    output: Path,
    *,
    recipe: Recipe | None = None,
    average_with: Sequence[Path] = (),
    data: Path | None = None,
    version: str = "1.0.0",
    overwrite: bool = False,
    settings: Settings | None = None,
    on_total: Callable[[int], None] = lambda photos: None,
    on_photo: Callable[[Sample], None] = lambda sample: None,
) -> Path:
    """Writes the bundle of a checkpoint.

    Args:
        checkpoint: of `train`, with its run's `recipe.yaml` beside it.
        output: folder or zip to write.
        recipe: that of the run where not given.
        average_with: other checkpoints of the same network; the bundle's weights are the mean of all.
        data: folder that the recipe's paths are relative to, that of the run where not given; its held-out photos fit scores,
            thresholds and calibration.
        version: of the bundle.
        overwrite: replace a bundle that is there.
        settings: limits on photos and labels.
        on_total: is told how many photos will be fitted to.
        on_photo: is told of every photo that is fitted to.

    Raises:
        BundleError: ONNX Runtime and torch disagree.
        ConfigError: a checkpoint or the recipe is missing, they do not fit each other, or nothing was taught.
        DatasetError: photos cannot be read.
        OutputError: the bundle cannot be written.
    """
    check_target(output, overwrite=overwrite)
    trained = read_trained(checkpoint, recipe=recipe, average_with=average_with)
    recipe, network, kept = trained.recipe, trained.network, trained.kept
    data = data or _run_data(checkpoint)
    settings = settings or Settings()
    read = read_run_photos(recipe, data, settings=settings)
    photos = Counter(sample.source or "" for samples in read.every for sample in samples)
    check_origins(recipe, (sample for samples in read.every for sample in samples))
    held_out = read.held_out
    if not held_out:
        raise ConfigError(f"recipe {recipe.name}: data.hold_out keeps no photo to compare and fit with; raise it")
    on_total(len(held_out))

    exported = Exported(network, kept).eval()
    onnx = to_onnx(exported, recipe.data.serve_size)
    manifest = describe(recipe, kept, network, version=version, photos=photos)
    preprocessing = manifest.networks[0].preprocessing
    session = Session(onnx, input_name="image", output_names=list(kept), where=NETWORK_FILE)
    shown = held_out[:: max(1, len(held_out) // PARITY_PHOTOS)]
    parity = check_parity(exported, session, (photo_input(sample, preprocessing, settings) for sample in shown), kept)
    files = {NETWORK_FILE: onnx}
    bundle = Bundle(manifest, hashlib.sha256(manifest.to_json().encode()).hexdigest(), files, str(output))
    return write_bundle(
        output,
        complete(bundle, held_out, parity, seed=recipe.seed, settings=settings, on_photo=on_photo),
        files,
        overwrite=overwrite,
    )


@dataclass(frozen=True)
class Trained:
    """The network of a checkpoint, adapters merged into its weights, and the heads that it was taught."""

    recipe: Recipe
    network: nn.Module
    kept: Mapping[str, Kept]


def read_trained(checkpoint: Path, *, recipe: Recipe | None = None, average_with: Sequence[Path] = ()) -> Trained:
    """What a run taught; see `export_bundle`.

    Raises:
        ConfigError: a checkpoint or the recipe is missing, they do not fit each other, or nothing was taught.
    """
    state = read_checkpoint(checkpoint)
    recipe = recipe or read_run_recipe(checkpoint)
    heads = recipe.build_heads()
    network = recipe.model.build({name: head.output for name, head in heads.items()}, None)
    check_fits(state, network, heads, checkpoint)

    def merged(weights: Weights) -> Weights:
        alone = copy.deepcopy(network)
        alone.load_state_dict(weights)
        merge_adapters(alone)
        return alone.state_dict()

    average = average_weights(state.average, average_with, merged=merged)
    merge_adapters(network)
    network.load_state_dict(average)
    told = {name: [one for one in names if one not in recipe.review.not_told] for name, names in state.taught.items()}
    kept = taught_heads(heads, told)
    if not any(one.head.auxiliary is None for one in kept.values()):
        raise ConfigError(f"{checkpoint}: its run taught nothing that the bundle could tell")
    return Trained(recipe, network.eval(), kept)


def as_bundle(checkpoint: Path) -> tuple[Bundle, Callable[[], dict[str, bytes]]]:
    """A checkpoint as a bundle that is on no disk, and what makes its files: to ask its network, with nothing fitted or compared.

    Raises:
        ConfigError: as `read_trained`.
    """
    trained = read_trained(checkpoint)
    manifest = describe(trained.recipe, trained.kept, trained.network, version="1.0.0", photos=Counter())

    def files() -> dict[str, bytes]:
        return {NETWORK_FILE: to_onnx(Exported(trained.network, trained.kept).eval(), trained.recipe.data.serve_size)}

    return Bundle(manifest, hashlib.sha256(checkpoint.read_bytes()).hexdigest(), {}, str(checkpoint)), files


def read_run_recipe(checkpoint: Path) -> Recipe:
    """The recipe beside a checkpoint.

    Raises:
        ConfigError: there is none, or it is none of this version of Dentify.
    """
    path = checkpoint.parent / "recipe.yaml"
    if not path.is_file():
        raise ConfigError(f"{checkpoint}: the run's recipe.yaml must lie beside it")
    return read_recipe(path)


def _run_data(checkpoint: Path) -> Path:
    try:
        return Path((checkpoint.parent / "data.txt").read_text(encoding="utf-8").strip())
    except OSError as error:
        raise ConfigError(f"{checkpoint}: the run's data.txt is not beside it; say where its photos are with --data") from error


def photo_input(sample: Sample, preprocessing: m.Preprocessing, settings: Settings) -> FloatArray:
    """A photo as serving shows it to the network, `(1, 3, H, W)`.

    Raises:
        DatasetError: its file cannot be read.
        ImageError: it cannot be decoded.
    """
    photo = decode_photo(sample.read(settings), where=sample.name, settings=settings, enough_side=max(preprocessing.size_hw))
    return network_input(photo.image, preprocessing)


def describe(recipe: Recipe, kept: Mapping[str, Kept], network: nn.Module, *, version: str, photos: Counter[str]) -> m.Manifest:
    """The manifest of a trained network, before anything is fitted.

    Args:
        recipe: of the run.
        kept: the heads that were taught.
        network: for its mean and deviation.
        version: of the bundle.
        photos: how many of each source there were.
    """
    main = {name: one for name, one in kept.items() if one.head.auxiliary is None}
    auxiliary = {one.head.auxiliary: name for name, one in kept.items() if one.head.auxiliary is not None}
    members: dict[str, tuple[m.Member, ...]] = {}
    names: dict[str, tuple[str, ...]] = {}
    for name, one in main.items():
        role = one.head.role
        member = m.Member(
            file=NETWORK_FILE, output=name, kind=one.head.kind, auxiliary=dict(auxiliary) if role == "damage" else {}
        )
        members[role] = (*members.get(role, ()), member)
        names[role] = one.names
    damage, parts, severity, types = (names.get(role, ()) for role in ("damage", "parts", "severity", "types"))
    exclusive = any(one.head.exclusive for one in main.values() if isinstance(one.head, PhotoTypes))
    own = tuple(name for name in recipe.classes.damage if name not in DAMAGE_NAMES)
    size = recipe.data.serve_size
    return m.Manifest(
        name=recipe.name,
        version=version,
        licence=recipe.licence,
        description=recipe.description,
        taxonomy=m.Taxonomy(
            damage_types=DAMAGE_NAMES + own,
            taught=tuple(name for name in DAMAGE_NAMES + own if name in (*damage, *types)),
            parts=parts,
            severity_levels=severity,
        ),
        networks=(
            m.Network(
                file=NETWORK_FILE,
                input="image",
                preprocessing=m.Preprocessing(size_hw=(size, size), resize="stretch", mean=network.mean, std=network.std),
            ),
        ),
        roles=m.Roles(**members),
        classes=m.Classes(damage=damage, parts=parts, severity=severity, types=types),
        thresholds=m.Thresholds(
            findings=dict.fromkeys(damage, 0.5), types=dict.fromkeys(types, 0.5) if types and not exclusive else 0.5
        ),
        calibration=m.Calibration(types=m.TypesCalibration(exclusive=exclusive)),
        grouping=GROUPING if damage else m.Grouping(),
        review=m.ReviewRules(
            sure_from=recipe.review.sure_from,
            weak_types=tuple(name for name in recipe.review.weak_types if name in (*damage, *types)),
        ),
        data=tuple(
            m.DataOrigin(name=name, origin=origin.origin, licence=origin.licence, photos=photos[name], used_for=origin.used_for)
            for name, origin in recipe.origins.items()
            if photos[name]
        ),
        weights=tuple(
            m.WeightOrigin(name=name, origin=origin.origin, licence=origin.licence)
            for name, origin in {**recipe.model.origins_used, **recipe.learned_from}.items()
        ),
        limits=recipe.limits,
    )


def complete(
    bundle: Bundle,
    held_out: Sequence[Sample],
    parity: Parity,
    *,
    seed: int,
    settings: Settings | None = None,
    on_photo: Callable[[Sample], None],
) -> m.Manifest:
    """A bundle's manifest with what is fitted to held-out photos, and what was measured.

    Raises:
        DatasetError: a photo cannot be read.
    """
    manifest = bundle.manifest
    figures: dict[str, float] = {}
    notes: tuple[str, ...] = ()
    try:
        check_fittable(bundle)
    except BundleError as error:  # it tells parts alone
        return _measured(manifest, figures, (str(error),), parity)
    try:
        fitted = fit_bundle(bundle, held_out, seed=seed, settings=settings, on_photo=on_photo)
    except NothingToFitError as error:  # thresholds stay as they began
        notes = (str(error),)
    else:
        manifest, figures, notes = fitted.manifest, fitted.figures, fitted.notes
    return _measured(manifest, figures, notes, parity)


def _measured(manifest: m.Manifest, figures: Mapping[str, float], notes: Sequence[str], parity: Parity) -> m.Manifest:
    metrics: dict[str, m.Metric] = {"held_out": dict(figures)} if figures else {}
    beside: dict[str, m.Metric] = {} if parity.least_iou is None else {"least_mask_iou": parity.least_iou}
    if parity.least_alike is not None:
        beside["least_candidates_alike"] = parity.least_alike
    metrics["parity"] = {"photos": float(parity.photos), "largest_difference": parity.largest_difference, **beside}
    return manifest.model_copy(update={"metrics": metrics, "notes": (*manifest.notes, *notes)})
