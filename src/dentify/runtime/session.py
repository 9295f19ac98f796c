"""One ONNX network, opened from bytes that were verified before and run on the CPU or, where there is CUDA, on a GPU."""

from __future__ import annotations

import io
import math
import os
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout, suppress
from typing import Any, Literal

import numpy as np

from dentify.arrays import FloatArray
from dentify.errors import BundleError, printable
from dentify.imaging.files import told_bytes
from dentify.offline import report_nothing
from dentify.settings import Settings

Device = Literal["auto", "cpu", "cuda"]
"""What networks run on. `auto`: CUDA where ONNX Runtime has it, and the CPU otherwise."""

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# The same photo gives the same answer, and nearly the CPU's: whole single precision, algorithms chosen by rule and not by a race.
_CUDA_OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
# What a graph makes of constants alone is made at each run, under its limits, and not at opening, where there are none: a file
# of 4 kB can ask for gigabytes and hours. Exporters do that beforehand, so networks are as fast without.
_DISABLED = ["ConstantFolding"]
_SILENT = 4  # of ONNX Runtime's log: fatal errors only
_FAR = 1e6  # a logit beyond says no more, and what is reckoned with it may be no number
_OUT_OF_MEMORY = re.compile(r"smaller than requested bytes|[Ff]ailed to allocate memory|bad_alloc|bad allocation")


class Session:
    """An ONNX network with fixed input and output names. `run` may be called from several threads at once.

    Args:
        model: the ONNX file's bytes.
        input_name: the one input.
        output_names: the outputs that are wanted; the others are not computed where that saves work.
        threads: threads for one run; `None` takes as many as this process may use processors.
        where: what error messages call the file.
        device: what to run it on.
        settings: how long a run may take, and how much memory.

    Raises:
        BundleError: ONNX Runtime cannot open it.
    """

    def __init__(
        self,
        model: bytes,
        *,
        input_name: str,
        output_names: Sequence[str],
        threads: int | None = None,
        where: str,
        device: Device = "cpu",
        settings: Settings | None = None,
    ) -> None:
        settings = settings or Settings()
        onnxruntime = import_onnxruntime()  # 0.1 s and 60 MB: only who opens a bundle pays for it
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_processors() if threads is None else threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = _SILENT  # errors come as exceptions; its lines would stand between the results
        # Its memory arena and pattern stay on: inputs have one shape, so memory is flat from the second run on (nine convolutions
        # at 384 px: 86 → 105 MB; without them a peak of 118 to 141 MB, and runs take 1.2 times as long).
        # ONNX only: a file that is also readable as ONNX Runtime's own format would get round the checks made on it.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        # Waiting threads sleep between runs instead of burning the processors that decode the next photo.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.use_env_allocators", "1")
        _bound_memory(onnxruntime, settings.max_run_bytes)
        session = None if device == "cpu" or not _offers_cuda() else _open_on_cuda(model, options)
        try:
            self._session = session or onnxruntime.InferenceSession(
                model, options, providers=[_CPU], disabled_optimizers=_DISABLED
            )
        except Exception as error:  # its exceptions share no base below this one
            raise BundleError(f"{where}: ONNX Runtime {onnxruntime.__version__} cannot open it ({_first_line(error)})") from error
        self._run_options = onnxruntime.RunOptions
        self.on_cuda = session is not None
        self._input_name = input_name
        self._output_names = list(output_names)
        self._where = where
        self._settings = settings
        self._seconds = None if self.on_cuda else settings.max_run_seconds

    @property
    def is_timed(self) -> bool:
        """Whether the next run is stopped where it takes too long.

        On a GPU the first one also chooses algorithms and compiles; how long that takes says nothing of the network.
        """
        return self._seconds is not None

    def run(self, tensor: FloatArray, *, spent: float = 0.0) -> Mapping[str, FloatArray]:
        """The wanted outputs by name, float32.

        Args:
            tensor: `(1, 3, H, W)` float32, as `network_input` makes it.
            spent: seconds that other runs for the same photo took of those that it may take.

        Raises:
            BundleError: the network fails on it, takes too long or too much memory, or answers what is no number.
        """
        options = self._run_options()
        options.log_severity_level = _SILENT
        late = threading.Event()

        def stop() -> None:  # the run ends with the node that it is at
            late.set()
            options.terminate = True

        alarm = None if self._seconds is None else threading.Timer(max(0.0, self._seconds - spent), stop)
        try:
            if alarm is not None:
                alarm.daemon = True
                alarm.start()
            outputs: list[Any] = self._session.run(self._output_names, {self._input_name: tensor}, options)
        except Exception as error:
            told = _first_line(error)
            if late.is_set():
                told = f"stopped after {self._seconds:g} seconds; raise DENTIFY_MAX_RUN_SECONDS where that is too short"
            elif _OUT_OF_MEMORY.search(told):
                most = told_bytes(self._settings.max_run_bytes)
                told = f"needs more than {most}; raise DENTIFY_MAX_RUN_BYTES where that is too little"
            raise BundleError(f"{self._where}: the network failed on an input of shape {tensor.shape} ({told})") from error
        finally:
            if alarm is not None:
                alarm.cancel()
        self._seconds = self._settings.max_run_seconds
        return {name: self._checked(name, output) for name, output in zip(self._output_names, outputs, strict=True)}

    def _checked(self, name: str, output: Any) -> FloatArray:
        """An output as float32, none of its values beyond what a logit can mean."""
        if not isinstance(output, np.ndarray) or output.dtype.kind != "f":
            raise BundleError(f"{self._where}: output {name!r} holds no floating-point numbers; the network is broken")
        if not output.size:
            raise BundleError(f"{self._where}: output {name!r} is empty; the network is broken")
        lowest, highest = float(output.min()), float(output.max())  # NaN where any is
        if not (math.isfinite(lowest) and math.isfinite(highest)):
            raise BundleError(f"{self._where}: output {name!r} holds values that are no numbers; the network is broken")
        if max(-lowest, highest) > _FAR:
            output = np.clip(output, -_FAR, _FAR)
        return np.asarray(output, np.float32)


