"""One suite: a study each of several networks, in processes of their own, and their comparison."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fakeface_bench import __version__
from fakeface_bench.architectures.catalogue import architecture_named
from fakeface_bench.compare import ComparisonOutcome, of_one_dataset, record_comparison
from fakeface_bench.config import CompareConfig, StudyConfig, SuiteConfig
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.errors import INTERRUPTED, StudyError
from fakeface_bench.preparation import prepare_dataset
from fakeface_bench.progress import Progress
from fakeface_bench.records import LeftOut
from fakeface_bench.request import check_suite, suite_studies
from fakeface_bench.tracking.runs import TrackedRun, tracked_run
from fakeface_bench.tracking.store import open_store
from fakeface_bench.tracking.studies import (
    FINISHED,
    StudyRun,
    adopt_study,
    environment_of,
    find_studies,
    open_study_run,
    settle_study_run,
    study_named,
)

#: What may differ between a study that is asked for and one that is as good: the dataset and its
#: limit are compared by digest, more trials and seeds are welcome, the rest moves no figure.
_MAY_DIFFER = (
    *("model", "data", "limit", "trials", "seeds", "study"),
    *("cache_gb", "storage", "timeout_minutes", "dollars_per_hour"),
)
#: Seconds that a study has to write down where it stopped.
_GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class SuiteOutcome:
    """What a suite leaves: the comparison, and which studies failed; empty where none did."""

    comparison: ComparisonOutcome
    failure: str


def run_suite(config: SuiteConfig, progress: Progress) -> SuiteOutcome:
    """Run what is missing of a suite's studies, then compare them all in one MLflow run.

    Raises:
        StudyError: If every study failed.
        FakefaceError: For whatever a user can mend; the MLflow run is then FAILED and says why.
    """
    check_suite(config)
    open_store()
    with tracked_run("comparison", "suite") as run:
        run.log_params(config.as_params())
        shared = config.study
        dataset = prepare_dataset(shared.data, shared.seed, progress)
        index = dataset.index(shared.limit, progress)
        results = []
        studies = suite_studies(config)
        for number, study in enumerate(studies, start=1):
            progress.say(f"study {number} of {len(studies)}: {study.model}")
            results.append(_finished_before(run, study, index, progress) or _run_study(run, study))
        finished = [result for result in results if isinstance(result, StudyRun)]
        failed = tuple(result for result in results if isinstance(result, LeftOut))
        failure = _failure(failed, len(studies))
        if not finished:
            raise StudyError(failure)
        chosen = of_one_dataset(finished, failed)
        compare = CompareConfig(output=config.output, dollars_per_hour=shared.dollars_per_hour)
        outcome = record_comparison(run, chosen, compare, progress)
        if failure:
            run.fail(failure)
    return SuiteOutcome(outcome, failure)


def _finished_before(
    run: TrackedRun, study: StudyConfig, index: ImageIndex, progress: Progress
) -> StudyRun | None:
    """Return the newest finished study that answers the same request; None where there is none."""
    model = architecture_named(study.model).key
    digests = (index.digest, index.split_digest("test"))
    for earlier in find_studies(run.experiment_id):
        same_data = (earlier.digest, earlier.test_digest) == digests
        if earlier.status == FINISHED and earlier.model == model and same_data:
            if _answers(study, earlier.params):
                adopt_study(run, earlier.run_id)
                progress.say(f"{study.model} was finished before, in run {earlier.run_id}")
                return earlier
    return None


def _answers(study: StudyConfig, params: Mapping[str, str]) -> bool:
    """Whether a study with these params holds all that is asked for, run by this version."""
    asked = {key: value for key, value in study.as_params().items() if key not in _MAY_DIFFER}
    enough = all(float(params.get(key, 0)) >= getattr(study, key) for key in ("trials", "seeds"))
    same = all(params.get(key) == str(value) for key, value in asked.items())
    return enough and same and params.get("version_fakeface_bench") == __version__


def _run_study(run: TrackedRun, study: StudyConfig) -> StudyRun | LeftOut:
    """Run a study in a process of its own; one that fails leaves its reason."""
    options = [
        word
        for key, value in study.as_params().items()
        for word in (f"--{key.replace('_', '-')}", str(value))
    ]
    run_id = open_study_run(run, study.model)
    code = _wait_for([sys.executable, "-m", "fakeface_bench", "run", *options], run_id, run)
    if code == 0:
        return study_named(run_id)
    reason = settle_study_run(run_id, f"its process ended with code {code}.")
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return LeftOut(study.model, run_id, f"it failed: {reason}")


def _wait_for(command: Sequence[str], run_id: str, run: TrackedRun) -> int:
    """Run a command to its end; it does not outlive this process's own interruption."""
    environment = os.environ | environment_of(run_id, run.experiment_id)
    process = subprocess.Popen(command, env=environment)
    try:
        return process.wait()
    except BaseException:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        raise


def _failure(failed: Sequence[LeftOut], studies: int) -> str:
    """Say which studies failed and why; empty where none did."""
    if not failed:
        return ""
    told = " ".join(f"{study.name}: {study.reason}" for study in failed)
    some = len(failed) < studies
    rest = " The others are compared; the same command runs only what is missing." if some else ""
    return f"{len(failed)} of {studies} studies failed. {told}{rest}"
