"""What the members of an ensemble say of one labelled photo, beside the right answers: what their weights are fitted to.

Of maps only some cells are looked at: neighbours say the same. Of what members find one by one, each thing is asked for: whether
it is one that was annotated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dentify.arrays import BoolArray, FloatArray, IntArray, Matrix
from dentify.bundle.manifest import Combine, Manifest
from dentify.datasets.coverage import coverage_of
from dentify.datasets.sample import Sample, has_vehicle, is_damaged, types_shown, worst_severity
from dentify.fitting.evidence import Truth, candidates_of_found, damage_truth, judged_by, left_out, outlined, right_ones
from dentify.imaging.views import whole_view
from dentify.runtime.decoders import damage_instances, part_instances
from dentify.runtime.fusion import fuse_and_tell
from dentify.runtime.merging import on_finest_grid, probability_of_share, votes
from dentify.runtime.networks import Answers
from dentify.runtime.probabilities import sigmoid, softmax

CELLS = 128
"""Of a photo's maps, as many that show something and as many that do not."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What K members say to some questions about a photo, beside the right answers.

    Attributes:
        photo: its number; near-duplicates share it.
        against: `(N, K, C)` where logits are averaged: logit of each wrong answer less that of the right one.
        right: `(M, K)` where probabilities are: that of the right answer.
        weight: how much each of its questions counts.
    """

    photo: int
    against: FloatArray = field(default_factory=lambda: np.zeros((0, 1, 1), np.float32))
    right: FloatArray = field(default_factory=lambda: np.zeros((0, 1), np.float32))
    weight: float = 1.0


def of_yes_or_no(logits: FloatArray, truth: FloatArray) -> FloatArray:
    """`(N, K, 1)` what members hold against the right answers, yes or no.

    Args:
        logits: `(N, K)` of yes.
        truth: `(N,)` 1 for yes, 0 for no.

    >>> of_yes_or_no(np.float32([[2, -1]]), np.float32([1])).tolist()
    [[[-2.0], [1.0]]]
    """
    return np.where(truth[:, None] > 0, -logits, logits)[:, :, None]


def of_one_class(logits: FloatArray, truth: IntArray) -> FloatArray:
    """`(N, K, C - 1)` what members hold against the right classes.

    Args:
        logits: `(N, K, C)`.
        truth: `(N,)` the right class of each.

    >>> of_one_class(np.float32([[[2, 0, 5]]]), np.array([2])).tolist()
    [[[-3.0, -5.0]]]
    """
    count, members, classes = logits.shape
    right = np.take_along_axis(logits, truth[:, None, None], axis=2)
    wrong = np.arange(classes) != truth[:, None]  # (N, C), one of a row false
    against = (logits - right).transpose(0, 2, 1)[wrong]  # (N · (C - 1), K)
    return np.asarray(against.reshape(count, classes - 1, members).transpose(0, 2, 1), np.float32)


def judge(
    role: str,
    said: Sequence[Answers],
    manifest: Manifest,
    sample: Sample,
    photo_hw: tuple[int, int],
    how: Combine,
    rng: np.random.Generator,
) -> tuple[Judged, bool | None]:
    """What members say to a role's question about one photo beside the right answer, and that answer where it is yes or no.

    Args:
        role: which question.
        said: by each member.
        manifest: of one of them: they name the same classes.
        sample: the photo's labels.
        photo_hw: pixels of the upright photo.
        how: maps become one.
        rng: which cells of maps are looked at.

    Returns:
        Nothing in it where the labels do not tell.
    """
    nothing = Judged(0)
    if role in ("damage", "parts") and sample.vehicle is False:  # a gate's business
        return nothing, None
    match role:
        case "vehicle_gate" | "damage_gate":
            logits = np.array([one.vehicle if role == "vehicle_gate" else one.damaged for one in said], np.float32)
            answer = has_vehicle(sample) if role == "vehicle_gate" else is_damaged(sample)
            return (nothing if answer is None else Judged(0, right=_right_of(sigmoid(logits)[None], np.array([answer])))), answer
        case "types":
            told = [one.photo_types for one in said if one.photo_types is not None]
            return _types(np.stack(told), types_shown(sample, manifest.classes.types), manifest.calibration.types.exclusive), None
        case "damage":
            return _damage([one.types for one in said if one.types is not None], manifest, sample, photo_hw, how, rng), None
        case "parts":
            maps = on_finest_grid([one.parts for one in said if one.parts is not None])
            return _classes(maps, part_cells(sample, manifest.classes.parts, photo_hw, maps[0].shape[1:]), how, rng), None
        case _:
            return _severity(said, manifest.classes.severity, sample, photo_hw, how, rng), None


def judge_found(
    role: str, said: Sequence[Answers], manifests: Sequence[Manifest], sample: Sample, photo_hw: tuple[int, int]
) -> Judged:
    """What members say of the things that they found on one photo, each as likely as its score, 0 of who did not find it.

    That is how `fuse` makes one score of several. Which things are one, and where they lie, is as with equal weights.

    Args:
        role: damage or parts.
        said: by each member.
        manifests: of each member.
        sample: the photo's labels.
        photo_hw: pixels of the upright photo.

    Returns:
        Nothing in it where the labels do not tell.
    """
    decode = damage_instances if role == "damage" else part_instances
    found = [decode(answers, manifest, photo_hw) for answers, manifest in zip(said, manifests, strict=True)]
    fused, told = fuse_and_tell([one for one in found if one is not None], [1.0] * len(found))
    names = manifests[0].classes.damage if role == "damage" else manifests[0].classes.parts
    view = whole_view(photo_hw, fused.grid_hw)
    if sample.vehicle is False or (truth := _outlines(role, sample, names, view, fused.grid_hw)) is None:
        return Judged(0)
    kept, ious = judged_by(truth, candidates_of_found(fused))
    return Judged(0, right=_right_of(told[kept], right_ones(ious)))


def _outlines(role: str, sample: Sample, names: Sequence[str], view: Matrix, grid_hw: tuple[int, int]) -> Truth | None:
    """What was annotated; `None` where that is boxes, or of parts nothing."""
    if role == "damage":
        told = all(damage.has_mask for damage in sample.damages)
        return damage_truth(sample, names, view, grid_hw) if told else None
    if not sample.parts or not all(part.has_mask for part in sample.parts):
        return None
    regions = [coverage_of(region, view, grid_hw) > 127 for region in sample.ignored]
    known = np.array([sample.knows(name) for name in names], np.bool_)
    types, instances = outlined(sample.parts, names, view, grid_hw)
    return Truth(types, instances, known, np.any(regions, axis=0) if regions else None)


def _right_of(probabilities: FloatArray, truth: BoolArray) -> FloatArray:
    """`(N, K)` probabilities of yes as those of the right answers."""
    return np.where(truth[:, None], probabilities, 1 - probabilities)


def _types(logits: FloatArray, shown: Sequence[bool | None], exclusive: bool) -> Judged:
    """Of `(K, C)` logits of a photo's types."""
    if exclusive:
        if shown.count(True) != 1 or None in shown:
            return Judged(0)
        return Judged(0, right=softmax(logits, axis=1)[None, :, shown.index(True)])
    known = np.array([one is not None for one in shown])
    truth = np.array([bool(one) for one in shown])
    return Judged(0, right=_right_of(sigmoid(logits.T[known]), truth[known]))


