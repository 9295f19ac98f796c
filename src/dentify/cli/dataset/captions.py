"""`dentify dataset captions`: sentences from labels. In Python: `dentify.curation.captions`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from dentify.cli import Debug
from dentify.cli.data import Frame, Images, LabelFrame, Labels
from dentify.cli.dataset.options import DatasetPath, Overwrite, SkipInvalid, check_free, opened
from dentify.cli.formats import InputFormat
from dentify.errors import printable


def captions(
    path: DatasetPath,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="A .jsonl file. [default: standard output]")
    ] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Sentences a photo, where its labels give so many.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of what is mentioned and how.")] = 0,
    labels: Labels = None,
    input_format: InputFormat = None,
    images: Images = None,
    frame: LabelFrame = Frame.UPRIGHT,
    skip_invalid: SkipInvalid = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Sentences about each photo from its labels, for image-text training: one JSON object a line, file_name, text and split.

    They tell types, parts, sizes, places and severity, and nothing that the labels do not say.

    \b
    Example:
      dentify dataset captions photos -n 3 -o photos/metadata.jsonl
    """  # noqa: D301 - click wants the character
    from dentify.curation.captions import iter_captions
    from dentify.datasets.splits import photo_key
    from dentify.writing import write_whole

    check_free(output, overwrite=overwrite)
    unknown: Counter[str] = Counter()
    with opened(path, input_format, images, labels, frame=frame, skip_invalid=skip_invalid, by_meaning=True) as (dataset, _):
        if output is not None:
            dataset.check_not_read(output)
        lines = (
            json.dumps({"file_name": photo_key(sample, path), "text": text, "split": sample.split}, ensure_ascii=False)
            for sample, text in iter_captions(dataset, count, seed=seed, unknown=unknown)
        )
        if output is None:
            for line in lines:
                print(line)
        else:
            write_whole({output: "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace")})
            print(output, file=sys.stderr)
    if unknown:
        told = ", ".join(f"{printable(word)} ({times})" for word, times in unknown.most_common(20))
        print(f"note: types of your own, told as they are: {told}", file=sys.stderr)
