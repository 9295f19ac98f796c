"""`dentify dataset normalize`: JSON of one split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import Dentify, write


def test_normalize_prints_json_of_the_train_split(dentify: Dentify) -> None:
    write()
    everything = json.loads(dentify("dataset", "normalize", "data").stdout)
    assert (everything["split"], everything["photos"]) == ("", 4)
    Path("data/splits.csv").write_text("file,split\na.png,train\nb.png,val\nc.png,val\nd.png,val\n")
    train = json.loads(dentify("dataset", "normalize", "data").stdout)
    pixels = np.asarray(Image.open("data/a.png")).reshape(-1, 3) / 255
    assert (train["split"], train["photos"]) == ("train", 1)
    assert train["mean"] == pytest.approx(pixels.mean(axis=0), abs=1e-6)
    assert train["std"] == pytest.approx(pixels.std(axis=0), abs=1e-6)
    result = dentify("dataset", "normalize", "data", "--split", "test")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: no photo of split 'test' that can be read; the data set has train, val\n"


def test_normalize_replaces_a_file_when_told_to(dentify: Dentify) -> None:
    write()
    assert dentify("dataset", "normalize", "data", "-o", "figures.json").exit_code == 0
    figures = Path("figures.json").read_bytes()
    Path("figures.json").write_text("mine")
    again = dentify("dataset", "normalize", "data", "-o", "figures.json")
    assert (again.exit_code, again.stderr) == (1, "error: figures.json: is there already; --overwrite replaces it\n")
    assert Path("figures.json").read_text() == "mine"
    assert dentify("dataset", "normalize", "data", "-o", "figures.json", "--overwrite").exit_code == 0
    assert Path("figures.json").read_bytes() == figures


def test_normalize_leaves_out_broken_pictures_when_told_to(dentify: Dentify) -> None:
    write()
    Path("data/c.png").write_bytes(Path("data/c.png").read_bytes()[:2000])
    assert dentify("dataset", "normalize", "data").exit_code == 1
    result = dentify("dataset", "normalize", "data", "--skip-invalid")
    assert json.loads(result.stdout)["photos"] == 3
    assert result.stderr.startswith("skipped: data/labels.json: images[2] (id 2): c.png: this PNG is cut off")
