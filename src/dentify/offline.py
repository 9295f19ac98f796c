"""What keeps libraries from reporting to their makers.

ONNX Runtime's wheels do so unless told otherwise before they are imported: some seconds after that they look up their maker's
server, and keep a queue of facts on the machine in the user's cache. What is set here holds for processes that are started later,
too. Source: `Privacy.md` in the wheel of ONNX Runtime 1.32.
"""

from __future__ import annotations

import os

_SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, which timm brings
    "DO_NOT_TRACK": "1",  # what others have agreed on
}


def report_nothing() -> None:
    """Turns off what libraries would report, in this process and in those that it starts. Call it before they are imported."""
    os.environ.update(_SWITCHES)
