"""Curves over an axis of whole numbers, as metrics with steps."""

from collections.abc import Mapping

import mlflow

from fakeface_bench.tracking.runs import TrackedRun, log_step


def log_curves(run: TrackedRun, curves: Mapping[int, Mapping[str, float]]) -> None:
    """Log the metrics of each step, one request a step; MLflow's charts draw them as curves.

    Args:
        run: An open run.
        curves: By step, which may be negative, the metrics by name.
    """
    client = mlflow.MlflowClient()
    for step, figures in sorted(curves.items()):
        log_step(client, run.run_id, figures, step)
