"""Memory that does not suffice is one line; anything else that goes wrong stays what it is."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from dentify.errors import TrainingError
from dentify.training.memory import enough_memory


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
        RuntimeError("DataLoader worker (pid 9) is killed by signal: Killed. "),
        MemoryError(),
    ],
    ids=["accelerator", "processor", "reader", "numpy"],
)
def test_what_does_not_fit_says_what_takes_less(error: Exception) -> None:
    with (
        pytest.raises(TrainingError, match=r"^all of it: does not fit into memory; take less$"),
        enough_memory("all of it", "take less"),
    ):
        raise error


def test_an_array_that_nobody_has_room_for() -> None:
    with pytest.raises(TrainingError, match="does not fit"), enough_memory("all of it", "take less"):
        torch.empty(2**58)


def test_other_errors_stay() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"), enough_memory("all of it", "take less"):
        raise RuntimeError("size mismatch")
