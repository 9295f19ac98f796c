"""A bundle of a vehicle gate out of the classes that a classifier was taught elsewhere, without training.

    dentify bundle gate resnet50 --data damage/val.json --data no_vehicle=rooms -o my-gate

The classifier says of a few photos which of its classes mean vehicle (`dentify.fitting.class_gate`). Its ONNX file answers the
gate's logit alone, and is compared with torch before temperature and threshold are fitted to the same photos.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dentify.arrays import FloatArray
from dentify.bundle import manifest as m
from dentify.bundle.open import Bundle
from dentify.datasets.sample import Sample, has_vehicle, spread
from dentify.errors import ConfigError, DatasetError
from dentify.fitting.class_gate import ClassGate, choose_classes
from dentify.runtime.session import Session
from dentify.settings import Settings
from dentify.taxonomy import DAMAGE_NAMES
from dentify.training.as_onnx import NETWORK_FILE, check_parity, to_onnx
from dentify.training.classes import Classes
from dentify.training.export import PARITY_PHOTOS, complete, photo_input
from dentify.training.heads.labels import ANSWERS, LabelsRecipe
from dentify.training.models.pretrained import read_weights, timm_model
from dentify.training.origin import Origin
from dentify.training.taught import Kept

OUTPUT = "vehicle"
PHOTOS = 50
"""Of either answer, to learn from: a class must be among the first five on three of so many, where there are 1,000."""
_UNKNOWN = "as stated by its owner"
_LIMIT = (
    "It knows the classifier's own classes alone: what looks like none of those that were chosen, such as a close-up of a door, "
    "may be turned away."
)


@dataclass(frozen=True)
class ClassGateBundle:
    """What `gate_bundle` makes.

    Attributes:
        manifest: of the bundle; `data` is left to who knows where the photos come from.
        files: bytes by name.
        classes: which of the classifier's classes mean vehicle, by ImageNet's names where it has these classes, else by number.
        photos: those that it was made with.
    """

    manifest: m.Manifest
    files: Mapping[str, bytes]
    classes: tuple[str, ...]
    photos: tuple[Sample, ...]


class Gated(nn.Module):
    """A classifier that answers `vehicle` (B, 1): see `dentify.fitting.class_gate.gate_logits`."""

    of_vehicle: Tensor
    of_rest: Tensor

    def __init__(self, classifier: nn.Module, gate: ClassGate) -> None:
        super().__init__()
        self.classifier = classifier
        self.register_buffer("of_vehicle", torch.tensor(gate.vehicle))
        self.register_buffer("of_rest", torch.tensor(gate.rest))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(B, 3, S, S) normalised photos to the gate's logit."""
        logits = self.classifier(images)
        vehicle, rest = (
            logits.index_select(1, classes).logsumexp(1, keepdim=True) for classes in (self.of_vehicle, self.of_rest)
        )
        return {OUTPUT: vehicle - rest}


def gate_bundle(
    architecture: str,
    samples: Iterable[Sample],
    *,
    weights: Path | None = None,
    size: int | None = None,
    photos: int = PHOTOS,
    origin: str | None = None,
    licence: str | None = None,
    version: str = "1.0.0",
    seed: int = 0,
    settings: Settings | None = None,
    on_photo: Callable[[], None] = lambda: None,
) -> ClassGateBundle:
    """Makes a vehicle gate of a classifier.

    Args:
        architecture: a classifier of timm with the classes that it was trained for, such as `resnet50`.
        samples: labelled photos; those of which nobody said whether they show a vehicle are passed over.
        weights: a safetensors file of the whole classifier; those that timm downloads where not given.
        size: side in pixels of the square that photos are stretched to; that of the classifier's weights where not given.
        photos: of either answer, evenly spread, to learn from.
        origin: of the weights; as timm states it, or the file's name, where not given.
        licence: of the weights, and so of the bundle; as timm states it where not given.
        version: of the bundle.
        seed: of the close-ups that the gate is fitted to beside photos.
        settings: limits on photos.
        on_photo: is called whenever a photo was looked at: twice for each.

    Raises:
        BundleError: ONNX Runtime and torch disagree.
        ConfigError: timm has no such architecture, it has no classes or takes no photos of this size, or weights are missing.
        DatasetError: photos cannot be read, all or none show a vehicle, or they do not tell which classes mean it.
    """
    settings = settings or Settings()
    chosen = _of_either_answer(samples, photos)
    classifier = _classifier(architecture, weights)
    preprocessing = _preprocessing(classifier, architecture, size)
    logits = []
    for sample in chosen:
        picture = torch.from_numpy(photo_input(sample, preprocessing, settings))
        with torch.inference_mode():
            logits.append(classifier(picture)[0].numpy())
        on_photo()
    gate = choose_classes(np.stack(logits), np.array([has_vehicle(sample) for sample in chosen], np.bool_))
    network = Gated(classifier, gate).eval()
    onnx = to_onnx(network, preprocessing.size_hw[0])
    session = Session(onnx, input_name="image", output_names=[OUTPUT], where=NETWORK_FILE)
    head = LabelsRecipe(kind="labels", of="vehicle").build(OUTPUT, Classes(damage=()))
    inputs: Iterable[FloatArray] = (photo_input(sample, preprocessing, settings) for sample in spread(chosen, PARITY_PHOTOS))
    parity = check_parity(network, session, inputs, {OUTPUT: Kept(head, ANSWERS, [0])})
    classes = _class_names(classifier, gate)
    manifest = _describe(architecture, _origin(classifier, weights, origin, licence), preprocessing, version=version)
    every = len(gate.vehicle) + len(gate.rest)
    note = f"Of the {every:,} classes of {architecture} {len(chosen)} photos chose what means vehicle: {'; '.join(classes)}."
    manifest = manifest.model_copy(update={"notes": (note,)})
    files = {NETWORK_FILE: onnx}
    bundle = Bundle(manifest, hashlib.sha256(manifest.to_json().encode()).hexdigest(), files, architecture)
    manifest = complete(bundle, chosen, parity, seed=seed, settings=settings, on_photo=lambda sample: on_photo())
    return ClassGateBundle(manifest, files, classes, tuple(chosen))


