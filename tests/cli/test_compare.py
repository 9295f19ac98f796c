"""`dentify compare`, on painted photos whose answers are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dentify.evaluation import Comparison
from dentify.testing import paint_photo, tiny_bundle, tiny_classifier, tiny_manifest

Dentify = Callable[..., Any]
Paint = Callable[..., Path]


@pytest.fixture
def data(paint: Paint) -> None:
    """Photos with damage, sound ones, and one without a vehicle."""
    for number in range(3):
        paint(f"damaged/{number}.png", "dent", "scratch")
        paint(f"sound/{number}.png")
    Path("none").mkdir()
    Image.fromarray(paint_photo(size_hw=(128, 192), body=None)).save("none/d.png")


MORE = ("--data", "damaged=damaged", "--data", "undamaged=sound", "--data", "no_vehicle=none")


def test_a_bundle_with_itself_differs_by_nothing(dentify: Dentify, bundle: Path, data: None) -> None:
    result = dentify("compare", bundle, bundle, *MORE, "--resamples", "20", "--format", "json")
    assert result.exit_code == 0, result.output
    comparison = Comparison.model_validate_json(result.stdout)
    assert [one.path for one in comparison.bundles] == [str(bundle)] * 2
    assert comparison.data == ("damaged=damaged", "undamaged=sound", "no_vehicle=none")
    assert {one.question for one in comparison.figures} == {"vehicle", "damage"}
    for one in comparison.figures:
        assert one.differences[1] is not None
        assert one.differences[1].value == 0.0
        assert one.differences[1].interval is not None
        assert one.differences[1].interval[0] <= 0 <= one.differences[1].interval[1]


def test_the_last_argument_is_the_data_and_files_go_to_the_folder(dentify: Dentify, bundle: Path, data: None) -> None:
    thresholds = tiny_manifest()["thresholds"] | {"damage": 1.0}
    other = tiny_bundle("other", version="2.0.0", thresholds=thresholds)
    result = dentify("compare", bundle, other, "damaged=damaged", "-o", "out", "--resamples", "20")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1].startswith("B: other, tiny 2.0.0 (")
    assert "-1.000 [-1.000, -1.000] *" in result.stdout  # it calls nothing damaged
    assert sorted(path.name for path in Path("out").iterdir()) == ["comparison.html", "comparison.json"]
    assert json.loads(Path("out/comparison.json").read_text())["schema_version"] == "1.0"
    again = dentify("compare", bundle, other, "damaged=damaged", "-o", "out")
    assert again.exit_code == 1
    assert "comparison.json: is there already; --overwrite replaces it" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["BUNDLE", "damaged=damaged"], "name two bundles or more, and DATA last (or with --data)"),
        (["BUNDLE", "--data", "damaged=damaged"], "name two bundles or more, and DATA last (or with --data)"),
        (["BUNDLE", "BUNDLE", "undamaged="], "names no CSV or folder"),
        (["BUNDLE", "BUNDLE", "damaged=damaged", "--overwrite"], "--overwrite needs -o"),
    ],
)
def test_wrong_usage_is_told_before_any_work(
    dentify: Dentify, bundle: Path, data: None, arguments: list[str], message: str
) -> None:
    result = dentify("compare", *(str(bundle) if one == "BUNDLE" else one for one in arguments))
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_what_cannot_be_compared_is_one_line(dentify: Dentify, bundle: Path, data: None) -> None:
    types = tiny_classifier("types")
    gate = {key: tiny_manifest()["roles"][key] for key in ("vehicle_gate",)}
    known = {"damage_types": ["dent"], "taught": []}
    tiny_bundle("gate", roles=gate, classes={}, taxonomy=known, thresholds={}, review={})
    for arguments, message in (
        (["gate", types, "damaged=damaged"], "types judges types, gate vehicle gate: they have nothing in common to compare"),
        (["types", "types", "no_vehicle=nowhere"], "nowhere: no such CSV or folder of photos"),
        (["types", "missing", "damaged=damaged"], "missing: no such bundle"),
        (["types", "types", "damaged=damaged"], "nothing to compare by: no photo is labelled with anything"),
    ):
        result = dentify("compare", *arguments)
        assert result.exit_code == 1
        assert result.stderr.count("\n") == 1
        assert message in result.stderr
