"""How long a job has taken, all of it: from the first moments of its process on."""

import time


class Clock:
    """Tells the seconds since some moment, now unless another is given.

    Args:
        began: By `time.perf_counter`; `fakeface_bench.PROCESS_BEGAN` for all of a process.
    """

    def __init__(self, began: float | None = None) -> None:
        self._began = time.perf_counter() if began is None else began

    def seconds(self) -> float:
        """Return the seconds since it began."""
        return time.perf_counter() - self._began
