"""An `Evaluation` as tables, for the terminal and for its page alike: `–` for what was not measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dentify.errors import printable
from dentify.evaluation import cardd
from dentify.evaluation.results import (
    BundleSize,
    ClassificationResult,
    Evaluation,
    Found,
    FoundConfusion,
    GateResult,
    Latency,
    Mean,
    NameResult,
    SaliencyResult,
    SeverityFigures,
    Share,
    TripleFigures,
)
from dentify.report.columns import Cells, aligned

QUESTIONS = {
    "vehicle": "Is it a vehicle",
    "damage": "Is it damaged",
    "types": "Which types does the photo show",
    "severity": "How bad is it",
}
"""Questions of whole photos, in plain words."""


@dataclass(frozen=True)
class Section:
    """Some lines, a table whose first row is its head, and some lines; any of them may be empty."""

    before: str = ""
    rows: Sequence[Cells] = ()
    after: str = ""

    def __str__(self) -> str:
        return "\n".join(part for part in (self.before, aligned(self.rows) if self.rows else "", self.after) if part)


def evaluation_table(evaluation: Evaluation) -> str:
    """All figures of an evaluation for a terminal, without a trailing newline."""
    sections = [head(evaluation), *map(str, evaluation_sections(evaluation)), *(f"note: {note}" for note in evaluation.notes)]
    return "\n\n".join(section for section in sections if section)


def evaluation_sections(evaluation: Evaluation) -> Iterator[Section]:
    """All figures, table by table."""
    for title, found in (("Damage", evaluation.damage), ("Parts", evaluation.parts)):
        if found is not None:
            yield from _found(title, found)
    yield from _saliency(evaluation.saliency)
    yield from _triples(evaluation.triples)
    yield from _cardd(evaluation)
    yield from _gates(evaluation)
    for key, result in evaluation.classification.items():
        yield _question(key, result)
    yield from _singles(evaluation)
    if told := "; ".join(part for part in (_latency(evaluation.latency), _size(evaluation.size)) if part):
        yield Section(told)


def figure(value: float | None) -> str:
    """Three decimals.

    >>> figure(0.12345), figure(None)
    ('0.123', '–')
    """
    return "–" if value is None else f"{value:.3f}"


def head(evaluation: Evaluation) -> str:
    """Which bundle was judged, by which photos and how."""
    bundle, settings, photos = evaluation.bundle, evaluation.settings, evaluation.photos
    told, scored = settings.told, settings.scored
    lines = [f"bundle {bundle.name} {bundle.version} ({bundle.sha256[:12]}), Dentify {evaluation.dentify_version}"]
    if evaluation.data:
        lines.append(f"data {', '.join(evaluation.data)}")
    counts = {key.replace("_", " "): value for key, value in photos if value}
    lines.append("photos " + ", ".join(f"{value} {key}" for key, value in counts.items()))
    threshold = "the bundle's thresholds" if told.score_threshold is None else f"score ≥ {told.score_threshold:g}"
    lines.append(f"told: {threshold}, gates {'on' if told.gates else 'off'}")
    if scored != told:
        lines[-1] += f"; AP: score ≥ {scored.score_threshold:g}, gates {'on' if scored.gates else 'off'}"
    if settings.stretch_wh is not None or settings.jpeg is not None:
        size = "" if settings.stretch_wh is None else f" stretched to {settings.stretch_wh[0]} × {settings.stretch_wh[1]}"
        jpeg = "" if settings.jpeg is None else f" saved as JPEG {settings.jpeg}"
        lines.append(f"every photo{' and'.join(part for part in (size, jpeg) if part)}")
    return "\n".join(lines)


def _found(title: str, found: Found) -> Iterator[Section]:
    rows: list[Cells] = [
        (
            "",
            "n",
            "mask AP",
            "AP50",
            "AP75",
            "APs",
            "APm",
            "APl",
            "box AP",
            "AP50",
            "AP75",
            "pixel IoU",
            "prec.",
            "recall",
            "F1",
            "bound. F",
            "found",
            "false",
            "missed",
        )
    ]
    for name, one in found.names.items():
        mask = one.mask
        masks = [None] * 6 if mask is None else [mask.AP, mask.AP50, mask.AP75, mask.AP_small, mask.AP_medium, mask.AP_large]
        pixels = [one.pixels.iou, one.pixels.precision, one.pixels.recall, one.pixels.f1, one.pixels.boundary_f]
        values = [*masks, one.box.AP, one.box.AP50, one.box.AP75, *pixels]
        told = [str(one.told.right), str(one.told.wrong), str(one.told.missed)]
        rows.append((name if one.taught else f"{name} (not taught)", str(one.instances), *map(figure, values), *told))
    if not found.names:
        yield Section(f"{title}: none of its types is labelled")
    else:
        yield Section(f"{title} (sizes: 128², 256² px; found, false, missed: told findings at IoU 0.5)", rows)
    if found.means:
        yield Section(rows=_means(found))
    if found.any_damage is not None:
        whole = found.any_damage
        shares = f"precision {figure(whole.precision)}, recall {figure(whole.recall)}, F1 {figure(whole.f1)}"
        boundary = "" if whole.boundary_f is None else f", boundary F {mean_text(whole.boundary_f)}"
        yield Section(f"Pixel IoU of any damage {mean_text(whole.iou)}, {shares}{boundary}")


def _means(found: Found) -> list[Cells]:
    """A row a figure, a column a group of names; a mean over fewer of them says so."""
    groups: dict[str, tuple[str, ...]] = {}
    for means in found.means.values():
        for group, mean in means.items():
            groups[group] = max(groups.get(group, ()), mean.over, key=len)
    groups = {group: over for group, over in groups.items() if over}

    def told(mean: Mean, over: tuple[str, ...]) -> str:
        fewer = f" of {len(mean.over)}" if mean.over and len(mean.over) < len(over) else ""
        return mean_text(mean) + fewer

    heads = [f"mean of {len(over)}" if group == "taught" else ", ".join(over) for group, over in groups.items()]
    rows: list[Cells] = [("", *heads)]
    for key, means in found.means.items():
        label = {"pixel_iou": "pixel IoU", "boundary_f": "boundary F"}.get(key, key.replace("_", " "))
        rows.append((label, *(told(means[group], over) for group, over in groups.items())))
    return rows


def _saliency(saliency: SaliencyResult | None) -> Iterator[Section]:
    if saliency is not None:
        heads = ("F max", "F mean", "weighted F", "S", "E max", "E mean", "MAE")
        means = (saliency.f_max, saliency.f_mean, saliency.weighted_f, saliency.s, saliency.e_max, saliency.e_mean, saliency.mae)
        label = f"Map of any damage ({saliency.photos} photos)"
        yield Section(rows=[(label, *heads), ("salient-object scores", *map(mean_text, means))])


def _triples(triples: Mapping[str, TripleFigures]) -> Iterator[Section]:
    rows: list[Cells] = [("What is said of photos", "photos", "told", "annotated", "matched", "precision", "recall", "F1")]
    for key, one in triples.items():
        counts = map(str, (one.photos, one.told, one.annotated, one.matched))
        rows.append((key.replace("_", ", "), *counts, *map(mean_text, (one.precision, one.recall, one.f1))))
    if len(rows) > 1:
        yield Section(rows=rows)


def _cardd(evaluation: Evaluation) -> Iterator[Section]:
    """What was published of CarDD, beside what this bundle reaches on it."""
    benchmark = evaluation.benchmark
    if benchmark is None:
        return
    ours = f"{evaluation.bundle.name} {evaluation.bundle.version}"
    where = "" if benchmark.split == "test" else f", this bundle's of its {benchmark.split} split"
    found = {} if evaluation.damage is None else evaluation.damage.names
    names = {name: found[name] for name in cardd.TYPES if name in found}
    if names:
        after = ""
        if untaught := [name for name, one in names.items() if not one.taught]:
            after = f"in this bundle's means, though it was never taught them: {', '.join(untaught)}"
        yield Section(f"CarDD: what was published of its test split{where}", _cardd_means(ours, names), after)
        yield Section(rows=_cardd_types(ours, names))
    if (scores := evaluation.saliency) is not None:
        after = "whether published F and E are of the best threshold or of the mean of all was not to be had"
        title = f"CarDD: salient-object scores published of its test split{where}"
        yield Section(title, _cardd_scores(ours, scores), after)


def _cardd_means(ours: str, names: Mapping[str, NameResult]) -> list[Cells]:
    """A row a model: means over CarDD's types."""
    keys = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
    means = [_mean_of([None if one.mask is None else getattr(one.mask, key) for one in names.values()]) for key in keys]
    means += [_mean_of([getattr(one.box, key) for one in names.values()]) for key in keys[:3]]
    rows: list[Cells] = [("", "mask AP", "AP50", "AP75", "APs", "APm", "APl", "box AP", "AP50", "AP75")]
    rows.append((ours, *map(figure, means)))
    return rows + [(one.model, *map(figure, (*one.mask, *one.box))) for one in cardd.MODELS]


