"""An `Evaluation` as plain text: aligned columns, `–` for what was not measured."""

from __future__ import annotations

from dentify.evaluation.results import Evaluation, Found, GateResult, Mean, SeverityFigures, Share
from dentify.report.columns import Cells, aligned


def evaluation_table(evaluation: Evaluation) -> str:
    """All figures of an evaluation for a terminal, without a trailing newline."""
    sections = [_head(evaluation)]
    for title, found in (("Damage", evaluation.damage), ("Parts", evaluation.parts)):
        if found is not None:
            sections.append(_found(title, found))
    sections.append(_gates(evaluation))
    sections += _singles(evaluation)
    sections += [f"note: {note}" for note in evaluation.notes]
    return "\n\n".join(section for section in sections if section)


def figure(value: float | None) -> str:
    """Three decimals.

    >>> figure(0.12345), figure(None)
    ('0.123', '–')
    """
    return "–" if value is None else f"{value:.3f}"


def _head(evaluation: Evaluation) -> str:
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


def _found(title: str, found: Found) -> str:
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
            "found",
            "false",
            "missed",
        )
    ]
    for name, one in found.names.items():
        mask = one.mask
        masks = [None] * 6 if mask is None else [mask.AP, mask.AP50, mask.AP75, mask.AP_small, mask.AP_medium, mask.AP_large]
        values = [*masks, one.box.AP, one.box.AP50, one.box.AP75, one.pixels.iou, one.pixels.precision, one.pixels.recall]
        told = [str(one.told.right), str(one.told.wrong), str(one.told.missed)]
        rows.append((name if one.taught else f"{name} (not taught)", str(one.instances), *map(figure, values), *told))
    lines = [f"{title} (sizes: 128², 256² px; found, false, missed: told findings at IoU 0.5)", aligned(rows)]
    if not found.names:
        lines = [f"{title}: none of its types is labelled"]
    if found.means:
        lines += ["", aligned(_means(found))]
    if found.any_damage is not None:
        whole = found.any_damage
        precision, recall = figure(whole.precision), figure(whole.recall)
        lines += ["", f"Pixel IoU of any damage {_mean(whole.iou)}, precision {precision}, recall {recall}"]
    return "\n".join(lines)


def _means(found: Found) -> list[Cells]:
    """A row a figure, a column a group of names."""
    groups = {group: mean.over for means in found.means.values() for group, mean in means.items() if mean.over}
    heads = [f"mean of {len(over)}" if group == "taught" else ", ".join(over) for group, over in groups.items()]
    rows: list[Cells] = [("", *heads)]
    for key, means in found.means.items():
        label = key.replace("_", " ").replace("iou", "IoU")
        rows.append((label, *(_mean(means[group]) for group in groups)))
    return rows


def _gates(evaluation: Evaluation) -> str:
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
        rows.append(row(kind, result))
        if several:
            rows += [row(f"  {source}", part) for source, part in gates.sources.get(kind, {}).items()]
    if len(rows) == 1:
        return ""
    return f"{aligned(rows)}\nAUROC: vehicle {figure(gates.vehicle_auroc)}, damage {figure(gates.damage_auroc)}"


def _singles(evaluation: Evaluation) -> list[str]:
    sections = []
    if (naming := evaluation.naming) is not None:
        sections.append(
            f"Findings that name a part {_share(naming.findings)}; photos of vehicles without a part {_share(naming.no_part)},"
            f" with front and back together {_share(naming.front_and_back)}"
        )
    if (severity := evaluation.severity) is not None:
        lines = [_severity("Severity of photos", severity.photos)]
        if severity.findings.of:
            lines.append(_severity("Severity of findings on annotations", severity.findings))
        sections.append("\n".join([*lines, f"chance {figure(severity.chance)}"]))
    if (counting := evaluation.counting) is not None:
        sections.append(
            f"Number of findings a photo is off by {_mean(counting.findings)} on average;"
            f" connected components of the same pixels by {_mean(counting.components)}"
        )
    for key, calibration in evaluation.calibration.items():
        sections.append(
            f"Calibration of {key} findings: ECE {figure(calibration.ece)} (by chance alone {figure(calibration.ece_by_chance)}),"
            f" AUROC {figure(calibration.auroc)}"
            f" ({calibration.findings} findings, {figure(calibration.right)} right)"
        )
    return sections


def _severity(title: str, figures: SeverityFigures) -> str:
    rows: list[Cells] = [("  annotated", *figures.levels, "none told")]
    rows += [(f"  {level}", *map(str, row)) for level, row in zip(figures.levels, figures.confusion, strict=True)]
    return f"{title}: macro recall {figure(figures.macro_recall)} ({figures.judged} judged of {figures.of})\n{aligned(rows)}"


def _mean(mean: Mean) -> str:
    return figure(mean.value) + (f" [{mean.interval[0]:.3f}, {mean.interval[1]:.3f}]" if mean.interval else "")


def _share(share: Share) -> str:
    if share.share is None or share.interval is None:
        return "–"
    return f"{100 * share.share:.1f} % [{100 * share.interval[0]:.1f}, {100 * share.interval[1]:.1f}]"
