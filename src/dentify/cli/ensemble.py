"""`dentify ensemble`: one bundle of several that answer the same questions.

In Python: `dentify.fitting.ensemble.make_ensemble` and `tune_ensemble`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentify.cli import Debug, read_settings
from dentify.cli.data import DATA_HELP, Frame, Images, LabelFrame, Labels, own_names, parse_data, read_data
from dentify.cli.fitted import OWNERS, check_licence, described, figures_line
from dentify.cli.progress import progress
from dentify.errors import printable

if TYPE_CHECKING:
    from dentify.bundle import Bundle
    from dentify.datasets import Sample
    from dentify.fitting.ensemble import Cost, Tuned


UNTUNED = (
    "all count the same, and confidences and thresholds were made for one of them alone; give labelled photos with --tune, or "
    "run `dentify bundle fit` on the new bundle"
)


class Combine(StrEnum):
    """How the maps of several bundles become one."""

    MEAN = "mean"
    VOTE = "vote"


def ensemble(
    bundles: Annotated[list[str], typer.Argument(metavar="BUNDLE|default...", help="Two or more: folders, zips, or default.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="NEW", help="The folder, or .zip, to write.")],
    tune: Annotated[
        list[str] | None, typer.Option(metavar="DATA", help=f"Photos to fit to; may be given several times. {DATA_HELP}")
    ] = None,
    combine: Annotated[
        Combine, typer.Option(help="Maps become their mean, or at each place the share of bundles that say yes.")
    ] = Combine.MEAN,
    images: Images = None,
    labels: Labels = None,
    frame: LabelFrame = Frame.UPRIGHT,
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Of the photos of --tune, for the model card.")] = OWNERS,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Of the new bundle. [default: that of NEW]")] = None,
    version: Annotated[str, typer.Option(metavar="V", help="Of the new bundle.")] = "1.0.0",
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn from the photos of --tune, and of the scorer.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Photos in work at a time.")] = 2,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle that is there already.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    debug: Debug = False,
) -> None:
    """Make one bundle of several that answer the same questions together.

    A question that only one answers comes along from it. With --tune, photos that none of them was trained on say how much each
    counts, and confidences and thresholds are fitted to the whole. It ends with what the bundle costs beside each of its members.

    \b
    Examples:
      dentify ensemble default my-bundle -o both --tune damage/val.json --tune undamaged=lot --tune no_vehicle=rooms
      dentify ensemble a b c -o voted --combine vote
    """  # noqa: D301 - click wants the character
    texts = tune or []
    inputs = [parse_data(text) for text in texts]
    of_photos = {"--images": images, "--labels": labels, "--seed": seed, "--frame": frame != Frame.UPRIGHT}
    of_photos["--licence"] = licence != OWNERS
    check_licence(licence)
    if not inputs and (useless := [option for option, given in of_photos.items() if given]):
        raise typer.BadParameter(f"{useless[0]} is of the photos of --tune: give some")

    from dentify.bundle import Bundle
    from dentify.bundle.write import check_target, write_bundle
    from dentify.fitting.ensemble import make_ensemble, tune_ensemble

    check_target(output, overwrite=overwrite)
    settings = read_settings()
    members = [Bundle.open(path, settings=settings) for path in bundles]
    name = name or output.stem
    if not inputs:
        built = make_ensemble(members, name=name, version=version, how=combine.value, settings=settings)
        written = write_bundle(output, built.manifest, built.files, overwrite=overwrite)
        print(f"note: {UNTUNED}", file=sys.stderr)
        _tell_costs([*members, Bundle.open(written, settings=settings)], [])
        return
    own = own_names(one.manifest for one in members)
    counts: Counter[tuple[str, str]] = Counter()
    samples: list[Sample] = []
    for one, text in zip(inputs, texts, strict=True):
        for sample in read_data([one], images, labels, settings, own=own, frame=frame):
            counts[sample.source or one.source, text] += 1
            samples.append(sample)
    with progress("fitting", 2 * len(samples), unit="looks", quiet=quiet) as (advance, _):
        tuned = tune_ensemble(
            members,
            samples,
            name=name,
            version=version,
            how=combine.value,
            seed=seed,
            settings=settings,
            workers=workers,
            on_photo=advance,
        )
    manifest = described(tuned.fitted, counts, licence=licence, version=version)
    written = write_bundle(output, manifest, tuned.files, overwrite=overwrite)
    for note in tuned.notes:
        print(f"note: {printable(note)}", file=sys.stderr)
    _tell_weights(members, tuned)
    print(f"alone   {figures_line(tuned.fitted.before)} (as fitted for one of them)")
    print(f"fitted  {figures_line(tuned.fitted.figures)} (on the photos it was fitted to; none was scored by what it taught)")
    _tell_costs([*members, Bundle.open(written, settings=settings)], samples)


def _tell_weights(members: Sequence[Bundle], tuned: Tuned) -> None:
    """A line a role: how much each bundle counts."""
    for role, weights in tuned.weights.of.items():
        told = [f"{printable(one.where)} {weight:.2f}" for one, weight in zip(members, weights, strict=True) if weight > 0]
        print(f"{role:<14}{', '.join(told)}")


def _tell_costs(bundles: Sequence[Bundle], samples: Sequence[Sample]) -> None:
    """A line a bundle: bytes, and milliseconds a photo, of the photos that come with Dentify where none are given."""
    from dentify.datasets import Sample
    from dentify.demo import PHOTOS
    from dentify.fitting.ensemble import costs_of

    shown = samples or [Sample(path, path.name) for path in sorted(PHOTOS.glob("*.jpg"))]
    costs: list[Cost] = costs_of(bundles, shown, settings=read_settings())
    width = max(len(printable(one.where)) for one in costs)
    print(f"{'':<{width}}{'bytes':>15}{'ms a photo':>12}")
    for one in costs:
        print(f"{printable(one.where):<{width}}{one.size_bytes:>15,}{one.latency_ms:>12.1f}")
