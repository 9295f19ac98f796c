"""How long a run takes, in words."""

from __future__ import annotations

from dentify.planning import told_time


def test_times_are_told_in_the_unit_that_fits() -> None:
    assert [told_time(seconds) for seconds in (10, 90, 5300, 7200)] == ["1 minute", "2 minutes", "88 minutes", "2.0 hours"]
