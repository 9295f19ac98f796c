"""The recipe that is written is the one that is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from built_bundles import other_bundle
from dentify.planning import RANDOM, decide, look
from dentify.testing import tiny_manifest, tiny_onnx
from labelled_squares import decided, write_labelled


def test_names_that_yaml_reads_otherwise_are_quoted(tmp_path: Path) -> None:
    write_labelled(tmp_path / "no", [["x"]] * 14)
    (tmp_path / "labels.yaml").write_text('labels: {x: "hail, large"}\n')
    recipe = yaml.safe_load(decided([tmp_path / "no"], tmp_path, labels=tmp_path / "labels.yaml", start=RANDOM).recipe)
    assert recipe["classes"]["damage"] == ["hail, large"]
    assert recipe["data"]["train"][0]["dataset"] == "no"


def test_the_first_comment_names_the_recipe_from_where_the_command_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_labelled(tmp_path / "my data" / "mine", [["dent"]] * 14)
    seen = look([Path("my data/mine")])
    for output, told in (("my data/run", '"my data/run/recipe.yaml"'), ("runs/mine", "runs/mine/recipe.yaml")):
        _, line, *_ = decide(seen, output=Path(output), data=Path("my data"), start=RANDOM).recipe.splitlines()
        assert line == f'#   dentify train {told} --data "my data" -o another-run'


@pytest.mark.parametrize("role", ["damage", "parts"])
def test_a_bundle_teaches_parts_where_it_tells_some_that_are_taught(role: str, tmp_path: Path) -> None:
    """The tiny bundle, with all that it tells or with damage alone; the labels have parts of their own."""
    pytest.importorskip("onnx", reason="the tiny bundle needs the extra `train`")
    write_labelled(tmp_path / "mine", [["dent", "hood"]] * 14)
    manifest: dict[str, Any] = tiny_manifest()
    roles, classes = manifest["roles"], manifest["classes"]
    told = {"roles": {"damage": roles["damage"]}, "classes": {"damage": classes["damage"]}} if role == "damage" else {}
    bundle = other_bundle(str(tmp_path / "bundle"), tiny_onnx(), **told)
    recipe = yaml.safe_load(decided([tmp_path / "mine"], tmp_path, start=str(bundle)).recipe)
    assert "hood" in recipe["classes"]["parts"]
    assert ("distil" in recipe) is (role == "parts")
