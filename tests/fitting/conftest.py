"""What the tests of fitting need."""

from __future__ import annotations

import pytest

pytest.importorskip("scipy", reason="needs the extra fit")
