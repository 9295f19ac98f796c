"""What the Flex Template's launcher runs: `dentify dataset preprocess` with the template's parameters as its options.

    python launch.py --input gs://bucket/photos --output gs://bucket/ready --size 512 --runner DataflowRunner --project …

The parameters are those of `metadata.json`; every other option is one of Beam's, which the launcher adds.
"""

from __future__ import annotations

import argparse
import logging

from dentify.beam import Recipe, preprocess
from dentify.cli.dataset.preprocess import parse_size, told
from dentify.settings import Settings


def main() -> None:
    """Builds the job and hands it over; where it runs here, waits for its end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--size", default="512", type=parse_size)
    parser.add_argument("--fit", default="letterbox", choices=("letterbox", "stretch"))
    parser.add_argument("--write", default="pictures", choices=("pictures", "shards"))
    parser.add_argument("--shard_size", default=1000, type=int)
    parser.add_argument("--format", default="jpeg", choices=("jpeg", "webp"))
    parser.add_argument("--quality", default=90, type=int)
    parser.add_argument("--drop", default="near", choices=("near", "exact", "none"))
    parser.add_argument("--pictures_only", default="false", choices=("true", "false"))
    parser.add_argument("--overwrite", default="false", choices=("true", "false"))
    parser.add_argument("--runner", default="DataflowRunner")
    given, beam_options = parser.parse_known_args()
    logging.getLogger().setLevel(logging.INFO)
    summary = preprocess(
        given.input,
        given.output,
        recipe=Recipe(given.size, given.fit, given.format, given.quality),
        write=given.write,
        shard_size=given.shard_size,
        drop=given.drop,
        pictures_only=given.pictures_only == "true",
        runner=given.runner,
        beam_options=beam_options,
        overwrite=given.overwrite == "true",
        settings=Settings.from_environment(),
    )
    logging.info("%s", "the job is on its way" if summary is None else told(summary))


if __name__ == "__main__":
    main()
