"""Runs of several processes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

import toy_bench
from dentify.errors import ConfigError, ImageError
from dentify.training import train
from dentify.training.processes import check_batches
from dentify.training.recipe import Recipe
from forked import fork
from toy_bench import toy_recipe
from toy_runs import curve, rows


def test_two_processes_follow_the_curve_of_one(painted: Path, tmp_path: Path, run: Path) -> None:
    """Their batches are shares of the one batch, and every loss is a quotient of sums over all of it."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*torchrun, toy_bench.__file__, str(painted), str(tmp_path / "two")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for step, (one, two) in enumerate(zip(rows(run), rows(tmp_path / "two"), strict=True)):
        for name in one:
            assert float(two[name]) == pytest.approx(float(one[name]), rel=1e-3, abs=1e-5), (step, name)
    for one, two in zip(rows(run, "figures.csv"), rows(tmp_path / "two", "figures.csv"), strict=True):
        assert {k: v for k, v in one.items() if v == ""} == {k: v for k, v in two.items() if v == ""}
        for name in (name for name, value in one.items() if value):
            assert float(two[name]) == pytest.approx(float(one[name]), abs=2e-3), name


def train_as_torchrun_does(recipe: Recipe, data: Path, output: Path, rank: int, port: int) -> None:
    """One of two processes."""
    ranks = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "GROUP_WORLD_SIZE": 1}
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "toy", "CUDA_VISIBLE_DEVICES": ""}
    os.environ |= {name: str(value) for name, value in (ranks | where).items()}
    train(recipe, data=data, output=output)


def test_processes_need_not_have_as_many_pictures_each_nor_any_to_judge_by(painted: Path, tmp_path: Path) -> None:
    """Five pictures a batch, and one photo in val."""
    document = json.loads((painted / "val.json").read_text())
    document["images"] = document["images"][:1]
    document["annotations"] = document["annotations"][:1]
    (painted / "one.json").write_text(json.dumps(document))
    changes = ["phases.0.per_batch=[3, 1, 1]", "phases.0.steps=2", "phases.1.steps=1", "data.val.0.dataset=one.json"]
    train(toy_recipe(changes=tuple(changes)), data=painted, output=tmp_path / "one")
    recipe = toy_recipe(changes=tuple(changes))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    works = [partial(train_as_torchrun_does, recipe, painted, tmp_path / "two", rank, port) for rank in range(2)]
    for process in [fork(work, tmp_path / f"process{rank}") for rank, work in enumerate(works)]:
        code, _, errors = process.end()
        assert code == 0, errors[-2000:]
    assert curve(tmp_path / "two") == pytest.approx(curve(tmp_path / "one"), rel=1e-3)
    assert rows(tmp_path / "two", "figures.csv")[-1]["types/dent"] == rows(tmp_path / "one", "figures.csv")[-1]["types/dent"]


@pytest.mark.parametrize(
    ("processes", "accumulate", "fits"), [(1, 4, True), (2, 2, True), (1, 5, False), (2, 3, False), (5, 1, False)]
)
def test_a_batch_has_a_picture_for_each_part_of_each_process(processes: int, accumulate: int, fits: bool) -> None:
    recipe = toy_recipe(accumulate=accumulate)
    if fits:
        check_batches(recipe, processes)
    else:
        with pytest.raises(ConfigError, match=r"phases\.0: batches of 4 pictures are too small for \d processes"):
            check_batches(recipe, processes)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_there_is_told(painted: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="device cuda: PyTorch finds no such device here; take cpu, or auto"):
        train(toy_recipe(), data=painted, output=tmp_path / "run", device="cuda")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_photo_is_one_line_in_whatever_process(tmp_path: Path, workers: int) -> None:
    photos = toy_bench.paint_photos(tmp_path / "photos")
    for photo in photos.glob("*.png"):
        photo.write_bytes(photo.read_bytes()[:-60])
    data = toy_bench.toy_document()["data"] | {"workers": workers}
    with pytest.raises(ImageError, match=r"^\w+\.png: this PNG is [^\n]*$"):
        train(toy_recipe(data=data), data=photos, output=tmp_path / "run")
