"""The recipe that is written is the one that is read."""

from __future__ import annotations

from pathlib import Path

import yaml

from dentify.planning import RANDOM
from labelled_squares import decided, write_labelled


def test_names_that_yaml_reads_otherwise_are_quoted(tmp_path: Path) -> None:
    write_labelled(tmp_path / "no", [["x"]] * 14)
    (tmp_path / "labels.yaml").write_text('labels: {x: "hail, large"}\n')
    recipe = yaml.safe_load(decided([tmp_path / "no"], tmp_path, labels=tmp_path / "labels.yaml", start=RANDOM).recipe)
    assert recipe["classes"]["damage"] == ["hail, large"]
    assert recipe["data"]["train"][0]["dataset"] == "no"
