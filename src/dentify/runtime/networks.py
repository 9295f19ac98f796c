"""A bundle's networks, run on one photo: what they say for each role, members averaged, cropped to the photo, uncalibrated."""

from __future__ import annotations

import time
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

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
    RoleName,
    Tiles,
    Views,
    map_problem,
    shapes_agree,
)
from dentify.errors import BundleError
from dentify.runtime.merging import finest_grid, merge_maps
from dentify.runtime.mirroring import unmirrored, unmirrored_offsets, unmirrored_parts
from dentify.runtime.preprocess import boxes_on_photo, crop_to_photo, network_input
from dentify.runtime.probabilities import log_of_mean, logit_of_mean, logits_of_mean
from dentify.runtime.session import Device, Session, cpu_instead, usable_processors
from dentify.runtime.tiles import enough_side, in_pixels, merge_tiles, spans, tile_grid
from dentify.settings import Settings, TilesSetting

Outputs = Mapping[str, FloatArray]
WeightedTable = tuple[float, FloatArray]
SAY_WHERE = ("centres", "offsets")
"""Auxiliary maps whose values say where: of a peak or an arrow a vote leaves nothing."""
NEVER_TILED = (*SAY_WHERE, "vehicle")
"""Auxiliary maps of things that a tile cuts off: their middles, and vehicles."""


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
        damage_tables: of each member that tells damage as instances its weight, and `(N, 4 + C + M²)` candidates, boxes in shares
            of the photo; see `INSTANCE_MASK` of the manifest.
        part_tables: likewise of the parts.
    """

    vehicle: float | None
    damaged: float | None
    types: FloatArray | None
    auxiliary: Mapping[str, FloatArray]
    parts: FloatArray | None
    severity: FloatArray | None
    photo_severity: FloatArray | None
    photo_types: FloatArray | None = None
    damage_tables: tuple[WeightedTable, ...] = ()
    part_tables: tuple[WeightedTable, ...] = ()


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
        self._settings = settings or Settings()
        self._views = chosen_views(manifest, self._settings.tiles)
        self.enough_side = max(self._enough_sides(), default=1)
        """Pixels that a photo's shorter side needs so that no network sees it, or a tile of it, enlarged."""

    def _enough_sides(self) -> Iterator[int]:
        for role, members in self._manifest.roles:
            tiles = self._views[role].tiles if role in self._views else None
            for member in members:
                sees = max(self._manifest.network_of(member.file).preprocessing.size_hw)
                tiled = tiles if member.kind == "maps" else None
                yield enough_side(tiled, sees=sees, most=self._settings.max_tiles)

    def ask(self, image: NDArray[np.uint8], *, photo_hw: tuple[int, int] | None = None) -> Answers:
        """Run every network once, and again on what else its roles see of the photo.

        Args:
            image: `(h, w, 3)` uint8 RGB, upright, at any scale.
            photo_hw: pixels of the photo that `image` was made of, which say whether it is worth tiles; those of `image` where
                not given.
        """
        seen = _Seen(image, photo_hw or (image.shape[0], image.shape[1]), self)

        def weights_of(members: Members) -> list[float]:
            return [member.weight for member in members]

        def labels(role: RoleName, members: Members) -> tuple[list[FloatArray], list[float]]:
            """The members' logits, those of mirrored photos behind them, and what each weighs."""
            looks = [seen.whole, *([seen.mirrored] if self._is_mirrored(role) else [])]
            logits = [look(member.file)[member.output].reshape(-1) for look in looks for member in members]
            return logits, weights_of(members) * len(looks)

        def maps(role: MapsRole, members: Members, key: str | None = None) -> FloatArray | None:
            """The members' main maps as one, or the auxiliary ones that all of them name by `key`."""
            if not members:
                return None
            found = [self._map_of(role, member, key, seen) for member in members]
            grid_hw = finest_grid(found)
            if len(found[0]) * grid_hw[0] * grid_hw[1] > MOST_VALUES:  # one may be fine in height and the other in width
                told = f"{len(found[0])} × {grid_hw[0]} × {grid_hw[1]} values on the finest of their grids"
                raise BundleError(f"{self._where}: the maps of roles.{role} take {told}, over the limit of {MOST_VALUES:,}")
            how: Combine = "mean" if key in SAY_WHERE else self._manifest.combine.get(role, "mean")
            return merge_maps(found, weights_of(members), how=how, exclusive=role != "damage")

        def tables(members: Members) -> tuple[WeightedTable, ...]:
            return tuple((member.weight, self._table_of(member, seen)) for member in of_kind("instances", members))

        def gate(role: RoleName, members: Members) -> float | None:
            logits, weights = labels(role, members)
            return logit_of_mean([float(values[0]) for values in logits], weights) if members else None

        def of_kind(kind: Kind, members: Members) -> Members:
            return tuple(member for member in members if member.kind == kind)

        roles = self._manifest.roles
        damage_maps = of_kind("maps", roles.damage)
        auxiliary = {key: maps("damage", damage_maps, key) for key in (damage_maps[0].auxiliary if damage_maps else ())}
        levels = labels("severity", of_kind("labels", roles.severity))
        types = labels("types", roles.types)
        mean_of_types = log_of_mean if self._manifest.calibration.types.exclusive else logits_of_mean
        return Answers(
            vehicle=gate("vehicle_gate", roles.vehicle_gate),
            damaged=gate("damage_gate", roles.damage_gate),
            types=maps("damage", damage_maps),
            auxiliary={key: value for key, value in auxiliary.items() if value is not None},
            parts=maps("parts", of_kind("maps", roles.parts)),
            severity=maps("severity", of_kind("maps", roles.severity)),
            photo_severity=log_of_mean(*levels) if levels[0] else None,
            photo_types=mean_of_types(*types) if types[0] else None,
            damage_tables=tables(roles.damage),
            part_tables=tables(roles.parts),
        )

    def _is_mirrored(self, role: RoleName) -> bool:
        return role in self._views and self._views[role].mirrored

    def _map_of(self, role: MapsRole, member: Member, key: str | None, seen: _Seen) -> FloatArray:
        """One member's maps of the photo: of the whole, of the whole mirrored in equal shares, and of tiles by half."""
        output = member.output if key is None else member.auxiliary[key]
        preprocessing = self._manifest.network_of(member.file).preprocessing

        def on_photo(outputs: Mapping[str, FloatArray], image_hw: tuple[int, ...]) -> FloatArray:
            return crop_to_photo(outputs[output][0], (image_hw[0], image_hw[1]), preprocessing)

        image_hw = seen.image.shape[:2]
        values = on_photo(seen.whole(member.file), image_hw)
        if role not in self._views:
            return values
        if self._views[role].mirrored:
            turned = on_photo(seen.mirrored(member.file), image_hw)
            match role, key:
                case "parts", _:
                    turned = unmirrored_parts(turned, self._manifest.classes.parts)
                case _, "offsets":
                    turned = unmirrored_offsets(turned)
                case _:
                    turned = unmirrored(turned)
            values = _half_each(values, turned)
        if key not in NEVER_TILED:
            sees, tiles = max(preprocessing.size_hw), self._views[role].tiles
            windows, outputs = seen.tiles(member.file, tiles, sees=sees, most=self._settings.max_tiles)
            if windows:
                sizes = [(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in windows]
                found = [on_photo(one, hw) for one, hw in zip(outputs, sizes, strict=True)]
                values = _half_each(values, merge_tiles(found, windows, image_hw, values.shape[1:]))
        return values

    def _table_of(self, member: Member, seen: _Seen) -> FloatArray:
        """One member's candidates on the photo."""
        preprocessing = self._manifest.network_of(member.file).preprocessing
        height, width = seen.image.shape[:2]
        return boxes_on_photo(seen.whole(member.file)[member.output][0], (height, width), preprocessing)

    def run(self, image: NDArray[np.uint8], file: str, inputs: dict[Preprocessing, FloatArray], *, spent: float = 0.0) -> Outputs:
        """What one network says of a picture, checked; `inputs` are kept for other networks that see it in the same way.

        Args:
            image: `(h, w, 3)` uint8 RGB.
            file: the network's.
            inputs: of this picture, by how it is shown.
            spent: seconds of its time for a photo that are gone.
        """
        preprocessing = self._manifest.network_of(file).preprocessing
        if preprocessing not in inputs:
            inputs[preprocessing] = network_input(image, preprocessing)
        outputs = self._sessions[file].run(inputs[preprocessing], spent=spent)
        self._check(file, outputs)
        return outputs

    def is_timed(self, file: str) -> bool:
        """Whether a network's next run counts to the time that it may take; see `Session.is_timed`."""
        return self._sessions[file].is_timed

    def tiled_outputs(self, file: str) -> set[str]:
        """The maps of one network that tiles are looked at for."""
        return {
            output
            for role, members in self._manifest.roles
            for member in members
            if member.file == file and member.kind == "maps" and role in self._views and self._views[role].tiles is not None
            for key, output in {"": member.output, **member.auxiliary}.items()
            if key not in NEVER_TILED
        }

    def check_tiles(self, file: str, outputs: Sequence[Outputs]) -> None:
        """Makes sure that what is kept of all tiles is no more than one output may be.

        Raises:
            BundleError: it is.
        """
        values = sum(maps.size for one in outputs for maps in one.values())
        if values > MOST_VALUES:
            told = f"{len(outputs)} tiles of a photo give {values:,} values, over the limit of {MOST_VALUES:,}"
            raise BundleError(f"{self._where}/{file}: {told}; set DENTIFY_MAX_TILES lower")

    def _check(self, file: str, outputs: Outputs) -> None:
        """Opening checked what the file says of its outputs; it may leave its shapes open."""
        size_hw = self._manifest.network_of(file).preprocessing.size_hw
        for role, members in self._manifest.roles:
            for member in members:
                if member.file != file:
                    continue
                shape, expected = outputs[member.output].shape, self._manifest.output_shape(role, member)
                if not shapes_agree(shape, expected):
                    place = f"{self._where}/{file}"
                    raise BundleError(f"{place}: output {member.output!r} is {shape}, the classes of {role} need {expected}")
                for output in (member.output, *member.auxiliary.values()):
                    if problem := map_problem(shape := outputs[output].shape, size_hw):
                        raise BundleError(f"{self._where}/{file}: output {output!r} is {shape}, {problem}")
                for key, output in member.auxiliary.items():
                    shape, expected = outputs[output].shape, self._manifest.auxiliary_shape(key)
                    if not shapes_agree(shape, expected):
                        raise BundleError(f"{self._where}/{file}: output {output!r} is {shape}, {key} must be {expected}")


class _Seen:
    """All that was seen of one photo so far: each network is run when it is first asked for, and once for each picture."""

    def __init__(self, image: NDArray[np.uint8], photo_hw: tuple[int, int], networks: Networks) -> None:
        self.image = image
        self._photo_hw = photo_hw
        self._networks = networks
        self._flipped: NDArray[np.uint8] | None = None
        self._inputs: dict[Any, dict[Preprocessing, FloatArray]] = {}
        self._outputs: dict[tuple[str, Any], Outputs] = {}
        self._seconds: dict[str, float] = {}

    def whole(self, file: str) -> Outputs:
        """Of the photo as it is."""
        return self._run(file, "whole", self.image)

    def mirrored(self, file: str) -> Outputs:
        """Of the photo with left and right exchanged."""
        if self._flipped is None:
            self._flipped = np.ascontiguousarray(self.image[:, ::-1])
        return self._run(file, "mirrored", self._flipped)

    def tiles(self, file: str, tiles: Tiles | None, *, sees: int, most: int) -> tuple[list[tuple[slice, slice]], list[Outputs]]:
        """Where tiles lie in the image, and what the network says of each; none where the photo is not worth them."""
        grid = tile_grid(self._photo_hw, tiles, sees=sees, most=most)
        if grid == (1, 1):
            return [], []
        windows = in_pixels(spans(grid[0]), spans(grid[1]), self.image.shape[:2])
        kept = self._networks.tiled_outputs(file)
        outputs = [self._run(file, (grid, place), self.image[window], kept) for place, window in enumerate(windows)]
        self._networks.check_tiles(file, outputs)
        return windows, outputs

    def _run(self, file: str, which: Any, picture: NDArray[np.uint8], kept: Collection[str] | None = None) -> Outputs:
        if (file, which) not in self._outputs:
            start, spent, counts = time.perf_counter(), self._seconds.get(file, 0.0), self._networks.is_timed(file)
            outputs = self._networks.run(picture, file, self._inputs.setdefault(which, {}), spent=spent)
            self._outputs[file, which] = outputs if kept is None else {name: outputs[name] for name in kept}
            self._seconds[file] = spent + (time.perf_counter() - start if counts else 0.0)
        return self._outputs[file, which]


def _half_each(one: FloatArray, other: FloatArray) -> FloatArray:
    return np.asarray((one + other) / 2, np.float32)


def chosen_views(manifest: Manifest, tiles: TilesSetting) -> dict[str, Views]:
    """How each role's networks see a photo beside the whole of it: as the bundle says, or with other tiles.

    `off` leaves out all tiles; `auto` or a number is for damage and for whatever else the bundle sees in tiles.

    Args:
        manifest: the bundle's.
        tiles: as settings have them.
    """
    views: dict[str, Views] = {str(role): one for role, one in manifest.views.items()}
    if tiles == "bundle":
        return views
    tiled = [role for role, one in views.items() if one.tiles is not None]
    if tiles == "off":
        changed = {role: views[role].mirrored for role in tiled}
        views = {role: one for role, one in views.items() if role not in tiled}
        return views | {role: Views(mirrored=True) for role, mirrored in changed.items() if mirrored}
    if any(member.kind == "maps" for member in manifest.roles.damage):
        tiled.append("damage")
    return views | {role: Views(tiles=tiles, mirrored=role in views and views[role].mirrored) for role in tiled}