def import_onnxruntime() -> Any:
    """ONNX Runtime, which from then on reports nothing to its maker; see `dentify.offline`."""
    report_nothing()
    import onnxruntime

    if hasattr(onnxruntime, "disable_telemetry_events"):  # where somebody else had imported it before
        onnxruntime.disable_telemetry_events()
    return onnxruntime


def _bound_memory(onnxruntime: Any, most: int) -> None:
    """The sessions that are opened next share an allocator that gives no more than so many bytes.

    A session keeps the allocator that it was opened with. Releases of before 1.23 take one a process, the first.
    """
    where = onnxruntime.OrtMemoryInfo("Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT)
    with suppress(RuntimeError):
        onnxruntime.create_and_register_allocator(where, onnxruntime.OrtArenaCfg(most, -1, -1, -1))


def cpu_instead() -> str:
    """Why the CPU is used where a GPU was asked for, and what to do about it."""
    if not _offers_cuda():
        return "there is no CUDA here: pip install onnxruntime-gpu; the CPU is used"
    return 'CUDA does not start without a driver, CUDA and cuDNN: pip install "onnxruntime-gpu[cuda,cudnn]"; the CPU is used'


def _offers_cuda() -> bool:
    return _CUDA in import_onnxruntime().get_available_providers()


def _open_on_cuda(model: bytes, options: Any) -> Any | None:
    """The network on a GPU; `None` where none can be used, as without a driver or memory. It says nothing of its own."""
    onnxruntime = import_onnxruntime()
    if hasattr(onnxruntime, "preload_dlls"):  # finds CUDA and cuDNN where pip has put them, and prints what is missing
        with redirect_stdout(io.StringIO()):
            onnxruntime.preload_dlls()
    onnxruntime.set_default_logger_severity(4)  # or it tells at length which library does not load
    try:
        # Its own way back to the CPU prints into the results.
        session = onnxruntime.InferenceSession(
            model, options, providers=[(_CUDA, _CUDA_OPTIONS), _CPU], enable_fallback=0, disabled_optimizers=_DISABLED
        )
    except Exception:  # as above, of no common base: any of them means the CPU
        return None
    finally:
        onnxruntime.set_default_logger_severity(2)  # as it is from the start
    return session if _CUDA in session.get_providers() else None


def usable_processors() -> int:
    """How many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # Linux: containers and taskset may leave fewer than the machine has
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _first_line(error: Exception) -> str:
    return printable(next(iter(str(error).splitlines()), type(error).__name__))
