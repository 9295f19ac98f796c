"""One bundle of several that answer the same questions.

    members = [Bundle.open(path) for path in ("a", "b", "c")]
    tuned = tune_ensemble(members, samples, name="abc", version="1.0.0")
    write_bundle("abc", tuned.fitted.manifest, tuned.files)

Every question that several bundles answer is answered by all of them: probabilities of gates and labels are averaged, and so are
the logits of maps, or maps are voted on. A question that only one answers comes along from it. Labelled photos say how much each
member counts, question by question, and scorer, confidences and thresholds are then fitted to the whole (`fit_bundle`); without
photos all count the same, and thresholds are those of one of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import get_args

import numpy as np

from dentify.bundle.build import Built, combine, names_of
from dentify.bundle.manifest import Combine, Kind, Manifest, MapsRole
from dentify.bundle.open import Bundle
from dentify.bundle.plan import BuildPlan, RoleSources, Source
from dentify.bundle.together import disagreement
from dentify.datasets.sample import Sample, spread
from dentify.datasets.sample_picture import decode_picture
from dentify.errors import BundleError, DatasetError
from dentify.fitting.confidence import balanced
from dentify.fitting.findings import LEAST_OUTLINED
from dentify.fitting.fit import Fitted, fit_bundle
from dentify.fitting.gates import LEAST_ANSWERS
from dentify.fitting.judged import Judged, judge, judge_found
from dentify.fitting.latency import PHOTOS, latencies_ms
from dentify.fitting.unwritten import unwritten
from dentify.fitting.weights import weigh
from dentify.in_order import map_in_order
from dentify.runtime.networks import Networks
from dentify.settings import Settings

LEAST_PHOTOS = LEAST_OUTLINED
"""Photos whose answer is known without which members of a role count the same; near-duplicates count as one."""
LEAST_WEIGHT = 0.02
"""A member that counts for less is left out of a role: it would cost its whole time."""
FITTABLE = ("vehicle_gate", "damage_gate", "types", "damage", "severity")
"""Roles that `fit_bundle` fits something to."""


@dataclass(frozen=True)
class Weights:
    """How much bundles count in the roles that they answer together.

    Attributes:
        of: by role, one a bundle in the order that these were given in, 0 for one without it, 1 in sum.
        notes: which roles' members count the same, and why.
    """

    of: Mapping[str, tuple[float, ...]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tuned:
    """An ensemble that was fitted to photos.

    Attributes:
        fitted: its manifest and figures; see `fit_bundle`.
        files: bytes by name.
        weights: how much each bundle counts.
        notes: what could not be fitted, and why.
    """

    fitted: Fitted
    files: Mapping[str, bytes]
    weights: Weights
    notes: tuple[str, ...]


def shared_roles(bundles: Sequence[Bundle]) -> dict[str, list[int]]:
    """Which bundles answer each of the questions that several answer, by their places.

    Raises:
        BundleError: there are fewer than two, two are the same, one answers nothing that another does, or two disagree.
    """
    if len(bundles) < 2:
        raise BundleError("an ensemble takes two bundles or more")
    for place, one in enumerate(bundles):
        for other in bundles[:place]:
            if one.sha256 == other.sha256:
                raise BundleError(f"{one.where} is {other.where} again; name each bundle once")
            if _networks(one) == _networks(other):
                raise BundleError(
                    f"{one.where} and {other.where} have the same networks, so together they say what one says; name one of them"
                )
    answered = [[role for role in RoleSources.model_fields if getattr(one.manifest.roles, role)] for one in bundles]
    by_role = {role: [place for place, roles in enumerate(answered) if role in roles] for role in RoleSources.model_fields}
    shared = {role: places for role, places in by_role.items() if len(places) > 1}
    alone = [place for place in range(len(bundles)) if not any(place in places for places in shared.values())]
    if alone:
        told = "; ".join(
            f"{bundles[place].where} answers {', '.join(answered[place]) or 'nothing'}" for place in range(len(bundles))
        )
        raise BundleError(
            f"{bundles[alone[0]].where} answers no question that another bundle does ({told}); an ensemble is of bundles that "
            "answer the same, and `dentify bundle build` makes one of bundles that answer different questions"
        )
    for role, places in shared.items():
        for one, other in combinations([bundles[place] for place in places], 2):
            if told := disagreement(role, one, other):
                raise BundleError(
                    f"{one.where} and {other.where} disagree on {role}: {told}; leave one out, or say in a plan for "
                    f"`dentify bundle build` which of them answers {role}"
                )
    return shared


def _networks(bundle: Bundle) -> set[str]:
    """Hashes of its networks, with what they are shown."""
    return {
        hashlib.sha256(bundle.files[one.file] + one.preprocessing.model_dump_json().encode()).hexdigest()
        for one in bundle.manifest.networks
    }


def make_ensemble(
    bundles: Sequence[Bundle],
    *,
    name: str,
    version: str,
    how: Combine = "mean",
    weights: Weights | None = None,
    settings: Settings | None = None,
) -> Built:
    """The ensemble of some bundles.

    Args:
        bundles: two or more, each of which answers a question that another answers, too.
        name: of the new bundle.
        version: likewise.
        how: maps of several become one.
        weights: how much each counts; the same where not given.
        settings: where the limit on a bundle's size stands.

    Raises:
        BundleError: they do not go together; see `shared_roles`.
    """
    shared = shared_roles(bundles)
    chosen = weights.of if weights is not None else equal_weights(shared, len(bundles))
    roles: dict[str, list[Source]] = {}
    for role in RoleSources.model_fields:
        counts = chosen.get(role, tuple(float(bool(getattr(one.manifest.roles, role))) for one in bundles))
        roles[role] = [Source(bundle=str(place), weight=count) for place, count in enumerate(counts) if count > 0]
    voted: dict[MapsRole, Combine] = {}
    for voted_role in get_args(MapsRole) if how != "mean" else ():
        of_maps = [source for source in roles[voted_role] if "maps" in _kinds(bundles[int(source.bundle)].manifest, voted_role)]
        if len(of_maps) > 1:
            voted[voted_role] = how
    return combine(
        BuildPlan(name=name, version=version, roles=RoleSources(**roles), combine=voted),
        Path(),
        where="ensemble",
        settings=settings or Settings(),
        opened={str(place): one for place, one in enumerate(bundles)},
    )


def equal_weights(shared: Mapping[str, Sequence[int]], count: int) -> dict[str, tuple[float, ...]]:
    """Weights by role with which all that answer it count the same.

    >>> equal_weights({"damage": [0, 2]}, 3)
    {'damage': (0.5, 0.0, 0.5)}
    """
    return {role: tuple(1 / len(places) if place in places else 0.0 for place in range(count)) for role, places in shared.items()}


def _kinds(manifest: Manifest, role: str) -> set[Kind]:
    """Of a role's members."""
    return {member.kind for member in getattr(manifest.roles, role)}


