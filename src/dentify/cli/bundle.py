"""`dentify bundle info`, `verify`, `build`, `fit` and `quantize`.

In Python: `dentify.Bundle.open`, `dentify.bundle.build_bundle`, `dentify.fitting.fit_bundle` and
`dentify.fitting.int8.quantize_bundle`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentify.cli import Debug, read_settings
from dentify.cli.data import DATA_HELP, Data, Frame, Images, LabelFrame, Labels, own_names, parse_data, read_data
from dentify.cli.fitted import OWNERS, check_licence, described, figures_line, origin_rows
from dentify.cli.formats import OutputFormat, Printed
from dentify.cli.help import App
from dentify.cli.progress import counted, progress
from dentify.errors import MissingExtraError, printable

if TYPE_CHECKING:
    from dentify.bundle import Bundle
    from dentify.datasets import Sample
    from dentify.settings import Settings

app = App(
    help="Look at bundles, check them, combine them, fit them to photos, make them of classifiers, make them faster.",
)


BundlePath = Annotated[str, typer.Argument(metavar="[PATH]", help="A folder or zip.", show_default=True)]


@app.command()
def info(path: BundlePath = "default", output_format: OutputFormat = Printed.TABLE, debug: Debug = False) -> None:
    """Show what a bundle says of itself, after checking it. JSON is its manifest, bundle.json.

    \b
    Examples:
      dentify bundle info
      dentify bundle info my-bundle --format json
    """  # noqa: D301 - click wants the character
    bundle = _open(path)
    if output_format is Printed.JSON:
        print(bundle.manifest.to_json(), end="")
    else:
        _print_table(_about(bundle))


@app.command()
def verify(path: BundlePath = "default", output_format: OutputFormat = Printed.TABLE, debug: Debug = False) -> None:
    """Check every byte of a bundle: schema, files, SHA-256 of each, networks. Exit code 1 where it cannot be used.

    \b
    Examples:
      dentify bundle verify
      dentify bundle verify my-bundle.zip
    """  # noqa: D301 - click wants the character
    bundle = _open(path)
    if output_format is Printed.JSON:
        files = [file.model_dump(mode="json") for file in bundle.manifest.files]
        print(json.dumps({"verified": True, **bundle.identity.model_dump(mode="json"), "files": files}, indent=2))
        return
    _print_table([*((file.name, f"{file.bytes:,} bytes, SHA-256 as listed") for file in bundle.manifest.files)])
    print(f"{printable(bundle.manifest.name)} {printable(bundle.manifest.version)} is whole and can be used.")


@app.command()
def build(
    plan: Annotated[Path, typer.Argument(metavar="YAML", help="Which bundles answer which question.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="NEW", help="The folder, or .zip, to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle that is there already.")] = False,
    debug: Debug = False,
) -> None:
    """Make one bundle of members of several: a gate of one, parts of another, several that judge damage together.

    What is left out is not judged, and null in the answer. Notes say which thresholds were made for other members; see fit.

    \b
    Example:
      dentify bundle build roles.yaml -o my-bundle
    """  # noqa: D301 - click wants the character
    from dentify.bundle import build_bundle, write_bundle
    from dentify.bundle.write import check_target

    check_target(output, overwrite=overwrite)
    built = build_bundle(plan, settings=read_settings())
    done = write_bundle(output, built.manifest, built.files, overwrite=overwrite)
    for note in built.notes:
        print(f"note: {printable(note)}", file=sys.stderr)
    print(done)


@app.command()
def fit(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE|default", help="The bundle to fit: a folder, a zip, or default.")],
    data: Annotated[list[str], typer.Option(metavar="DATA", help=f"May be given several times. {DATA_HELP}")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="NEW", help="The folder, or .zip, to write.")],
    images: Images = None,
    labels: Labels = None,
    frame: LabelFrame = Frame.UPRIGHT,
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Of the photos, for the model card.")] = OWNERS,
    version: Annotated[
        str | None, typer.Option(metavar="V", help="Of the new bundle. [default: that of BUNDLE, with +fitted]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the scorer and of close-ups of undamaged photos.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Photos in work at a time.")] = 2,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle that is there already.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    debug: Debug = False,
) -> None:
    """Fit thresholds and confidences of a bundle to your own labelled photos, without training.

    Its networks stay as they are. Take photos that it was not trained on. What they tell nothing of stays as it was, and a note
    says so.

    \b
    Examples:
      dentify bundle fit default --data my-labels.json -o my-bundle
      dentify bundle fit default --data labels --data undamaged=lot --data no_vehicle=rooms -o my-bundle --labels labels.yaml
    """  # noqa: D301 - click wants the character
    inputs = [parse_data(text) for text in data]
    check_licence(licence)

    from dentify.bundle.write import check_target, write_bundle
    from dentify.fitting import fit_bundle

    check_target(output, overwrite=overwrite)
    opened = _open(bundle)
    settings = read_settings()
    photos: Counter[tuple[str, str]] = Counter()
    with progress("fitting", quiet=quiet) as (advance, _):
        samples = counted(_from_data(inputs, data, photos, images, labels, frame, settings, opened), advance)
        fitted = fit_bundle(opened, samples, seed=seed, settings=settings, workers=workers)
    version = version or f"{opened.manifest.version}+fitted"
    write_bundle(output, described(fitted, photos, licence=licence, version=version), opened.files, overwrite=overwrite)
    for note in fitted.notes:
        print(f"note: {printable(note)}", file=sys.stderr)
    print(f"before  {figures_line(fitted.before)}")
    print(f"after   {figures_line(fitted.figures)} (on the photos it was fitted to; none was scored by what it taught)")


@app.command()
def gate(
    architecture: Annotated[str, typer.Argument(metavar="ARCHITECTURE", help="A classifier of timm, such as resnet50.")],
    data: Annotated[list[str], typer.Option(metavar="DATA", help=f"May be given several times. {DATA_HELP}")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="NEW", help="The folder, or .zip, to write.")],
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Safetensors of the whole classifier. [default: those that timm downloads]"),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(min=8, max=4096, metavar="N", help="Side in pixels of what it sees. [default: that of its weights]"),
    ] = None,
    photos: Annotated[int, typer.Option(min=1, metavar="N", help="With a vehicle, and without, to learn from.")] = 50,
    images: Images = None,
    labels: Labels = None,
    frame: LabelFrame = Frame.UPRIGHT,
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Of the photos, for the model card.")] = OWNERS,
    origin: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Of the weights, for the model card. [default: as timm says, or FILE]")
    ] = None,
    weights_licence: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Of the weights, and so of the bundle. [default: as timm says]")
    ] = None,
    version: Annotated[str, typer.Option(metavar="V", help="Of the bundle.")] = "1.0.0",
    seed: Annotated[int, typer.Option(min=0, help="Of close-ups of undamaged photos.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle that is there already.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    debug: Debug = False,
) -> None:
    """Make a vehicle gate of a classifier of ImageNet, without training: photos tell which of its classes mean vehicle.

    Takes labelled photos with a vehicle and without, some dozens of either. The gate is fitted to the same photos, and compared
    with PyTorch.

    \b
    Examples:
      dentify bundle gate resnet50 --data damage/val.json --data no_vehicle=rooms -o my-gate
      dentify bundle gate vgg16 --weights vgg16.safetensors --data photos.csv -o my-gate.zip
    """  # noqa: D301 - click wants the character
    inputs = [parse_data(text) for text in data]
    check_licence(licence)
    if any(find_spec(name) is None for name in ("torch", "timm", "onnxscript", "scipy", "hotcoco", "yaml")):
        raise MissingExtraError(what="dentify bundle gate", extra="train")

    from dentify.bundle.write import check_target, write_bundle
    from dentify.training.class_gate import gate_bundle

    check_target(output, overwrite=overwrite)
    settings = read_settings()
    origins = {
        sample: (sample.source or one.source, text)
        for one, text in zip(inputs, data, strict=True)
        for sample in read_data([one], images, labels, settings, frame=frame)
    }
    with progress("looking", quiet=quiet) as (advance, _):
        made = gate_bundle(
            architecture,
            list(origins),
            weights=weights,
            size=size,
            photos=photos,
            origin=origin,
            licence=weights_licence,
            version=version,
            seed=seed,
            settings=settings,
            on_photo=advance,
        )
    rows = origin_rows(Counter(origins[sample] for sample in made.photos), licence, "choosing classes, and fitting")
    print(write_bundle(output, made.manifest.model_copy(update={"data": rows}), made.files, overwrite=overwrite))
    for note in made.manifest.notes:
        print(f"note: {printable(note)}", file=sys.stderr)


class Calibration(StrEnum):
    """How far 8 bits reach: to nearly all values that the photos make, or to all."""

    PERCENTILE = "percentile"
    MINMAX = "minmax"


class Layers(StrEnum):
    """Which layers compute in 8 bits."""

    WINDOWS = "windows"
    ALL = "all"


@app.command()
def quantize(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE|default", help="The bundle to take: a folder, a zip, or default.")],
    data: Annotated[list[str], typer.Option(metavar="DATA", help=f"May be given several times. {DATA_HELP}")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="NEW", help="The folder, or .zip, to write.")],
    photos: Annotated[int, typer.Option(min=1, help="Of the photos, to calibrate with; all of them are judged by.")] = 100,
    calibration: Annotated[
        Calibration, typer.Option(help="How far 8 bits reach: to all but the largest of values, or to all.")
    ] = Calibration.PERCENTILE,
    layers: Annotated[
        Layers, typer.Option(help="Which layers: ungrouped convolutions that see more than a pixel, or all.")
    ] = Layers.WINDOWS,
    anyway: Annotated[bool, typer.Option("--anyway", help="Write the bundle even where it does not pay.")] = False,
    images: Images = None,
    labels: Labels = None,
    frame: LabelFrame = Frame.UPRIGHT,
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Of the photos, for the model card.")] = OWNERS,
    version: Annotated[
        str | None, typer.Option(metavar="V", help="Of the new bundle. [default: that of BUNDLE, with +int8]")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Photos in work at a time.")] = 2,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle that is there already.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    debug: Debug = False,
) -> None:
    """Let a bundle's networks compute in 8 bits, where that is faster on this machine and costs less than a point.

    Takes labelled photos that the bundle was not trained on: calibrates with some, times both bundles in turns, judges both on
    all. Where 8 bits do not pay, nothing is written, and the exit code is 1.

    \b
    Example:
      dentify bundle quantize default --data damage/val.json --data undamaged=lot -o my-bundle
    """  # noqa: D301 - click wants the character
    inputs = [parse_data(text) for text in data]
    check_licence(licence)
    if any(find_spec(name) is None for name in ("scipy", "hotcoco", "onnx", "yaml")):
        raise MissingExtraError(what="dentify bundle quantize", extra="quantize")

    from dentify.bundle.write import check_target, write_bundle
    from dentify.fitting.int8 import quantize_bundle

    check_target(output, overwrite=overwrite)
    opened = _open(bundle)
    settings = read_settings()
    counts: Counter[tuple[str, str]] = Counter()
    with progress("looking", quiet=quiet) as (advance, _):
        quantized = quantize_bundle(
            opened,
            list(_from_data(inputs, data, counts, images, labels, frame, settings, opened)),
            calibration=calibration.value,
            layers=layers.value,
            photos=photos,
            settings=settings,
            workers=workers,
            on_photo=advance,
        )
    print(f"{'':<34}{'floats':>9}{'8 bits':>9}")
    print(f"{'photo in the networks, ms':<34}{quantized.latency_ms.floats:>9.1f}{quantized.latency_ms.int8:>9.1f}")
    for name, figure in quantized.figures.items():
        print(f"{name:<34}{figure.floats:>9.3f}{figure.int8:>9.3f}")
    against = "; ".join(quantized.reasons_against)
    if against and not anyway:
        print(f"not written: 8 bits do not pay: {against}; --anyway writes it all the same", file=sys.stderr)
        raise typer.Exit(1)
    manifest = quantized.manifest.model_copy(
        update={
            "version": version or f"{opened.manifest.version}+int8",
            "data": (*opened.manifest.data, *origin_rows(counts, licence, "calibrating and judging 8 bits")),
        }
    )
    write_bundle(output, manifest, quantized.files, overwrite=overwrite)
    if against:
        print(f"note: written all the same, though 8 bits do not pay: {against}", file=sys.stderr)


def _from_data(
    inputs: Sequence[Data],
    texts: Sequence[str],
    photos: Counter[tuple[str, str]],
    images: Path | None,
    labels: Path | None,
    frame: Frame,
    settings: Settings,
    bundle: Bundle,
) -> Iterator[Sample]:
    """The samples of all DATA, counted by source and DATA; the bundle's own names are known."""
    own = own_names([bundle.manifest])
    for one, text in zip(inputs, texts, strict=True):
        for sample in read_data([one], images, labels, settings, own=own, frame=frame):
            photos[sample.source or one.source, text] += 1
            yield sample


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
        ("damage types", ", ".join(manifest.found_types)),
        ("types of the photo", ", ".join(manifest.classes.types)),
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
    of_types = thresholds.types if isinstance(thresholds.types, dict) else dict.fromkeys(manifest.classes.types, thresholds.types)
    each = [*(thresholds.findings.items()), *((f"{name} of the photo", value) for name, value in of_types.items())]
    told = ", ".join(f"{name} {value:g}" for name, value in each)
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