def _cardd_types(ours: str, names: Mapping[str, NameResult]) -> list[Cells]:
    """A row a type, of the models whose types were published."""
    published = [one for one in cardd.MODELS if one.types]
    models = (ours, *(each.model.partition(" (")[0] for each in published))
    rows: list[Cells] = [("", *(f"{what}: {model}" for what in ("mask AP", "box AP") for model in models))]
    for place, name in enumerate(cardd.TYPES):
        one = names.get(name)
        mask, box = None if one is None else one.mask, None if one is None else one.box
        values = [None if mask is None else mask.AP, *(each.types[place][0] for each in published)]
        values += [None if box is None else box.AP, *(each.types[place][1] for each in published)]
        rows.append((name, *map(figure, values)))
    return rows


def _cardd_scores(ours: str, scores: SaliencyResult) -> list[Cells]:
    """A row a model, two of them ours."""
    rows: list[Cells] = [("", "F", "weighted F", "S", "E", "MAE")]
    for label, f, e in (("best threshold", scores.f_max, scores.e_max), ("mean of thresholds", scores.f_mean, scores.e_mean)):
        means = (f, scores.weighted_f, scores.s, e, scores.mae)
        rows.append((f"{ours}, {label}", *(figure(mean.value) for mean in means)))
    return rows + [(model, *map(figure, values)) for model, values in cardd.SALIENT.items()]


