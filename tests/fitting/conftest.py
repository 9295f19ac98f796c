"""What the tests of fitting need."""

from __future__ import annotations

import pytest

pytest.importorskip("scipy", reason="needs the extra fit")

from dentify import Bundle
from dentify.fitting import Fitted, fit_bundle
from dentify.testing import tiny_bundle
from painted_cars import everything


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.open(tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny"))


@pytest.fixture(scope="session")
def fitted(tiny: Bundle) -> Fitted:
    return fit_bundle(tiny, everything(), seed=0)