def tune_ensemble(
    bundles: Sequence[Bundle],
    samples: Sequence[Sample],
    *,
    name: str,
    version: str,
    how: Combine = "mean",
    seed: int = 0,
    settings: Settings | None = None,
    workers: int = 1,
    threads: int | None = None,
    on_photo: Callable[[], None] = lambda: None,
) -> Tuned:
    """The ensemble of some bundles, its weights, scorer, confidences and thresholds fitted to labelled photos.

    Args:
        bundles: as in `make_ensemble`.
        samples: labelled photos that none of them was trained on.
        name: of the new bundle.
        version: likewise.
        how: maps of several become one.
        seed: of sampled cells, of the scorer and of close-ups.
        settings: limits on photos and bundles.
        workers: photos in work at a time.
        threads: of a network's run; all processors that this process may use where not given.
        on_photo: called twice a photo: when members were asked about it, and when the ensemble was.

    Raises:
        BundleError: the bundles do not go together; see `shared_roles`.
        DatasetError: a photo cannot be read, none is given, or nothing can be fitted.
    """
    settings = settings or Settings()
    weights = weigh_members(
        bundles, samples, how=how, seed=seed, settings=settings, workers=workers, threads=threads, on_photo=on_photo
    )
    built = make_ensemble(bundles, name=name, version=version, how=how, weights=weights, settings=settings)
    # What was made for one alone is fitted anew, or told to stay by the fit's own notes.
    notes = built.manifest.notes[: len(built.manifest.notes) - len(built.notes)]
    manifest = built.manifest.model_copy(update={"notes": (*notes, *_told(bundles, weights, len(samples)))})
    bundle = unwritten(manifest, built.files, where=name)
    if any(getattr(manifest.roles, role) for role in FITTABLE):
        fitted = fit_bundle(
            bundle, samples, seed=seed, settings=settings, workers=workers, threads=threads, on_photo=lambda _: on_photo()
        )
    else:
        fitted = Fitted(manifest, {}, {}, len(samples), ())
    return Tuned(fitted, built.files, weights, (*weights.notes, *fitted.notes))


def _told(bundles: Sequence[Bundle], weights: Weights, photos: int) -> Iterator[str]:
    """A sentence a role: who answers it, and how much each counts."""
    names = names_of(bundles)
    for role, counts in weights.of.items():
        told = [f"{names[one.sha256]} ({count:.2f})" for one, count in zip(bundles, counts, strict=True) if count > 0]
        yield f"{role} is answered by {', '.join(told)}; weights are of {photos} photos of its user's."
    yield from (f"In that, {note}." for note in weights.notes)


