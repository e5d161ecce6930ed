"""A logged model loaded as anybody would load it: in a new process, by MLflow alone."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import mlflow

from fakeface_bench.errors import DataError, ModelError, shortened
from fakeface_bench.folders import draft_folder
from fakeface_bench.processes import RUN_VARIABLE

#: It names nothing of this package, so what runs is the code that the model brings.
_PROGRAM = """
import json, pathlib, sys
import mlflow, pandas as pd
address, asked, answer = sys.argv[1:]
pictures = [pathlib.Path(name) for name in json.loads(pathlib.Path(asked).read_text())]
model = mlflow.pyfunc.load_model(address, model_config={"allow_paths": True})
rows = model.predict(pd.DataFrame({"image": pictures}))
said = rows[["probability_fake", "error"]].values.tolist()
pathlib.Path(answer).write_text(json.dumps(said))
"""
#: Of this process's variables, what would lead the new one to code or a run of this one.
_NOT_PASSED_ON = ("PYTHONPATH", RUN_VARIABLE)
_LONGEST_SECONDS = 900


def reloaded_scores(address: str, files: Sequence[Path]) -> list[float]:
    """Return the probability of fake of image files from a model that a new process loads.

    Args:
        address: Of the model, as MLflow takes it.
        files: At most as many as one call of a model takes.

    Returns:
        One a file.

    Raises:
        DataError: If a file cannot be read; names the first.
        ModelError: If it cannot be loaded, or does not answer.
    """
    variables = {k: v for k, v in os.environ.items() if k not in _NOT_PASSED_ON}
    variables |= {
        "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
        "MLFLOW_REGISTRY_URI": mlflow.get_registry_uri(),
    }
    with draft_folder() as folder:
        asked, answer = folder / "files.json", folder / "scores.json"
        asked.write_text(json.dumps([str(file.absolute()) for file in files]), encoding="utf-8")
        # -P: this folder may hold the package, and what runs is to be the model's own copy of it.
        command = [sys.executable, "-P", "-c", _PROGRAM, address, str(asked), str(answer)]
        try:
            process = subprocess.run(
                command,
                env=variables,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_LONGEST_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ModelError(f"it did not answer within {_LONGEST_SECONDS} s") from error
        if process.returncode:
            said = process.stderr.strip().splitlines() or [f"exit code {process.returncode}"]
            raise ModelError(shortened(said[-1]))
        rows = json.loads(answer.read_text(encoding="utf-8"))
    for file, (score, reason) in zip(files, rows, strict=True):
        if score is None:
            raise DataError(f"{file}: {reason}")
    return [float(score) for score, _ in rows]