def _mean_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def found_confusion_rows(confusion: FoundConfusion) -> list[Cells]:
    """Types or parts that are annotated, by what is told on them."""
    rows: list[Cells] = [("annotated, by told", *map(printable, confusion.columns))]
    return rows + [(printable(name), *map(str, counts)) for name, counts in zip(confusion.rows, confusion.counts, strict=True)]


def _gates(evaluation: Evaluation) -> Iterator[Section]:
    gates = evaluation.gates
    rows: list[Cells] = [
        ("Gates", "photos", "vehicle seen", "flagged damaged", "with findings", "findings a photo", "clear and right")
    ]

    def row(label: str, result: GateResult) -> Cells:
        shares = (_share(result.vehicle), _share(result.damage), _share(result.with_findings))
        return (
            label,
            str(result.photos),
            *shares,
            "–" if result.findings_per_photo is None else f"{result.findings_per_photo:.2f}",
            _share(result.clear_vehicle if label == "no_vehicle" else result.clear_damage),
        )

    several = len({source for sources in gates.sources.values() for source in sources}) > 1
    for kind, result in gates.kinds.items():
        if not (result.vehicle.of or result.damage.of or result.with_findings.of):
            continue  # this bundle judges none of it
        rows.append(row(kind, result))
        if several:
            rows += [row(f"  {source}", part) for source, part in gates.sources.get(kind, {}).items()]
    if len(rows) > 1:
        yield Section(rows=rows)


