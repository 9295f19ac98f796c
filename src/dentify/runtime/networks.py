"""A bundle's networks, run on one photo: what they say for each role, members averaged, cropped to the photo, uncalibrated."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dentify.arrays import FloatArray
from dentify.bundle.manifest import (
    MOST_VALUES,
    Combine,
    Kind,
    Manifest,
    MapsRole,
    Member,
    Members,
    Preprocessing,
    map_problem,
    shapes_agree,
)
from dentify.errors import BundleError
from dentify.runtime.merging import finest_grid, merge_maps
from dentify.runtime.preprocess import crop_to_photo, network_input
from dentify.runtime.probabilities import log_of_mean, logit_of_mean, logits_of_mean
from dentify.runtime.session import Device, Session, cpu_instead, usable_processors
from dentify.settings import Settings

NEVER_VOTED = ("centres", "offsets")
"""Auxiliary maps whose values say where: of a peak or an arrow a vote leaves nothing."""


@dataclass(frozen=True)
class Answers:
    """What the networks say of one photo, uncalibrated; `None` where the bundle has no such role.

    Maps lie on a grid that covers the photo evenly; the roles' grids may differ.

    Attributes:
        vehicle: logit that a vehicle is shown.
        damaged: logit that it is damaged.
        types: `(C, h, w)` logits of the damage types.
        auxiliary: further maps `(c, h, w)` of the damage role, by the manifest's keys.
        parts: `(P + 1, h, w)` logits of the parts, the last: none of them.
        severity: `(L, h, w)` logits of the severity levels.
        photo_severity: `(L,)` logits of the whole photo's severity.
        photo_types: `(C,)` logits of the damage types that the photo shows as a whole.
    """

    vehicle: float | None
    damaged: float | None
    types: FloatArray | None
    auxiliary: Mapping[str, FloatArray]
    parts: FloatArray | None
    severity: FloatArray | None
    photo_severity: FloatArray | None
    photo_types: FloatArray | None = None


class Networks:
    """All networks of a bundle, each with its ONNX Runtime session. `ask` may be called from several threads at once.

    Args:
        manifest: the bundle's manifest.
        files: the verified bytes of its files.
        threads: threads for one run of one network; `None` takes as many as this process may use processors.
        where: what error messages call the bundle.
        device: what they run on; where `"cuda"` is not to be had, a warning says so and the CPU is used.
        settings: how long a run may take, and how much memory.
    """

    def __init__(
        self,
        manifest: Manifest,
        files: Mapping[str, bytes],
        *,
        threads: int | None,
        where: str,
        device: Device = "auto",
        settings: Settings | None = None,
    ) -> None:
        self._manifest = manifest
        self._where = where
        self.threads = usable_processors() if threads is None else threads
        """Threads of a network's run."""
        self._sessions: dict[str, Session] = {}
        members: list[Member] = [member for _, role in manifest.roles for member in role]
        for network in manifest.networks:
            of_file = [member for member in members if member.file == network.file]
            outputs = {output: None for member in of_file for output in (member.output, *member.auxiliary.values())}
            if outputs:
                self._sessions[network.file] = Session(
                    files[network.file],
                    input_name=network.input,
                    output_names=list(outputs),
                    threads=self.threads,
                    where=f"{where}/{network.file}",
                    device=device,
                    settings=settings,
                )
        on_cuda = [session.on_cuda for session in self._sessions.values()]
        if device == "cuda" and not all(on_cuda):
            warnings.warn(cpu_instead(), RuntimeWarning, stacklevel=4)  # where the user called `load`
        self.device: Literal["cpu", "cuda"] = "cuda" if on_cuda and all(on_cuda) else "cpu"
        """What the networks run on."""
        sides = [max(manifest.network_of(file).preprocessing.size_hw) for file in self._sessions]
        self.enough_side = max(sides, default=1)
        """Pixels that a photo's shorter side needs so that no network sees it enlarged."""

    def ask(self, image: NDArray[np.uint8]) -> Answers:
        """Run every network once.

        Args:
            image: `(h, w, 3)` uint8 RGB, upright, at any scale.
        """
        inputs: dict[Preprocessing, FloatArray] = {}
        outputs: dict[str, Mapping[str, FloatArray]] = {}
        for file, session in self._sessions.items():
            preprocessing = self._manifest.network_of(file).preprocessing
            if preprocessing not in inputs:
                inputs[preprocessing] = network_input(image, preprocessing)
            outputs[file] = session.run(inputs[preprocessing])
        self._check(outputs)

        def weights_of(members: Members) -> list[float]:
            return [member.weight for member in members]

        def labels(members: Members) -> list[FloatArray]:
            return [outputs[member.file][member.output].reshape(-1) for member in members]

        def maps(role: MapsRole, members: Members, key: str | None = None) -> FloatArray | None:
            """The members' main maps as one, or the auxiliary ones that all of them name by `key`."""
            if not members:
                return None
            found = []
            for member in members:
                output = member.output if key is None else member.auxiliary[key]
                preprocessing = self._manifest.network_of(member.file).preprocessing
                values = crop_to_photo(outputs[member.file][output][0], image.shape[:2], preprocessing)
                found.append(values)
            grid_hw = finest_grid(found)
            if len(found[0]) * grid_hw[0] * grid_hw[1] > MOST_VALUES:  # one may be fine in height and the other in width
                told = f"{len(found[0])} × {grid_hw[0]} × {grid_hw[1]} values on the finest of their grids"
                raise BundleError(f"{self._where}: the maps of roles.{role} take {told}, over the limit of {MOST_VALUES:,}")
            how: Combine = "mean" if key in NEVER_VOTED else self._manifest.combine.get(role, "mean")
            return merge_maps(found, weights_of(members), how=how, exclusive=role != "damage")

        def gate(members: Members) -> float | None:
            logits = [float(values[0]) for values in labels(members)]
            return logit_of_mean(logits, weights_of(members)) if members else None

        def of_kind(kind: Kind, members: Members) -> Members:
            return tuple(member for member in members if member.kind == kind)

        roles = self._manifest.roles
        damage_maps = of_kind("maps", roles.damage)
        auxiliary = {key: maps("damage", damage_maps, key) for key in (damage_maps[0].auxiliary if damage_maps else ())}
        severity_labels = of_kind("labels", roles.severity)
        levels = labels(severity_labels)
        types = labels(roles.types)
        mean_of_types = log_of_mean if self._manifest.calibration.types.exclusive else logits_of_mean
        return Answers(
            vehicle=gate(roles.vehicle_gate),
            damaged=gate(roles.damage_gate),
            types=maps("damage", damage_maps),
            auxiliary={key: value for key, value in auxiliary.items() if value is not None},
            parts=maps("parts", of_kind("maps", roles.parts)),
            severity=maps("severity", of_kind("maps", roles.severity)),
            photo_severity=log_of_mean(levels, weights_of(severity_labels)) if levels else None,
            photo_types=mean_of_types(types, weights_of(roles.types)) if types else None,
        )

    def _check(self, outputs: Mapping[str, Mapping[str, FloatArray]]) -> None:
        """Opening checked what the files say of their outputs; a file may leave its shapes open."""
        for role, members in self._manifest.roles:
            for member in members:
                shape, expected = outputs[member.file][member.output].shape, self._manifest.output_shape(role, member)
                if not shapes_agree(shape, expected):
                    place = f"{self._where}/{member.file}"
                    raise BundleError(f"{place}: output {member.output!r} is {shape}, the classes of {role} need {expected}")
                size_hw = self._manifest.network_of(member.file).preprocessing.size_hw
                for output in (member.output, *member.auxiliary.values()):
                    if problem := map_problem(shape := outputs[member.file][output].shape, size_hw):
                        raise BundleError(f"{self._where}/{member.file}: output {output!r} is {shape}, {problem}")
                for key, output in member.auxiliary.items():
                    shape, expected = outputs[member.file][output].shape, self._manifest.auxiliary_shape(key)
                    if not shapes_agree(shape, expected):
                        raise BundleError(f"{self._where}/{member.file}: output {output!r} is {shape}, {key} must be {expected}")