def _of_either_answer(samples: Iterable[Sample], count: int) -> list[Sample]:
    """So many photos with a vehicle and without, or all that there are.

    Raises:
        DatasetError: there is none of one of them.
    """
    known: dict[bool, list[Sample]] = {True: [], False: []}
    for sample in samples:
        answer = has_vehicle(sample)
        if answer is not None:
            known[answer].append(sample)
    for answer, told in ((True, "with a vehicle"), (False, "without a vehicle")):
        if not known[answer]:
            raise DatasetError(
                f"no photo is labelled as one {told}; a gate is made of photos of either kind, some dozens of each"
            )
    return [sample for answer in (True, False) for sample in spread(known[answer], count)]


def _classifier(architecture: str, weights: Path | None) -> Any:
    """An architecture of timm with its classes.

    Raises:
        ConfigError: see `gate_bundle`.
    """
    advice = "put a safetensors file of the whole classifier on this machine and name it with --weights"
    classifier = timm_model(architecture, key="ARCHITECTURE", weights=architecture, pretrained=weights is None, advice=advice)
    if not classifier.num_classes:
        raise ConfigError(f"{architecture}: was taught no classes; take a classifier of ImageNet, such as resnet50")
    if weights is not None:
        read_weights(classifier, weights, architecture, advice="leave it out to take those that timm downloads")
    return classifier.eval()


def _preprocessing(classifier: Any, architecture: str, size: int | None) -> m.Preprocessing:
    """What a classifier takes, as its weights say.

    Raises:
        ConfigError: it takes no photos of this size.
    """
    config = classifier.pretrained_cfg
    size = size or int(config["input_size"][-1])
    try:
        with torch.inference_mode():
            classifier(torch.zeros(1, 3, size, size))
    except (AssertionError, RuntimeError, ValueError) as error:
        own = config["input_size"][-1]
        raise ConfigError(f"{architecture}: takes no photos of {size} × {size} pixels; its own size is {own}") from error
    return m.Preprocessing(size_hw=(size, size), resize="stretch", mean=tuple(config["mean"]), std=tuple(config["std"]))


def _class_names(classifier: Any, gate: ClassGate) -> tuple[str, ...]:
    """The classes that mean vehicle, in words where timm has some: `436 beach wagon`."""
    from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(classifier)
    if subset is None:
        return tuple(str(number) for number in gate.vehicle)
    names = ImageNetInfo(subset)
    return tuple(f"{number} {names.index_to_description(number).partition(',')[0]}" for number in gate.vehicle)


def _origin(classifier: Any, weights: Path | None, origin: str | None, licence: str | None) -> Origin:
    """Of the weights, as far as is known."""
    config: Mapping[str, Any] = classifier.pretrained_cfg if weights is None else {}
    own = f"{weights.name}, a file of its user's" if weights is not None else config.get("hf_hub_id") or config.get("url")
    return Origin(
        origin=origin or own or _UNKNOWN,
        licence=licence or config.get("license") or _UNKNOWN,
    )


def _describe(architecture: str, origin: Origin, preprocessing: m.Preprocessing, *, version: str) -> m.Manifest:
    """The manifest before anything is fitted."""
    return m.Manifest(
        name=f"gate_{architecture}",
        version=version,
        licence=origin.licence,
        description=f"Whether a photo shows a vehicle, out of the classes that {architecture} was taught.",
        taxonomy=m.Taxonomy(damage_types=DAMAGE_NAMES, taught=()),
        networks=(m.Network(file=NETWORK_FILE, input="image", preprocessing=preprocessing),),
        roles=m.Roles(vehicle_gate=(m.Member(file=NETWORK_FILE, output=OUTPUT, kind="labels"),)),
        classes=m.Classes(),
        weights=(m.WeightOrigin(name=architecture, origin=origin.origin, licence=origin.licence),),
        limits=(_LIMIT,),
    )
