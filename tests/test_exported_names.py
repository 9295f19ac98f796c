"""What `import dentify` shows and what it loads."""

from __future__ import annotations

import subprocess
import sys

import dentify


def test_the_face_is_what_all_names() -> None:
    shown = {
        name for name in dir(dentify) if not name.startswith("_") and not hasattr(sys.modules.get(f"dentify.{name}"), "__file__")
    }
    assert shown - {"annotations", "TYPE_CHECKING"} == set(dentify.__all__) - {"__version__"}
    assert list(dentify.__all__) == sorted(dentify.__all__)
    for name in dentify.__all__:
        assert getattr(dentify, name) is not None


def loaded_after(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after a statement."""
    code = f"import sys; {statement}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


def test_importing_dentify_loads_nothing_heavy() -> None:
    assert not loaded_after("import dentify") & {"onnxruntime", "torch", "onnx", "numpy", "cv2", "PIL", "pydantic"}


def test_onnxruntime_waits_for_a_bundle_and_torch_for_training() -> None:
    assert not loaded_after("from dentify import load, Assessor, Bundle") & {
        "onnxruntime",
        "torch",
        "onnx",
        "typer",
        "matplotlib",
    }


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(dentify, "asess")