def _damage(
    maps: Sequence[FloatArray],
    manifest: Manifest,
    sample: Sample,
    photo_hw: tuple[int, int],
    how: Combine,
    rng: np.random.Generator,
) -> Judged:
    """Of maps of damage: each type that the photo's source outlines, at cells with and without damage."""
    names = manifest.classes.damage
    known = np.array([sample.knows(name) for name in names], np.bool_)
    if not known.any() or not all(damage.has_mask for damage in sample.damages):
        return Judged(0)
    stacked = np.stack(on_finest_grid(maps))  # (K, C, h, w)
    grid_hw = stacked.shape[2:]
    view = whole_view(photo_hw, grid_hw)
    truth = np.zeros((len(names), *grid_hw), np.bool_)
    for damage in sample.damages:
        if damage.name in names:
            truth[names.index(damage.name)] |= coverage_of(damage, view, grid_hw) > 127
    regions = left_out(sample, names, view, grid_hw)
    told = np.ones(grid_hw, np.bool_) if regions is None else ~regions
    rows, columns = _some(truth.any(axis=0) & told, ~truth.any(axis=0) & told, rng)
    logits = stacked[:, known][:, :, rows, columns].reshape(len(stacked), -1).T  # (types · cells, K)
    right = truth[known][:, rows, columns].ravel()
    if how == "vote":
        return Judged(0, right=_right_of(probability_of_share(votes(logits, exclusive=False), 2), right))
    return Judged(0, against=of_yes_or_no(logits, right.astype(np.float32)))


