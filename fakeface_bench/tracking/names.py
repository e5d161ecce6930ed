"""The names under which the project finds its runs again."""

import re

from fakeface_bench.support.text import elided

PREFIX = "fakeface"
KIND = f"{PREFIX}.kind"
MODEL = f"{PREFIX}.model"
DATASET = f"{PREFIX}.dataset"
DATASET_DIGEST = f"{PREFIX}.dataset_digest"
TEST_DIGEST = f"{PREFIX}.test_digest"
WEIGHTS = f"{PREFIX}.weights"
WEIGHTS_WARNING = f"{PREFIX}.weights_warning"
FINE_TUNE = f"{PREFIX}.fine_tune"
STUDY = f"{PREFIX}.study"
#: Of a study's run that holds all results, and of one whose place another has taken.
CONCLUDED = f"{PREFIX}.concluded"
SUPERSEDED_BY = f"{PREFIX}.superseded_by"
#: Of any run: the process that writes it, and a digest of what was asked of it.
PROCESS = f"{PREFIX}.process"
REQUEST = f"{PREFIX}.request"
STATE = f"{PREFIX}.state"
TRIAL = f"{PREFIX}.trial"
#: Of a trial of a further seed's search; those of the first have none.
SEED = f"{PREFIX}.seed"
TRIAL_ID = f"{PREFIX}.trial_id"
COMPARED = f"{PREFIX}.compared"
BEST = f"{PREFIX}.best_run"
RECOMMENDED = f"{PREFIX}.recommended_run"
REGISTERED = f"{PREFIX}.registered"
GATE = f"{PREFIX}.gate"
FORCED = f"{PREFIX}.forced"
#: Of an evaluation: the study whose model it is of, and what it found, a line a dataset.
EVALUATED = f"{PREFIX}.evaluated_run"
ELSEWHERE = f"{PREFIX}.elsewhere"
#: Of an equalised study: the same on untouched pictures.
UNTOUCHED_RUN = f"{PREFIX}.untouched_run"
FAILURE = f"{PREFIX}.failure"

PARENT = "mlflow.parentRunId"
RUN_NAME = "mlflow.runName"
NOTE = "mlflow.note.content"

#: MLflow's UI shows the first 20 characters of a run's name: kind, dataset, and a little more.
_LONGEST_DATASET = 11


def run_name(kind: str, dataset: str, rest: str) -> str:
    """Return the name of a run: `study 140k: mobilenetv3_small, limit 150`."""
    return f"{kind} {elided(dataset, _LONGEST_DATASET)}: {rest}"


_NOT_IN_METRICS = re.compile(r"[^\w. /-]+")


def metric_part(name: str) -> str:
    """Return a name as every store takes it in the name of a metric: `a+b` as `a_b`."""
    return _NOT_IN_METRICS.sub("_", name)
