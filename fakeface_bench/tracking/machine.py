"""The load of the machine while a run is open: measured by MLflow, sent like all the rest."""

import time
from collections.abc import Callable, Mapping

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from fakeface_bench.errors import FakefaceError
from fakeface_bench.tracking.entries import Batch, Entry


class MachineMetrics(SystemMetricsMonitor):  # type: ignore[misc]  # MLflow has no types
    """Samples processor, memory, disk, network and GPUs in a thread.

    MLflow's own thread sends them itself, and ends for good when its server is away.

    Args:
        run_id: Of the run.
        send: Takes what is to be written.

    Attributes:
        failure: What the store had against a sample, after which none was taken; else empty.
    """

    def __init__(self, run_id: str, send: Callable[[Entry], None]) -> None:
        super().__init__(run_id)
        self._send = send
        self.failure = ""

    def monitor(self) -> None:
        """Sample until the run ends."""
        while not self._shutdown_event.is_set():
            for _ in range(self.samples_before_logging):
                self.collect_metrics()
                if self._shutdown_event.wait(self.sampling_interval):
                    return
            try:
                self.publish_metrics(self.aggregate_metrics())
            except FakefaceError as error:
                self.failure = str(error)
                return

    def publish_metrics(self, metrics: Mapping[str, float]) -> None:
        """Send one sample."""
        figures = {f"{self._metrics_prefix}{key}": float(v) for key, v in metrics.items()}
        now = int(time.time() * 1000)
        self._send(Batch(self._run_id, figures=figures, step=self._logging_step, at=now))
        self._logging_step += 1
        for monitor in self.monitors:
            monitor.clear_metrics()