def weigh_members(
    bundles: Sequence[Bundle],
    samples: Sequence[Sample],
    *,
    how: Combine = "mean",
    seed: int = 0,
    settings: Settings | None = None,
    workers: int = 1,
    threads: int | None = None,
    on_photo: Callable[[], None] = lambda: None,
) -> Weights:
    """How much each bundle counts in the roles that several answer: the weights with which the photos' answers are likeliest.

    Members count the same where too few photos tell, or where weights that were fitted to some of the photos do no better on the
    others.

    Args:
        bundles: as in `make_ensemble`.
        samples: labelled photos that none of them was trained on; photos of one `group` teach and judge together.
        how: maps of several become one.
        seed: of sampled cells.
        settings: limits on photos.
        workers: photos in work at a time.
        threads: of a network's run.
        on_photo: called after each photo.

    Raises:
        BundleError: the bundles do not go together.
        DatasetError: a photo cannot be read, or none is given.
    """
    shared = shared_roles(bundles)
    # Where one of several tells things one by one, cells of maps do not say how the whole will tell them.
    one_by_one = {
        role for role, places in shared.items() if any("instances" in _kinds(bundles[place].manifest, role) for place in places)
    }
    if not samples:
        raise DatasetError("no photo to fit weights to")
    settings = settings or Settings()
    networks = [Networks(one.manifest, one.files, threads=threads, where=one.where, settings=settings) for one in bundles]
    enough_side = max(one.enough_side for one in networks)

    def ask(numbered: tuple[int, Sample]) -> dict[str, tuple[Judged, bool | None]]:
        number, sample = numbered
        photo = decode_picture(sample, settings, enough_side=enough_side)
        said = [one.ask(photo.image, photo_hw=photo.photo_hw) for one in networks]
        rng = np.random.default_rng((seed, number))

        def of_role(role: str, places: Sequence[int]) -> tuple[Judged, bool | None]:
            of_members, manifests = [said[place] for place in places], [bundles[place].manifest for place in places]
            if role in one_by_one:
                return judge_found(role, of_members, manifests, sample, photo.photo_hw), None
            return judge(role, of_members, manifests[0], sample, photo.photo_hw, how, rng)

        return {role: of_role(role, places) for role, places in shared.items()}

    judged: dict[str, list[tuple[Judged, bool | None]]] = {role: [] for role in shared}
    numbers: dict[tuple[str | None, str], int] = {}
    for (_, sample), answers in map_in_order(ask, enumerate(samples), workers=workers):
        number = numbers.setdefault((sample.source, sample.group or sample.name), len(numbers))
        for role, (one, answer) in answers.items():
            if len(one.against) or len(one.right):
                judged[role].append((replace(one, photo=number), answer))
        on_photo()
    notes: list[str] = []
    weights = equal_weights(shared, len(bundles))
    for role, places in shared.items():
        found = _weights_of(role, judged[role], notes)
        if found is not None:
            weights[role] = tuple(found[places.index(place)] if place in places else 0.0 for place in range(len(bundles)))
    return Weights(weights, tuple(notes))


def _weights_of(role: str, answered: Sequence[tuple[Judged, bool | None]], notes: list[str]) -> list[float] | None:
    """One a member; nothing, and a note, where all count the same."""
    judged = [one for one, _ in answered]
    photos = len({one.photo for one in judged})
    if role.endswith("_gate"):
        truth = np.array([answer for _, answer in answered], np.bool_)
        if min(truth.sum(), (~truth).sum()) < LEAST_ANSWERS:
            told = f"{truth.sum()} of yes and {(~truth).sum()} of no, it takes {LEAST_ANSWERS} of either"
            notes.append(f"members count the same in {role}: too few photos ({told})")
            return None
        judged = [replace(one, weight=weight) for one, weight in zip(judged, balanced(truth, None).tolist(), strict=True)]
    elif photos < LEAST_PHOTOS:
        notes.append(f"members count the same in {role}: too few photos tell of it ({photos}, it takes {LEAST_PHOTOS})")
        return None
    weights, better = weigh(judged)
    if not better:
        notes.append(f"members count the same in {role}: other weights are no better on photos that they were not fitted to")
        return None
    weights = np.where(weights < LEAST_WEIGHT, 0.0, weights)
    return [round(float(weight), 3) for weight in weights / weights.sum()]


@dataclass(frozen=True)
class Cost:
    """What a bundle costs.

    Attributes:
        where: it lies.
        size_bytes: of all its files.
        latency_ms: median time of a photo in its networks, on this machine.
    """

    where: str
    size_bytes: int
    latency_ms: float


def costs_of(
    bundles: Sequence[Bundle], samples: Sequence[Sample], *, settings: Settings, threads: int | None = None
) -> list[Cost]:
    """What some bundles cost, measured in turns.

    Args:
        bundles: which.
        samples: photos, of which some are shown to each bundle.
        settings: limits on photos.
        threads: of a network's run; all processors that this process may use where not given.

    Raises:
        DatasetError: a photo cannot be read.
    """
    several = [Networks(one.manifest, one.files, threads=threads, where=one.where, settings=settings) for one in bundles]
    enough_side = max(one.enough_side for one in several)
    photos = [decode_picture(sample, settings, enough_side=enough_side) for sample in spread(samples, PHOTOS)]
    taken = latencies_ms(several, photos)
    return [Cost(one.where, one.size_bytes, ms) for one, ms in zip(bundles, taken, strict=True)]
