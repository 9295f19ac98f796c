"""The model card: a manifest as a page for people. Pure text from the manifest, so that the two cannot differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dentify.bundle.manifest import Manifest, Metric


def model_card(manifest: Manifest) -> str:
    """`MODEL_CARD.md`: what a bundle does, how well by class, what it fails on, from which data and under which licences."""
    lines = [
        f"# {manifest.name} {manifest.version}",
        "",
        manifest.description,
        "",
        f"Licence: {manifest.licence}.",
        "",
        "## What it judges",
        "",
        *_questions(manifest),
        "",
        "## Results",
        "",
        *(_results(manifest.metrics) or ["Not measured yet."]),
        "",
        "## What it fails on",
        "",
        *_failures(manifest),
        "",
        "## From which confidence on it tells something",
        "",
        *_table(("what", "threshold"), _thresholds(manifest)),
        "",
        f"A person should look at answers with a confidence below {manifest.review.sure_from:g}.",
        "",
        "## What it was taught and measured with",
        "",
        *_table(
            ("data", "photos", "licence", "used for", "from"),
            [(source.name, f"{source.photos:,}", source.licence, source.used_for, source.origin) for source in manifest.data],
        ),
        "",
        "## What training started from",
        "",
        *_table(
            ("weights", "licence", "from"), [(weights.name, weights.licence, weights.origin) for weights in manifest.weights]
        ),
        "",
        "## Files",
        "",
        *_table(("file", "bytes", "SHA-256"), [(file.name, f"{file.bytes:,}", f"`{file.sha256}`") for file in manifest.files]),
        "",
    ]
    if manifest.notes:
        lines += ["## Notes", "", *(f"- {note}" for note in manifest.notes), ""]
    return "\n".join(lines)


def _questions(manifest: Manifest) -> list[str]:
    roles, classes = manifest.roles, manifest.classes
    whole = "damage types of the photo as a whole"
    answers = (
        (roles.vehicle_gate, "whether there is a vehicle"),
        (roles.damage_gate, "whether it is damaged"),
        (roles.types, whole),
        (roles.damage, "damage, by type"),
        (roles.parts, "parts of the vehicle"),
        (roles.severity, "severity"),
    )
    names = {
        "damage, by type": classes.damage,
        whole: classes.types,
        "parts of the vehicle": classes.parts,
        "severity": classes.severity,
    }
    judged = [f"- {text}: {', '.join(names[text])}" if text in names else f"- {text}" for members, text in answers if members]
    # Who finds damage misses nothing without types of the whole photo; who tells those alone does not judge where damage lies.
    never = [text for members, text in answers if not members and text != whole]
    never = ["where damage lies" if roles.types and text == "damage, by type" else text for text in never]
    return [*judged, f"- Not judged, and told as such: {', '.join(never)}."] if never else judged


def _failures(manifest: Manifest) -> list[str]:
    failures = [f"- {limit}" for limit in manifest.limits]
    if manifest.not_judged:
        failures.append(f"- Never told, as never taught or not well enough: {', '.join(manifest.not_judged)}.")
    if manifest.review.weak_types:
        failures.append(f"- Known badly, so always for a person to check: {', '.join(manifest.review.weak_types)}.")
    return failures or ["Nothing was written down."]


def _thresholds(manifest: Manifest) -> list[tuple[str, str]]:
    thresholds, roles = manifest.thresholds, manifest.roles
    rows = [("vehicle", thresholds.vehicle)] if roles.vehicle_gate else []
    rows += [("damaged", thresholds.damage)] if roles.damage_gate else []
    for name in manifest.classes.types:
        own = thresholds.types[name] if isinstance(thresholds.types, dict) else thresholds.types
        rows.append((f"{name}, of the photo as a whole", own))
    rows += [(name, thresholds.findings[name]) for name in manifest.classes.damage]
    rows += [("part", thresholds.parts)] if roles.parts else []
    return [(name, f"{value:g}") for name, value in rows]


def _results(metrics: dict[str, Metric], title: str = "") -> list[str]:
    r"""Numbers of one level as a table under their path, deeper ones after it.

    >>> print(*_results({"dent": {"AP50": 0.25, "AP": None}}), sep="\n")
    ### dent
    <BLANKLINE>
    | | |
    | --- | --- |
    | AP50 | 0.25 |
    | AP | – |
    <BLANKLINE>
    """
    here = [(key, _number(value)) for key, value in metrics.items() if not isinstance(value, dict)]
    lines = [
        *([f"### {title}", ""] if title and here else []),
        *(_table(("", ""), here) if here else []),
        *([""] if here else []),
    ]
    deeper = {key: value for key, value in metrics.items() if isinstance(value, dict)}
    if not here and _same_keys(list(deeper.values())):  # one row a class, one column a metric
        columns = list(next(iter(deeper.values())))
        rows = [(key, *(_number(values[column]) for column in columns)) for key, values in deeper.items()]
        return [*([f"### {title}", ""] if title else []), *_table(("", *columns), rows), ""]
    for key, values in deeper.items():
        lines += _results(values, f"{title}, {key}" if title else key)
    return lines


def _same_keys(rows: Sequence[dict[str, Metric]]) -> bool:
    return (
        len(rows) > 1
        and all(list(row) == list(rows[0]) for row in rows)
        and not any(isinstance(value, dict) for row in rows for value in row.values())
    )


def _number(value: Metric) -> str:
    if isinstance(value, list):
        return " to ".join(_number(item) for item in value)
    return "–" if value is None else f"{value:.4g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    body = ["| " + " | ".join(row) + " |" for row in rows]
    if not body:
        return ["Nothing was written down."]
    titles = "| " + " | ".join(head) + " |" if any(head) else "|" + " |" * len(head)
    return [titles, "|" + " --- |" * len(head), *body]