def _question(key: str, result: ClassificationResult) -> Section:
    """Figures of each class, all together above them."""
    title = f"{QUESTIONS[key]} ({result.photos} photos)"
    figures = {
        "accuracy": result.accuracy,
        "balanced accuracy": result.balanced_accuracy,
        "macro F1": result.f1,
        "AUROC": result.auroc,
        "average precision": result.average_precision,
    }
    whole = ", ".join(f"{label} {mean_text(one)}" for label, one in figures.items())
    calibration = f"calibration: ECE {figure(result.ece)} (by chance alone {figure(result.ece_by_chance)})"
    rows: list[Cells] = [("class", "photos", "told", "precision", "recall", "F1", "AUROC", "av. prec.")]
    for name, one in result.per_class.items():
        values = (one.precision, one.recall, one.f1, one.auroc, one.average_precision)
        rows.append((printable(name), str(one.photos), str(one.told), *(figure(value.value) for value in values)))
    missing = [name for name, one in result.per_class.items() if not one.photos]
    told = f"no photo is known as {' or '.join(map(printable, missing))}: not all can be measured" if missing else ""
    return Section(f"{title}\n{whole}\n{calibration}", rows, told)


def confusion_rows(result: ClassificationResult) -> list[Cells]:
    """Classes that photos are of, by what is told of them."""
    rows: list[Cells] = [("is, by told", *map(printable, result.confusion_columns))]
    return rows + [(printable(name), *map(str, counts)) for name, counts in zip(result.classes, result.confusion, strict=True)]


def _latency(latency: Latency | None) -> str:
    if latency is None:
        return ""
    how = f"{latency.workers} at a time, {latency.threads} threads each, {latency.device}"
    return f"Looking at a photo takes {latency.p50_ms:g} ms (median; 95th percentile {latency.p95_ms:g} ms; {how})"


def _size(size: BundleSize | None) -> str:
    return "" if size is None else f"the bundle is {size.bytes / 1e6:.2f} MB, {size.parameters:,} parameters"


def _singles(evaluation: Evaluation) -> Iterator[Section]:
    if (naming := evaluation.naming) is not None:
        same = "" if naming.most_named is None else f", {_share(naming.same_part)} of them `{printable(naming.most_named)}`"
        yield Section(
            f"Findings that name a part {_share(naming.findings)}{same};"
            f" photos of vehicles without a part {_share(naming.no_part)},"
            f" with front and back together {_share(naming.front_and_back)}"
        )
    if (severity := evaluation.severity) is not None:
        chance = f"chance {figure(severity.chance)}"
        of_findings = severity.findings.of > 0
        yield _severity("Severity of photos", severity.photos, "" if of_findings else chance)
        if of_findings:
            yield _severity("Severity of findings on annotations", severity.findings, chance)
    if (counting := evaluation.counting) is not None:
        yield Section(
            f"Number of findings a photo is off by {mean_text(counting.findings)} on average;"
            f" connected components of the same pixels by {mean_text(counting.components)}"
        )
    for key, calibration in evaluation.calibration.items():
        yield Section(
            f"Calibration of {key} findings: ECE {figure(calibration.ece)} (by chance alone {figure(calibration.ece_by_chance)}),"
            f" AUROC {figure(calibration.auroc)}"
            f" ({calibration.findings} findings, {figure(calibration.right)} right)"
        )


def _severity(title: str, figures: SeverityFigures, after: str) -> Section:
    rows: list[Cells] = [("  annotated", *figures.levels, "none told")]
    rows += [(f"  {level}", *map(str, row)) for level, row in zip(figures.levels, figures.confusion, strict=True)]
    return Section(f"{title}: macro recall {figure(figures.macro_recall)} ({figures.judged} judged of {figures.of})", rows, after)


def mean_text(mean: Mean) -> str:
    """A figure with its interval."""
    return figure(mean.value) + (f" [{mean.interval[0]:.3f}, {mean.interval[1]:.3f}]" if mean.interval else "")


def _share(share: Share) -> str:
    if share.share is None or share.interval is None:
        return "–"
    return f"{100 * share.share:.1f} % [{100 * share.interval[0]:.1f}, {100 * share.interval[1]:.1f}]"
