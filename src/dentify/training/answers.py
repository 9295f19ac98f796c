"""What a teacher says of a photo, as it is kept: maps on coarse grids, and logits of the photo as a whole."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import FloatArray
from dentify.bundle.manifest import INSTANCE_MASK, Manifest, Member
from dentify.errors import ConfigError
from dentify.runtime.merging import merge_maps
from dentify.runtime.networks import Answers, WeightedTable
from dentify.runtime.tables import LEAST_SCORE, find_in_table
from dentify.training.heads import Head
from dentify.training.heads.labels import ANSWERS, PhotoTypes

DAMAGE_CELLS, PART_CELLS = 112, 56
"""Cells along a side of what is kept: a quarter and an eighth of a picture of 448 pixels."""
STEPS = 10.0
"""Of kept maps, a unit of logits; they are cut at ±12."""
Kept = dict[str, NDArray[Any]]
NONE = "none"


def key_of(head: Head) -> str:
    """What the answers to a head's question are kept as."""
    return f"photo_{head.role}" if head.kind == "labels" else head.auxiliary or head.role


def channel_names(head: Head) -> tuple[str, ...]:
    """Of a head's channels; a gate's one is `yes`."""
    if head.kind == "labels":
        return head.names[-head.output.channels :]
    return (*head.names, NONE)[: head.output.channels] if head.role == "parts" else head.names


def answered(manifest: Manifest, head: Head) -> tuple[str, ...]:
    """Names of the channels that a bundle answers a head's question with.

    Raises:
        ConfigError: it does not answer it, or names nothing that the head does.
    """
    if head.kind == "instances":
        raise ConfigError("is of instances, which a network learns from its own proposals alone; maps and labels can be taught")
    if head.auxiliary in ("centres", "offsets"):
        raise ConfigError("says where the middles of things are, which no teacher is asked")
    if isinstance(head, PhotoTypes) and manifest.roles.types and manifest.calibration.types.exclusive != head.exclusive:
        told = "one type a photo" if manifest.calibration.types.exclusive else "each type by itself"
        raise ConfigError(f"asks another question than the teacher, which tells {told}; set `exclusive` as it has it")
    names = _names(manifest, head)
    if not names:
        raise ConfigError("is not answered by it")
    if not set(names) & set(channel_names(head)) - {NONE}:
        raise ConfigError(f"tells {', '.join(head.names)}, and the teacher none of these but {', '.join(names)}")
    return names


def _names(manifest: Manifest, head: Head) -> tuple[str, ...]:
    """Of the channels of a bundle's answer; none where it gives none."""
    roles, classes = manifest.roles, manifest.classes
    if head.kind == "labels":
        members: Sequence[Member] = [member for member in getattr(roles, head.role) if member.kind == "labels"]
        named = {"types": classes.types, "severity": classes.severity}.get(head.role, ANSWERS[1:])
        return named if members else ()
    if head.auxiliary is not None:
        maps = [member for member in roles.damage if member.kind == "maps"]
        return head.names if maps and head.auxiliary in maps[0].auxiliary else ()
    if head.role == "severity":
        return classes.severity if any(member.kind == "maps" for member in roles.severity) else ()
    if head.role == "parts":
        return (*classes.parts, NONE) if roles.parts else ()
    return classes.damage if roles.damage else ()


