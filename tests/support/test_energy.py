"""Energy is measured where CodeCarbon is installed, and its absence is told, not hidden."""

import time

import pytest

from fakeface_bench.support import machine
from fakeface_bench.support.machine import energy_meter


def test_the_energy_of_seconds_is_small_and_not_nothing() -> None:
    with energy_meter() as meter:
        time.sleep(3)  # of which it takes one to begin
        kwh, obstacle = meter.read()
    assert obstacle == ""
    assert 0 < kwh < 0.01


def test_without_codecarbon_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "find_spec", lambda name: None)
    with energy_meter() as meter:
        assert meter.read() == (0.0, machine.NOT_INSTALLED)
