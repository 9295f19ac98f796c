"""`dentify dataset split`: what it writes, again and again the same."""

from __future__ import annotations

import json
from pathlib import Path

from .conftest import Dentify, write


def test_split_writes_what_all_commands_read(dentify: Dentify) -> None:
    write()
    result = dentify("dataset", "split", "data", "--ratios", "50,50")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("photos with")
    assert result.stdout.endswith("0 groups of 0 photos stay together\n")
    told = "note: val holds no photo with scrtch; another --seed may do, or more photos\n"
    assert result.stderr == told + "data/splits.csv\n"
    inspection = json.loads(dentify("dataset", "inspect", "data", "--format", "json").stdout)
    assert {name: one["photos"] for name, one in inspection["splits"].items()} == {"train": 2, "val": 2}


def test_split_is_repeatable_and_does_not_replace_unasked(dentify: Dentify) -> None:
    write()
    dentify("dataset", "split", "data", "--seed", "3")
    first = Path("data/splits.csv").read_bytes()
    again = dentify("dataset", "split", "data", "--seed", "3")
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr == "error: data/splits.csv: is there already; --overwrite replaces it\n"
    assert dentify("dataset", "split", "data", "--group-by", "[ab]", "--overwrite").exit_code == 0
    assert dentify("dataset", "split", "data", "--seed", "3", "--overwrite").exit_code == 0
    assert Path("data/splits.csv").read_bytes() == first


def test_split_ends_at_a_broken_picture_or_leaves_it_out(dentify: Dentify) -> None:
    write()
    Path("data/c.png").write_bytes(Path("data/c.png").read_bytes()[:2000])
    result = dentify("dataset", "split", "data")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: data/labels.json: images[2] (id 2): c.png: this PNG is cut off")
    assert result.stderr.count("\n") == 1
    assert not Path("data/splits.csv").exists()
    result = dentify("dataset", "split", "data", "--skip-invalid")
    assert result.exit_code == 0
    assert "skipped: data/labels.json: images[2] (id 2): c.png: this PNG is cut off" in result.stderr
    assert "c.png" not in Path("data/splits.csv").read_text()
    assert dentify("dataset", "split", "data", "--no-pictures", "--overwrite").exit_code == 0  # which opens none
    assert "c.png" in Path("data/splits.csv").read_text()
