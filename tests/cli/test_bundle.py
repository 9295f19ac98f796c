"""`dentify bundle info` and `dentify bundle verify`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from dentify import Bundle

Dentify = Callable[..., Result]


@pytest.fixture
def copy(bundle: Path) -> Path:
    return Path(shutil.copytree(bundle, "copy"))


def test_info_is_a_table_of_what_people_ask(dentify: Dentify, copy: Path) -> None:
    result = dentify("bundle", "info", copy)
    assert result.exit_code == 0
    table = dict(line.split("  ", 1) for line in result.stdout.splitlines() if not line.startswith(" "))
    assert table["bundle"].strip() == "tiny 1.0.0"
    assert table["sha256"].strip() == Bundle.open(copy).sha256
    assert table["damage types"].strip() == "dent, scratch, broken_part"
    assert table["not judged"].strip() == "crack, glass_shatter, lamp_broken, tire_flat"


def test_info_as_json_is_the_manifest(dentify: Dentify, copy: Path) -> None:
    result = dentify("bundle", "info", copy, "--format", "json")
    assert json.loads(result.stdout) == Bundle.open(copy).manifest.model_dump(mode="json")


def test_verify_says_that_all_is_well(dentify: Dentify, copy: Path) -> None:
    result = dentify("bundle", "verify", copy)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "tiny 1.0.0 is whole and can be used."
    document = json.loads(dentify("bundle", "verify", copy, "--format", "json").stdout)
    assert (document["verified"], document["name"]) == (True, "tiny")


@pytest.mark.parametrize("command", ["info", "verify"])
def test_one_flipped_byte_is_one_line(command: str, dentify: Dentify, copy: Path) -> None:
    network = copy / "tiny.onnx"
    data = bytearray(network.read_bytes())
    data[len(data) // 2] ^= 1
    network.write_bytes(data)
    result = dentify("bundle", command, copy)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: copy/tiny.onnx: altered")
    assert len(result.stderr.splitlines()) == 1


def test_a_missing_file_is_one_line(dentify: Dentify, copy: Path) -> None:
    (copy / "tiny.onnx").unlink()
    result = dentify("bundle", "verify", copy)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: copy/tiny.onnx: missing; take the bundle from its source again\n"


def test_a_newer_bundle_is_one_line(dentify: Dentify, copy: Path) -> None:
    manifest = copy / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"schema_version": "1.0"', '"schema_version": "2.0"'))
    result = dentify("bundle", "verify", copy)
    assert result.exit_code == 1
    assert result.stderr == "error: copy/bundle.json: written for schema 2.0, this Dentify reads 1.x: update Dentify\n"