def part_cells(sample: Sample, names: Sequence[str], photo_hw: tuple[int, int], grid_hw: tuple[int, int]) -> IntArray:
    """`(h, w)` the part that each cell shows, as outlined; the number of parts for none of them, -1 where nobody told.

    Args:
        sample: the photo's labels.
        names: of the parts.
        photo_hw: pixels of the upright photo.
        grid_hw: cells.
    """
    if not sample.parts:
        return np.full(grid_hw, -1)
    none_known = all(sample.knows(name) for name in names)
    cells = np.full(grid_hw, len(names) if none_known else -1)
    view = whole_view(photo_hw, grid_hw)
    for part in sample.parts:
        if not part.has_mask:  # it is somewhere in its box
            cells[coverage_of(part, view, grid_hw) > 0] = -1
    for part in sample.parts:
        if part.has_mask:
            cells[coverage_of(part, view, grid_hw) > 127] = names.index(part.name) if part.name in names else -1
    for region in sample.ignored:
        cells[coverage_of(region, view, grid_hw) > 0] = -1
    return cells


def _severity(
    said: Sequence[Answers],
    levels: Sequence[str],
    sample: Sample,
    photo_hw: tuple[int, int],
    how: Combine,
    rng: np.random.Generator,
) -> Judged:
    """Of how bad each damage is, where members have maps of it, and of how bad the photo is, where they say that."""
    judged = Judged(0)
    maps = [one.severity for one in said if one.severity is not None]
    whole = [one.photo_severity for one in said if one.photo_severity is not None]
    if maps:
        maps = on_finest_grid(maps)
        grid_hw = maps[0].shape[1:]
        view = whole_view(photo_hw, grid_hw)
        cells = np.full(grid_hw, -1)
        for damage in sample.damages:
            if damage.has_mask and damage.severity in levels:
                cells[coverage_of(damage, view, grid_hw) > 127] = levels.index(damage.severity)
        judged = _classes(maps, cells, how, rng)
    worst = worst_severity(sample)
    if whole and worst in levels:
        right = softmax(np.stack(whole), axis=1)[None, :, levels.index(worst)]
        judged = replace(judged, right=np.concatenate([judged.right, right]) if len(judged.right) else right)
    return judged


def _classes(maps: Sequence[FloatArray], cells: IntArray, how: Combine, rng: np.random.Generator) -> Judged:
    """Of maps `(C, h, w)` of classes that exclude each other, at cells of the first classes and of the last."""
    last = len(maps[0]) - 1
    rows, columns = _some((cells >= 0) & (cells < last), cells == last, rng)
    logits = np.stack(maps)[:, :, rows, columns].transpose(2, 0, 1)  # (cells, K, C)
    if how == "vote":
        told = votes(logits.transpose(1, 2, 0), exclusive=True)  # (K, C, cells)
        likely = probability_of_share(told, last + 1)[:, cells[rows, columns], np.arange(len(rows))]
        return Judged(0, right=likely.T)
    return Judged(0, against=of_one_class(logits, cells[rows, columns]))


def _some(ones: BoolArray, others: BoolArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Rows and columns of at most `CELLS` cells of either kind."""
    drawn = [np.argwhere(cells) for cells in (ones, others)]
    chosen = [cells if len(cells) <= CELLS else cells[rng.choice(len(cells), CELLS, replace=False)] for cells in drawn]
    rows, columns = np.concatenate(chosen).T
    return rows, columns
