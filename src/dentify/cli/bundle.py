"""`dentify bundle info` and `dentify bundle verify`. In Python: `dentify.Bundle.open`."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dentify.cli import Debug, read_settings

if TYPE_CHECKING:
    from dentify.bundle import Bundle

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Look at bundles and check them.")


class Format(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


BundlePath = Annotated[str, typer.Argument(metavar="[PATH]", help="A folder or zip.", show_default=True)]
OutputFormat = Annotated[Format, typer.Option("--format", help="A table for people, or JSON.")]


@app.command()
def info(path: BundlePath = "default", output_format: OutputFormat = Format.TABLE, debug: Debug = False) -> None:
    """Show what a bundle says of itself, after checking it. JSON is its manifest, bundle.json.

    \b
    Examples:
      dentify bundle info
      dentify bundle info my-bundle --format json
    """  # noqa: D301 - click wants the character
    bundle = _open(path)
    if output_format is Format.JSON:
        print(bundle.manifest.to_json(), end="")
    else:
        _print_table(_about(bundle))


@app.command()
def verify(path: BundlePath = "default", output_format: OutputFormat = Format.TABLE, debug: Debug = False) -> None:
    """Check every byte of a bundle: schema, files, SHA-256 of each, networks. Exit code 1 where it cannot be used.

    \b
    Examples:
      dentify bundle verify
      dentify bundle verify my-bundle.zip
    """  # noqa: D301 - click wants the character
    bundle = _open(path)
    if output_format is Format.JSON:
        files = [file.model_dump(mode="json") for file in bundle.manifest.files]
        print(json.dumps({"verified": True, **bundle.identity.model_dump(mode="json"), "files": files}, indent=2))
        return
    _print_table([*((file.name, f"{file.bytes:,} bytes, SHA-256 as listed") for file in bundle.manifest.files)])
    print(f"{bundle.manifest.name} {bundle.manifest.version} is whole and can be used.")


def _open(path: str) -> Bundle:
    from dentify.bundle import Bundle

    return Bundle.open(path, settings=read_settings())


def _about(bundle: Bundle) -> list[tuple[str, str]]:
    """The rows of `info`: what people ask of a bundle first."""
    manifest = bundle.manifest
    rows = [
        ("bundle", f"{manifest.name} {manifest.version}"),
        ("description", manifest.description),
        ("licence", manifest.licence),
        ("sha256", bundle.sha256),
        ("size", f"{sum(file.bytes for file in manifest.files):,} bytes in {len(manifest.files)} files"),
        ("damage types", ", ".join(manifest.taxonomy.taught)),
        ("not judged", ", ".join(manifest.not_judged)),
        ("parts", ", ".join(manifest.taxonomy.parts)),
        ("severity", ", ".join(manifest.taxonomy.severity_levels)),
    ]
    for network in manifest.networks:
        height, width = network.preprocessing.size_hw
        rows.append(("network", f"{network.file}, photos at {width} × {height} pixels"))
    for role, members in manifest.roles:
        told = ", ".join(f"{member.file} {member.output} ({member.kind})" for member in members)
        rows.append((role.replace("_", " "), told or "none: not judged"))
    thresholds = manifest.thresholds
    told = ", ".join(f"{name} {value:g}" for name, value in thresholds.findings.items())
    rows.append(
        ("told from", f"vehicle {thresholds.vehicle:g}, damage {thresholds.damage:g}, parts {thresholds.parts:g}; {told}")
    )
    rows += [("metric", f"{name} {json.dumps(value)}") for name, value in manifest.metrics.items()]
    rows += [("data", f"{one.name}: {one.photos:,} photos for {one.used_for}, {one.licence}") for one in manifest.data]
    rows += [("weights", f"{one.name}: {one.licence}") for one in manifest.weights]
    rows += [("limit", limit) for limit in manifest.limits]
    rows += [("note", note) for note in manifest.notes]
    return [(name, value) for name, value in rows if value]


def _print_table(rows: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows)
    earlier = ""
    for name, value in rows:
        print(f"{'' if name == earlier else name:<{width}}  {value}")
        earlier = name
