"""An estimate of the electricity a process uses, where CodeCarbon is installed."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

#: CodeCarbon asks for a country to turn energy into CO₂, which nobody here reads.
_ANY_COUNTRY = "FRA"
_SECONDS_BETWEEN_SAMPLES = 5
NOT_INSTALLED = "CodeCarbon is not installed: pip install 'fakeface_bench[energy]'"


class EnergyMeter:
    """Reads, once, the energy of the whole machine since it was opened.

    Args:
        tracker: CodeCarbon's, running; None where it is not installed.
    """

    def __init__(self, tracker: Any) -> None:
        self._tracker = tracker

    def read(self) -> tuple[float, str]:
        """End the measurement; return its kilowatt-hours, or 0 and why there is no figure."""
        if self._tracker is None:
            return 0.0, NOT_INSTALLED
        if self._tracker.stop() is None:
            return 0.0, "CodeCarbon's measurement failed; it gives no reason"
        return float(self._tracker.final_emissions_data.energy_consumed), ""


@contextmanager
def energy_meter() -> Iterator[EnergyMeter]:
    """Measure while the block runs, or until it is read.

    CodeCarbon reads the counters of CPU, memory and GPU where the system has them, and else
    estimates from the CPU's rated power and its load; without asking the network.
    """
    if find_spec("codecarbon") is None:
        yield EnergyMeter(None)
        return
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    tracker = OfflineEmissionsTracker(
        country_iso_code=_ANY_COUNTRY,
        measure_power_secs=_SECONDS_BETWEEN_SAMPLES,
        output_methods=[],
        log_level="critical",
        allow_multiple_runs=True,
    )
    tracker.start()
    try:
        yield EnergyMeter(tracker)
    finally:
        tracker.stop()