def pack(answers: Answers, manifest: Manifest, photo_hw: tuple[int, int]) -> bytes:
    """The answers of a bundle to a photo as an `.npz`: maps in steps, logits of the photo, and by `told_…` what they come to.

    What members find as instances is painted: a cell is of a type as likely as the surest candidate there.

    Args:
        answers: of the bundle's networks.
        manifest: of the bundle.
        photo_hw: pixels of the photo.
    """
    maps: dict[str, FloatArray | None] = {
        "damage": _with_tables(manifest.roles.damage, answers.types, answers.damage_tables, photo_hw, exclusive=False),
        "any": answers.auxiliary.get("any"),
        "vehicle": answers.auxiliary.get("vehicle"),
        "parts": _with_tables(manifest.roles.parts, answers.parts, answers.part_tables, photo_hw, exclusive=True),
        "severity": answers.severity,
    }
    labels = {
        "photo_vehicle_gate": answers.vehicle,
        "photo_damage_gate": answers.damaged,
        "photo_types": answers.photo_types,
        "photo_severity": answers.photo_severity,
    }
    arrays: dict[str, Any] = {}
    for key, logits in maps.items():
        if logits is not None:
            arrays[key] = _coarse(logits, PART_CELLS if key == "parts" else DAMAGE_CELLS)
            arrays[f"told_{key}"] = _told(arrays[key], exclusive=key in ("parts", "severity"))
    for key, values in labels.items():
        if values is not None:
            arrays[key] = np.atleast_1d(np.asarray(values, np.float32))
            exclusive = key == "photo_severity" or (key == "photo_types" and manifest.calibration.types.exclusive)
            told = _told(arrays[key], exclusive=exclusive)
            arrays[f"told_{key}"] = np.concatenate([~told, told]) if key.endswith("_gate") else told
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def unpack(path: Path, keys: Collection[str]) -> Kept:
    """What is kept of a photo under some keys; nothing where a teacher did not look at it."""
    if not path.is_file():
        return {}
    with np.load(path) as kept:
        return {key: kept[key] for key in keys if key in kept}


def _with_tables(
    members: Sequence[Member],
    maps: FloatArray | None,
    tables: Sequence[WeightedTable],
    photo_hw: tuple[int, int],
    *,
    exclusive: bool,
) -> FloatArray | None:
    """The maps of all of a role's members as one, those that find instances, too."""
    found = [(weight, _painted(table, photo_hw, exclusive=exclusive)) for weight, table in tables]
    if maps is not None:
        found.append((sum(member.weight for member in members if member.kind == "maps"), maps))
    if not found:
        return None
    return merge_maps([one for _, one in found], [weight for weight, _ in found], how="mean", exclusive=exclusive)


def _painted(table: FloatArray, photo_hw: tuple[int, int], *, exclusive: bool) -> FloatArray:
    """Candidates as maps of logits: of each class the surest there, and hardly anything where there is none.

    Of classes that exclude each other there is one more channel, none of them: as likely as the surest candidate is wrong.
    """
    found = find_in_table(table, photo_hw)
    classes = table.shape[1] - 4 - INSTANCE_MASK**2
    shares = np.zeros((classes, *found.grid_hw), np.float32)
    for index in range(len(found)):
        rows, columns, mask = found.cells(index)
        window = shares[found.class_ids[index], rows, columns]
        np.maximum(window, found.scores[index] * mask, out=window)
    if exclusive:
        shares = np.concatenate([shares, 1 - shares.max(0, keepdims=True)])
        return np.asarray(np.log(shares.clip(LEAST_SCORE, 1)), np.float32)
    shares = shares.clip(LEAST_SCORE, 1 - LEAST_SCORE)
    return np.asarray(np.log(shares / (1 - shares)), np.float32)


def _coarse(maps: FloatArray, finest: int) -> NDArray[np.int8]:
    """Logits on a grid of no more cells along a side than this, in steps."""
    hw = tuple(min(side, finest) for side in maps.shape[1:])
    small = [cv2.resize(one, hw[::-1], interpolation=cv2.INTER_AREA) for one in maps]
    return np.asarray(np.rint(np.clip(np.stack(small), -12, 12) * STEPS), np.int8)


def _told(logits: NDArray[Any], *, exclusive: bool) -> NDArray[np.bool_]:
    """`(C,)` of each channel: whether it is likelier than not, or the likeliest of its place, anywhere."""
    rows = logits.reshape(len(logits), -1)
    if exclusive:
        return np.isin(np.arange(len(rows)), rows.argmax(0))
    return np.asarray((rows > 0).any(1))
