"""The life of a job's run: opened or adopted, the machine's load while it is open, and its end."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from fakeface_bench.support.errors import DiskError, FakefaceError, OutageError, UnsentError
from fakeface_bench.support.processes import RUN_VARIABLE, as_interruption, this_process
from fakeface_bench.tracking import names
from fakeface_bench.tracking.entries import Batch, End, Entry
from fakeface_bench.tracking.failures import failure_of_store
from fakeface_bench.tracking.outbox import few_retries
from fakeface_bench.tracking.runs import TrackedRun, close_run, log_tags
from fakeface_bench.tracking.succession import Succession


class MachineMetrics(SystemMetricsMonitor):  # type: ignore[misc]  # MLflow has no types
    """Samples processor, memory, disk, network and GPUs in a thread.

    MLflow's own thread sends them itself, and ends for good when its server is away.

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


#: How long a finished job waits for a server that is away.
PATIENCE_SECONDS = 60.0
#: MLflow knows them too, by thread.
_OPEN_RUNS: list[str] = []


@contextmanager
def tracked_run(kind: str, name: str, params: Mapping[str, Any]) -> Iterator[TrackedRun]:
    """Adopt the run that `mlflow run` opened, or open one; it ends as the block does.

    A block that raises leaves the run FAILED, an interrupted one KILLED, with the reason as a tag.
    One that ends well takes the place of runs of the same request that were cut off.
    """
    request = hashlib.sha256(json.dumps([kind, dict(params)], default=str).encode()).hexdigest()
    run = _open(kind, name, request)
    machine = MachineMetrics(run.run_id, run.outbox.send)
    machine.start()
    try:
        with as_interruption():
            run.log_params(params)
            yield run
    except KeyboardInterrupt:
        _cut_short(run, machine, "KILLED", "interrupted")
        raise
    except MlflowException as error:
        failure = failure_of_store(error)
        _cut_short(run, machine, "FAILED", str(failure))
        raise failure from error
    except BaseException as error:
        _cut_short(run, machine, "FAILED", str(error) or type(error).__name__)
        raise
    _stop_watching(machine)
    if run.status == "FINISHED":
        run.outbox.send(Succession(run.run_id, run.experiment_id, kind, request, run.study))
    _end(run, PATIENCE_SECONDS)


def _open(kind: str, name: str, request: str) -> TrackedRun:
    process = json.dumps(this_process())
    tags = {names.KIND: kind, names.PROCESS: process, names.REQUEST: request}
    try:
        outer = mlflow.active_run()  # of the caller, whose child this run is
        experiment = outer.info.experiment_id if outer else None
        active = mlflow.start_run(
            run_name=name, tags=tags, nested=outer is not None, experiment_id=experiment
        )
        _OPEN_RUNS.append(active.info.run_id)
        return TrackedRun(active.info.run_id, active.info.experiment_id, active.data.params)
    except MlflowException as error:
        raise failure_of_store(error) from error


def _cut_short(run: TrackedRun, machine: MachineMetrics, status: str, reason: str) -> None:
    """End a run that did not end well; what the store has against it is not the reason."""
    _stop_watching(machine, reason)
    run.status = status
    try:
        run.tag({names.FAILURE: reason})
        _end(run, 0.0)
    except (OutageError, DiskError) as error:
        _let_go(run)
        if str(error) != reason:  # else the user reads it anyway
            log = logging.getLogger(__name__)
            log.warning("The MLflow run is not marked %s: %s", status, error)


def _stop_watching(machine: MachineMetrics, reported: str = "") -> None:
    """Stop sampling; log why it had stopped before, unless the user reads that anyway."""
    machine.finish()
    if machine.failure not in ("", reported):
        log = logging.getLogger(__name__)
        log.warning("The machine was watched no longer: %s", machine.failure)


def _end(run: TrackedRun, patience_seconds: float) -> None:
    run.outbox.send(End(run.run_id, run.status, int(time.time() * 1000)))
    unsent = run.outbox.settle(patience_seconds)
    _let_go(run)
    if unsent:
        raise UnsentError(f"the job is done, but {unsent}")


def _let_go(run: TrackedRun) -> None:
    """Let MLflow end a run now, once; else it does with the process, as FINISHED."""
    if run.run_id not in _OPEN_RUNS:
        return
    _OPEN_RUNS.remove(run.run_id)
    try:
        with few_retries("0"):
            mlflow.end_run(run.status)
    except MlflowException as error:
        logging.getLogger(__name__).debug("MLflow was told the end before, or will be: %s", error)


def kill_open_run() -> None:
    """Mark the open run KILLED from beside a step that does not hear of an interruption."""
    for run_id in _OPEN_RUNS:
        with few_retries("0"):
            close_run(run_id, "KILLED", "interrupted")


def point_adopted_run(to: str) -> None:
    """End the run that `mlflow run` opened for this process, if there is one, as a mere pointer.

    It is FINISHED, says which run holds the results, and hangs under that one. It is not deleted:
    `mlflow run` ends by marking it, and fails if it is gone.
    """
    run_id = os.environ.get(RUN_VARIABLE)
    if not run_id:
        return
    client = mlflow.MlflowClient()
    tags = {
        names.KIND: "pointer",
        names.RUN_NAME: "asked again, nothing run",
        names.PARENT: to,
        names.SUPERSEDED_BY: to,
        names.NOTE: f"Nothing was run: the same study was finished before, by run {to}.",
    }
    try:
        log_tags(client, run_id, tags)
        client.set_terminated(run_id, "FINISHED")
    except MlflowException as error:
        raise failure_of_store(error) from error


def fail_adopted_run(reason: str) -> None:
    """Mark the run that `mlflow run` opened for this process FAILED, if there is one."""
    run_id = os.environ.get(RUN_VARIABLE)
    if run_id:
        close_run(run_id, "FAILED", reason)
