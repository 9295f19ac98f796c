"""Checkpoints: whole or not there, of this recipe or refused, and averages of them."""

from __future__ import annotations

import errno
import os
import resource
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from dentify.errors import ConfigError, OutputError
from dentify.training.checkpoints import (
    Checkpoint,
    average_weights,
    averaging,
    check_fits,
    read_checkpoint,
    write_checkpoint,
)
from toy_bench import toy_recipe


def checkpoint(value: float = 1.0, step: int = 3) -> Checkpoint:
    weights = {"layer.weight": torch.full((2, 3), value), "layer.count": torch.tensor(7)}
    return Checkpoint(
        step=step, weights=weights, average=weights, averaged=2, names={"types": ["dent"]}, taught={"types": ["dent"]}
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    optimizer = torch.optim.AdamW([nn.Parameter(torch.ones(2))])
    written = replace(checkpoint(), optimizers=[optimizer.state_dict()])
    write_checkpoint(tmp_path / "last.ckpt", written)
    read = read_checkpoint(tmp_path / "last.ckpt")
    assert (read.step, read.averaged, read.names, read.taught) == (3, 2, written.names, written.taught)
    assert torch.equal(read.weights["layer.weight"], written.weights["layer.weight"])
    assert read.optimizers == written.optimizers
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), RuntimeError("[enforce fail at inline_container.cc:603] unexpected pos")],
    ids=["the system says", "torch says"],
)
def test_a_full_disk_is_one_line_and_the_earlier_checkpoint_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = tmp_path / "last.ckpt"
    write_checkpoint(path, checkpoint(step=1))

    def full(state: Any, file: Any) -> None:
        file.write(b"half")
        raise error

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match=r"last\.ckpt: cannot be written: [^\n]*; make room, (then|run)[^\n]*$"):
        write_checkpoint(path, checkpoint(step=2))
    assert read_checkpoint(path).step == 1
    assert [one.name for one in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_file_that_may_not_grow_is_an_error_of_one_line(tmp_path: Path) -> None:
    """As on a full disk, by the system itself."""
    earlier, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    large = replace(checkpoint(), weights={"w": torch.zeros(200_000)})
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, earlier[1]))
        with pytest.raises(OutputError, match=r"last\.ckpt: cannot be written"):
            write_checkpoint(tmp_path / "last.ckpt", large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, earlier)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x05\x06" + bytes(18)], ids=["empty", "text", "empty zip"])
def test_what_is_no_checkpoint_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "last.ckpt").write_bytes(content)
    with pytest.raises(ConfigError, match="is no checkpoint of `dentify train`"):
        read_checkpoint(tmp_path / "last.ckpt")


def test_a_checkpoint_that_is_missing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_checkpoint(tmp_path / "last.ckpt")


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return (os.mkdir, (str(tmp_path / "done"),))

    torch.save({"format": 2, "step": Evil()}, tmp_path / "last.ckpt")
    with pytest.raises(ConfigError, match="is no checkpoint"):
        read_checkpoint(tmp_path / "last.ckpt")
    assert not (tmp_path / "done").exists()


def test_a_checkpoint_of_another_format_says_so(tmp_path: Path) -> None:
    torch.save({"format": 1, "step": 3}, tmp_path / "last.ckpt")
    with pytest.raises(ConfigError, match="is a checkpoint of another version of Dentify"):
        read_checkpoint(tmp_path / "last.ckpt")


def test_the_mean_of_checkpoints_is_that_of_their_averages(tmp_path: Path) -> None:
    for name, value in (("one", 2.0), ("two", 6.0)):
        write_checkpoint(tmp_path / name, checkpoint(value))
    mean = average_weights(checkpoint(1.0).average, [tmp_path / "one", tmp_path / "two"])
    assert torch.equal(mean["layer.weight"], torch.full((2, 3), 3.0))
    assert mean["layer.count"] == 7
    assert mean["layer.count"].dtype == torch.int64


def test_networks_of_other_shapes_have_no_mean(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "one", replace(checkpoint(), average={"layer.weight": torch.zeros(3, 3)}))
    with pytest.raises(ConfigError, match=r"one: is of another network than the recipe's: `layer.count` is None"):
        average_weights(checkpoint().average, [tmp_path / "one"])


def test_a_checkpoint_fits_the_recipe_that_it_came_from() -> None:
    recipe = toy_recipe()
    heads = recipe.build_heads()
    network = recipe.model.build({name: head.output for name, head in heads.items()}, None)
    names = {name: list(head.names) for name, head in heads.items()}
    own = replace(checkpoint(), average=network.state_dict(), names=names)
    check_fits(own, network, heads, Path("last.ckpt"))
    swapped = replace(own, names=names | {"types": ["hail_mark", "dent"]})
    with pytest.raises(ConfigError, match=r"last.ckpt: is of another recipe: its head `types` tells hail_mark, dent"):
        check_fits(swapped, network, heads, Path("last.ckpt"))


def test_the_average_forgets_the_start_quickly_and_takes_the_counters_as_they_are() -> None:
    network = nn.BatchNorm1d(2)
    average = AveragedModel(network, multi_avg_fn=averaging(0.999), use_buffers=True)
    with torch.no_grad():
        network.weight.fill_(0.0)
    average.update_parameters(network)  # the first is taken as it is
    assert average.module.weight.tolist() == [0.0, 0.0]
    with torch.no_grad():
        network.weight.fill_(1.0)
        network.num_batches_tracked.fill_(5)
    average.update_parameters(network)
    assert average.module.weight[0].item() == pytest.approx(1 - 2 / 11)
    assert average.module.num_batches_tracked == 5
    for _ in range(50):
        average.update_parameters(network)
    assert average.module.weight.min() > 0.99


def test_the_average_moves_by_its_decay_in_the_end() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = AveragedModel(network, multi_avg_fn=averaging(0.9), use_buffers=True)
    average.n_averaged.fill_(1000)
    with torch.no_grad():
        average.module.weight.fill_(1.0)
        network.weight.fill_(2.0)
    average.update_parameters(network)
    assert average.module.weight.item() == pytest.approx(1.1)
