"""`compare`: several bundles on the same photos, figure by figure, with paired intervals of what lies between them.

Bundles differ less than photos do. So each resample of the bootstrap holds the same photos for all bundles, and the interval is
that of the difference: where it holds 0, these photos do not tell the two apart.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence

import dentify
from dentify.assessor import Assessor
from dentify.bundle.manifest import Manifest
from dentify.datasets.sample import Sample
from dentify.errors import DatasetError, InputError, printable
from dentify.evaluation.judge import SCORING_THRESHOLD, Asking, Assessed, Judge
from dentify.evaluation.questions import Figure, told_mean
from dentify.evaluation.results import ComparedBundle, ComparedFigure, Comparison, EvaluationSettings, Mean, Pass
from dentify.evaluation.table import QUESTIONS, Section, figure
from dentify.in_order import map_in_order
from dentify.settings import Settings

_WHAT = {**QUESTIONS, "findings": "Findings", "parts": "Parts"}
_OVER = "means are over the names that all bundles were taught"
_Key = tuple[str, str, str]


def compare(
    assessors: Sequence[Assessor],
    samples: Iterable[Sample],
    *,
    paths: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = 1000,
    workers: int = 1,
    data: Sequence[str] = (),
    settings: Settings | None = None,
) -> Comparison:
    """Several bundles on the same photos, each judged as `evaluate` does.

    What only some bundles judge stands beside nothing. Damage types, parts, and types of whole photos are those that all bundles
    with such a role know; where some tell exclusive types and others do not, each type is asked for by itself.

    Args:
        assessors: of the bundles, two or more.
        samples: labelled photos; taken one by one, never held together.
        paths: what to call the bundles; where they came from, if not given.
        seed: of the bootstrap.
        resamples: of the bootstrap.
        workers: threads.
        data: what the samples came from, for the record.
        settings: limits on photos.

    Raises:
        InputError: there are fewer than two bundles, more than 26, or one shares no role with the first.
        DatasetError: there is no sample, none that says anything of what is judged, or one contradicts its picture.
        DentifyError: a photo cannot be assessed.
    """
    check_comparable([assessor.bundle.manifest for assessor in assessors], paths or [one.bundle.where for one in assessors])
    how = Asking(
        told=Pass(score_threshold=None, gates=True),
        scored=Pass(score_threshold=SCORING_THRESHOLD, gates=False),
        seed=seed,
        resamples=resamples,
        workers=workers,
        settings=settings or Settings(),
    )
    judges = _judges(assessors, how)

    def assess(numbered: tuple[int, Sample]) -> list[Assessed]:
        """Each bundle begins in turn, as the later ones find the photo's file and the processors' caches warm."""
        number, sample = numbered
        turns = [(number + step) % len(judges) for step in range(len(judges))]
        answers = {turn: judges[turn].assess(sample) for turn in turns}
        return [answers[turn] for turn in range(len(judges))]

    counted = 0
    for _, answers in map_in_order(assess, enumerate(samples), workers=workers):
        counted += 1
        for judge, answer in zip(judges, answers, strict=True):
            judge.add(answer)
    if not counted:
        raise DatasetError("no photo to compare on")
    figures = tuple(_figures(judges))
    if not figures:
        raise DatasetError("nothing to compare by: no photo is labelled with anything that these bundles judge")
    bundles = [
        ComparedBundle(letter=letter, path=path, bundle=one.bundle.identity, size=judge.size, latency=judge.latency)
        for letter, path, one, judge in zip(
            string.ascii_uppercase, paths or [one.bundle.where for one in assessors], assessors, judges, strict=False
        )
    ]
    return Comparison(
        dentify_version=dentify.__version__,
        bundles=tuple(bundles),
        data=tuple(data),
        settings=EvaluationSettings(
            told=how.told, scored=how.scored, stretch_wh=None, jpeg=None, crops=0, seed=seed, resamples=resamples
        ),
        photos=judges[0].photos,
        figures=figures,
        notes=tuple(dict.fromkeys(note for judge in judges for note in _notes(judge))),
    )


def check_comparable(manifests: Sequence[Manifest], paths: Sequence[str]) -> None:
    """Refuses bundles that cannot be compared, before the work is done.

    Raises:
        InputError: there are fewer than two, more than 26, or one shares no role with the first.
    """
    if not 2 <= len(manifests) <= len(string.ascii_uppercase):
        raise InputError(f"compare takes 2 to {len(string.ascii_uppercase)} bundles, got {len(manifests)}")
    first = _roles(manifests[0])
    for manifest, path in zip(manifests[1:], paths[1:], strict=True):
        common = first & _roles(manifest)
        if common == {"types"} and not set(manifest.classes.types) & set(manifests[0].classes.types):
            common = set()
        if not common:
            told = [", ".join(sorted(roles)).replace("_", " ") or "nothing" for roles in (_roles(manifest), first)]
            raise InputError(
                f"{printable(path)} judges {told[0]}, {printable(paths[0])} {told[1]}: they have nothing in common to compare"
            )


def _roles(manifest: Manifest) -> set[str]:
    return {role for role, members in manifest.roles if members}


def _judges(assessors: Sequence[Assessor], how: Asking) -> list[Judge]:
    """One a bundle, all with the same names and questions, so that the same photos count for each."""
    manifests = [assessor.bundle.manifest for assessor in assessors]
    damage_names = [name for one in manifests for name in one.found_types]
    part_names = [name for one in manifests for name in one.classes.parts]
    whole = [one for one in manifests if one.roles.types]
    types = _in_all([one.classes.types for one in whole])
    exclusive = all(one.calibration.types.exclusive for one in whole)
    return [
        Judge(
            assessor,
            how,
            damage_names=damage_names,
            part_names=part_names,
            types=types if manifest.roles.types else (),
            exclusive=exclusive,
        )
        for assessor, manifest in zip(assessors, manifests, strict=True)
    ]


def _in_all(lists: Sequence[Sequence[str]]) -> list[str]:
    return [name for name in (lists[0] if lists else ()) if all(name in other for other in lists)]


def _figures(judges: Sequence[Judge]) -> Iterator[ComparedFigure]:
    """Each figure that one bundle has at least, of all of them."""
    manifests = [judge.bundle.manifest for judge in judges if judge.bundle is not None]
    types = _in_all([one.found_types for one in manifests if one.roles.damage])
    parts = _in_all([one.classes.parts for one in manifests if one.roles.parts])
    told = [{(what, key, of): value for what, key, of, value in judge.figures(types, parts)} for judge in judges]
    for key in dict.fromkeys(key for one in told for key in one):
        values = [_mean(one, key) for one in told]
        if any(value is not None for value in values):
            differences = [None, *(_difference(told[0], other, key) for other in told[1:])]
            yield ComparedFigure(question=key[0], figure=key[1], of=key[2], values=tuple(values), differences=tuple(differences))


def _notes(judge: Judge) -> Iterator[str]:
    """What a reader of the figures should know, classes that no photo shows among it."""
    questions = judge.questions()
    yield from judge.notes(questions)
    for key, question in questions.items():
        if missing := [name for name, shown in zip(question.classes, (question.truth == 1).any(0), strict=True) if not shown]:
            yield f"{key}: no photo is known as {' or '.join(missing)}: not all can be measured"


def _mean(figures: Mapping[_Key, Figure], key: _Key) -> Mean | None:
    value = figures.get(key)
    return None if value is None or value[0] is None else told_mean(value, ("photos",))


def _difference(first: Mapping[_Key, Figure], other: Mapping[_Key, Figure], key: _Key) -> Mean | None:
    """How far a bundle lies above the first, resample by resample."""
    before, after = first.get(key), other.get(key)
    if before is None or after is None or before[0] is None or after[0] is None:
        return None
    assert before[1].shape == after[1].shape, "the same photos make the same resamples"
    return told_mean((after[0] - before[0], after[1] - before[1]), ("photos",))


def comparison_table(comparison: Comparison) -> str:
    """A comparison for a terminal, without a trailing newline."""
    notes = [f"note: {note}" for note in comparison.notes]
    return "\n\n".join([comparison_head(comparison), *map(str, comparison_sections(comparison)), *notes])


def comparison_sections(comparison: Comparison) -> Iterator[Section]:
    """Rows are figures, columns bundles, and their differences to the first."""
    letters = [one.letter for one in comparison.bundles]
    columns = (*letters, *(f"{letter} − {letters[0]}" for letter in letters[1:]))
    for what in dict.fromkeys(one.question for one in comparison.figures):
        rows = [(_WHAT.get(what, what), *columns)]
        for one in (one for one in comparison.figures if one.question == what):
            label = f"  {printable(one.of)}: {one.figure}" if one.of else one.figure
            values = ("–" if value is None else figure(value.value) for value in one.values)
            differences = ("–" if value is None else signed(value) for value in one.differences[1:])
            rows.append((label, *values, *differences))
        yield Section(rows=rows, after=_OVER if what in ("findings", "parts") else "")
    rows = [("Cost", *letters)]
    latencies, sizes = [one.latency for one in comparison.bundles], [one.size for one in comparison.bundles]
    rows.append(("parameters", *("–" if one is None else f"{one.parameters:,}" for one in sizes)))
    rows.append(("size, MB", *("–" if one is None else f"{one.bytes / 1e6:.2f}" for one in sizes)))
    rows.append(("latency, ms, median", *("–" if one is None else f"{one.p50_ms:.1f}" for one in latencies)))
    rows.append(("latency, ms, 95th percentile", *("–" if one is None else f"{one.p95_ms:.1f}" for one in latencies)))
    how = next((one for one in latencies if one is not None), None)
    after = ""
    if how is not None:
        after = f"Latency is of decoding and networks, {how.workers} at a time, {how.threads} threads each, {how.device}"
    yield Section(rows=rows, after=after)


def signed(mean: Mean) -> str:
    """A difference with its interval; a star where the interval leaves 0 out.

    >>> signed(Mean(value=0.25, interval=(0.125, 0.375), over=())), signed(Mean(value=0.0, interval=(0.0, 0.0), over=()))
    ('+0.250 [+0.125, +0.375] *', '+0.000 [+0.000, +0.000]')
    """
    if mean.value is None or mean.interval is None:
        return "–"
    low, high = mean.interval
    return f"{mean.value:+.3f} [{low:+.3f}, {high:+.3f}]" + ("" if low <= 0 <= high else " *")


def comparison_head(comparison: Comparison) -> str:
    """Which bundles were compared, and by which photos."""
    lines = [
        f"{one.letter}: {printable(one.path)}, {one.bundle.name} {one.bundle.version} ({one.bundle.sha256[:12]})"
        for one in comparison.bundles
    ]
    if comparison.data:
        lines.append(f"data {', '.join(map(printable, comparison.data))}")
    lines.append("photos " + ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in comparison.photos if count))
    lines.append(f"differences with their 95 % intervals over the same resampled photos, Dentify {comparison.dentify_version};")
    lines[-1] += " * where 0 lies outside"
    return "\n".join(lines)
