"""The public functions: each asks for what a command does, and returns what one can go on with.

They leave the process as it was (`api.guest`). TensorFlow and MLflow take seconds to import, so
each imports what it calls.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fakeface_bench.api.callbacks import Callback, as_listener
from fakeface_bench.api.detector import classifier_named, load_detector
from fakeface_bench.api.guest import as_guest
from fakeface_bench.api.requests import asked_of, with_options
from fakeface_bench.config import (
    AuditConfig,
    CompareConfig,
    EvaluateConfig,
    ExplainConfig,
    GeneraliseConfig,
    PublishConfig,
    RegisterConfig,
    RobustnessConfig,
    StudyConfig,
    SuiteConfig,
    VerifyConfig,
)
from fakeface_bench.support.errors import ListenerError, StudyError, UnsentError
from fakeface_bench.support.machine import Clock
from fakeface_bench.support.progress import Progress

if TYPE_CHECKING:
    import pandas as pd

    from fakeface_bench.api.results import (
        Audit,
        Comparison,
        Evaluation,
        Matrix,
        Robustness,
        Study,
        Verification,
    )
    from fakeface_bench.jobs import JobOutcome
    from fakeface_bench.records.registration import Registration
    from fakeface_bench.resolve import Checked
    from fakeface_bench.search.trial import TrialListener
    from fakeface_bench.study.find_or_run import FinishedStudy
    from fakeface_bench.study.run import StudyOutcome


Result = TypeVar("Result")


def find_or_run(
    asked: "Checked[StudyConfig]",
    progress: Progress,
    clock: Clock,
    listeners: Sequence["TrialListener"] = (),
) -> "FinishedStudy | StudyOutcome":
    """Return a study that was finished before, or run it.

    Args:
        clock: Of all time that the study is charged.
        listeners: Who hears of its trials, beside MLflow.
    """
    with clock.timing("imports"):
        from fakeface_bench.study.find_or_run import find_finished

    finished, dataset = find_finished(asked, progress, clock)
    if finished:
        return finished
    with clock.timing("imports"):
        from fakeface_bench.support.machine import start_tensorflow

        start_tensorflow(asked.request.workers.trial_cores)
        from fakeface_bench.study.run import run_study

    return run_study(asked, progress, clock, dataset, listeners)


@with_options(StudyConfig, model=Any, data=Any)
def run_study(
    *, callbacks: Sequence[Callback] = (), progress: bool | Progress = True, **options: Any
) -> "Study":
    """Search one network's options on one dataset, and record the study in MLflow.

    The study is looked up first: one that is finished is returned, and with more trials topped up.
    In an active MLflow run it becomes that run's child.

    Args:
        callbacks: Hear of trials and epochs as they run, and may stop them.
        progress: Show how far it is; False for silence, where warnings are Python's; or an object
            with `stage`, `say` and `warn`.
        **options:

    Returns:
        The finished study.

    Raises:
        UsageError: If an option cannot have its value.
        DataError: If the dataset cannot be read as one of real and fake faces.
        StudyError: If the study cannot go on.

    Example:
        >>> study = run_study(model="residual", data="synthetic", trials=2)  # doctest: +SKIP
        >>> study.metrics.loc["roc_auc", "test"]  # doctest: +SKIP
    """
    clock = Clock()
    with as_guest(progress) as shown:
        asked = asked_of(StudyConfig, _with_data(options, "model", "data"))
        heard = [as_listener(each) for each in callbacks]
        try:
            found = find_or_run(asked, shown, clock, heard)
        except ListenerError as broken:
            raise broken.error from None
        if found.unsent:
            raise UnsentError(found.unsent)
        return load_study(found.run_id)


def load_study(run_id: str) -> "Study":
    """Return a finished study by the id of its MLflow run.

    Raises:
        UsageError: If MLflow knows no such run, or it is no finished study.

    Example:
        >>> load_study("0123456789abcdef0123456789abcdef").trials  # doctest: +SKIP
    """
    from fakeface_bench.api.results import Study
    from fakeface_bench.tracking.store import open_store
    from fakeface_bench.tracking.studies import study_named

    with as_guest():
        open_store()
        return Study.read(study_named(run_id))


def _with_data(given: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return options with tables of pictures and networks in memory as files.

    Several within several are a mixture, as names that are joined by '+'.
    """
    from fakeface_bench.api.inputs import data_of, model_of

    for name in names:
        if name not in given:
            continue
        of = model_of if name in ("model", "models") else data_of
        if not isinstance(given[name], (list, tuple)):
            given[name] = of(given[name])
            continue
        given[name] = [
            "+".join(map(of, each)) if isinstance(each, (list, tuple)) else of(each)
            for each in given[name]
        ]
    return given


@with_options(SuiteConfig, models=Any, data=Any)
def run_suite(*, progress: bool | Progress = True, **options: Any) -> "Comparison":
    """Study several networks on one dataset, each in a process of its own, and compare them.

    Args:
        progress: As in `run_study`.
        **options:

    Returns:
        Their comparison.

    Raises:
        StudyError: If studies failed; those that did not are kept, and found by the next call.

    Example:
        >>> run_suite(models=["residual", "mobilenetv3_small"]).leaderboard  # doctest: +SKIP
    """
    with as_guest(progress) as shown:
        asked = asked_of(SuiteConfig, _with_data(options, "models", "data"))
        from fakeface_bench.api.results import Comparison
        from fakeface_bench.jobs.compare import run_suite as run

        return Comparison(_whole(run(asked, shown)))


@with_options(CompareConfig)
def compare(*, progress: bool | Progress = True, **options: Any) -> "Comparison":
    """Compare the newest finished study of each network on one dataset.

    Args:
        progress: As in `run_study`.
        **options:

    Returns:
        The comparison.

    Raises:
        UsageError: If there are no studies to compare, or they are of different test images.

    Example:
        >>> compare(runs=[first.run_id, second.run_id]).steps  # doctest: +SKIP
    """
    with as_guest(progress) as shown:
        asked = asked_of(CompareConfig, options)
        from fakeface_bench.api.results import Comparison
        from fakeface_bench.jobs.compare import run_comparison

        return Comparison(run_comparison(asked, shown))


@with_options(GeneraliseConfig, models=Any, train=Any, test=Any)
def generalise(*, progress: bool | Progress = True, **options: Any) -> "Matrix":
    """Fill a matrix: a study of each training set, scored on each test set.

    Of `train=[a, b, [a, b]]` the last is a mixture of the first two.

    Args:
        progress: As in `run_study`.
        **options:

    Returns:
        The matrix.

    Raises:
        StudyError: If studies failed; those that did not are kept, and found by the next call.

    Example:
        >>> generalise(train="faces", hold_out="generator").unseen  # doctest: +SKIP
    """
    with as_guest(progress) as shown:
        asked = asked_of(GeneraliseConfig, _with_data(options, "models", "train", "test"))
        from fakeface_bench.support.machine import start_tensorflow

        start_tensorflow()
        from fakeface_bench.api.results import Matrix
        from fakeface_bench.jobs.transfer import run_generalisation

        return Matrix(_whole(run_generalisation(asked, shown)))


@with_options(EvaluateConfig, data=Any)
def evaluate(*, progress: bool | Progress = True, **options: Any) -> "Evaluation":
    """Score a finished model on datasets that nothing of it was selected on.

    Args:
        progress: As in `run_study`.
        **options:

    Returns:
        Its metrics on each of them.

    Raises:
        UsageError: If there is no such model or dataset.

    Example:
        >>> evaluate(model=study.run_id, data="other/faces").table  # doctest: +SKIP
    """
    with as_guest(progress) as shown:
        asked = asked_of(EvaluateConfig, _with_data(options, "data"))
        from fakeface_bench.support.machine import start_tensorflow

        start_tensorflow()
        from fakeface_bench.api.results import Evaluation
        from fakeface_bench.jobs.evaluate import run_evaluation

        return Evaluation(run_evaluation(asked, shown))


@with_options(RobustnessConfig, data=Any)
def robustness(*, progress: bool | Progress = True, **options: Any) -> "Robustness":
    """Score trained models on test pictures that are compressed, scaled, blurred and the like.

    Args:
        progress: As in `run_study`.
        **options:

    Returns:
        ROC AUC and accuracy of every severity, and their means.

    Raises:
        UsageError: If there is no such model or dataset.

    Example:
        >>> robustness(models=study.run_id).table  # doctest: +SKIP
    """
    with as_guest(progress) as shown:
        asked = asked_of(RobustnessConfig, _with_data(options, "data"))
        from fakeface_bench.support.machine import start_tensorflow

        start_tensorflow()
        from fakeface_bench.api.results import Robustness
        from fakeface_bench.jobs.robustness import run_robustness

        return Robustness(run_robustness(asked, shown))


@with_options(AuditConfig, data=Any)
def audit(*, progress: bool | Progress = True, **options: Any) -> "Audit":
    """Look for what would make results on a dataset worthless.

    Args:
        progress: As in `run_study`.
        **options:

    Returns:
        What was found.

    Raises:
        DataError: If the dataset cannot be read as one of real and fake faces.

    Example:
        >>> audit(data="path/to/faces").findings  # doctest: +SKIP
    """
    with as_guest(progress) as shown:
        asked = asked_of(AuditConfig, _with_data(options, "data"))
        from fakeface_bench.api.results import Audit
        from fakeface_bench.jobs.audit import run_audit

        return Audit(run_audit(asked, shown))


@with_options(PublishConfig, folder=Any)
def publish(*, progress: bool | Progress = True, **options: Any) -> Path:
    """Publish a finished study or comparison as a folder that others can check.

    It holds metrics, the score of each image by its digest, costs, options, versions and a page; no
    picture, path or password.

    Args:
        progress: As in `run_study`.
        **options:

    Returns:
        The folder; where the one asked for holds files already, another beside it.

    Raises:
        UsageError: If MLflow knows no such run, or no longer holds what is published of it.

    Example:
        >>> publish(run=study.run_id, folder="published")  # doctest: +SKIP
    """
    with as_guest(progress) as shown:
        asked = asked_of(PublishConfig, options)
        from fakeface_bench.jobs.publish import publish as publish_run

        return publish_run(asked, shown)


@with_options(VerifyConfig, folder=Any, data=Any, model=Any)
def verify(*, progress: bool | Progress = True, **options: Any) -> "Verification":
    """Check a published folder: does everything in it follow from its scores?

    With `data`, also whether that is the same dataset and, if the model was published, whether it
    gives the same scores; with `retrain`, whether the study comes out so once more.

    Args:
        progress: As in `run_study`.
        **options:

    Returns:
        Every check, and whether all passed.

    Raises:
        UsageError: If there is no such folder.

    Example:
        >>> verify(folder="published").passed  # doctest: +SKIP
    """
    with as_guest(progress) as shown:
        asked = asked_of(VerifyConfig, _with_data(options, "data", "model"))
        from fakeface_bench.api.results import Verification
        from fakeface_bench.jobs.verify import verify as verify_folder

        return Verification(verify_folder(asked, shown))


@with_options(RegisterConfig)
def register(*, progress: bool | Progress = True, **options: Any) -> "Registration":
    """Register the model of a finished study; the champion if it passes the gate.

    Args:
        progress: As in `run_study`.
        **options:

    Returns:
        What became of it: `address`, `passed`, `is_champion`, `lines`.

    Raises:
        ModelError: If the model, loaded again, does not give the scores that its study logged.

    Example:
        >>> register(run=study.run_id, name="fakeface").address  # doctest: +SKIP
    """
    with as_guest(progress) as shown:
        asked = asked_of(RegisterConfig, options)
        from fakeface_bench.study.register import run_registration

        return run_registration(asked, shown)


def predict(model: str, pictures: Any, *, allow_unsafe_model: bool = False) -> "pd.DataFrame":
    """Say of each picture whether a trained model takes it for real or fake.

    Args:
        model: As in `load_detector`, which saves loading it again.
        pictures: As in `Detector.predict`.
        allow_unsafe_model: As in `load_detector`.

    Returns:
        A row a picture, as `Detector.predict` returns them.

    Example:
        >>> predict("models:/fakeface@champion", "photos/*.jpg")  # doctest: +SKIP
    """
    return load_detector(model, allow_unsafe_model=allow_unsafe_model).predict(pictures)


@with_options(ExplainConfig)
def explain(*, progress: bool | Progress = True, **options: Any) -> "pd.DataFrame":
    """Draw pictures beside what in them spoke to a model for real or for fake.

    Args:
        progress: As in `run_study`.
        **options:

    Returns:
        `evidence.csv` of the output folder, a row a file; where that holds files already, of one
        that is made beside it.

    Raises:
        UsageError: If there is no such model, or a pattern finds nothing.

    Example:
        >>> explain(model=study.run_id, paths=["a.jpg"], output="evidence")  # doctest: +SKIP
    """
    with as_guest(progress) as shown:
        folder, _ = draw_evidence(asked_of(ExplainConfig, options), shown)
        import pandas as pd

        from fakeface_bench.jobs.predict import TABLE

        return pd.read_csv(folder / TABLE)


def draw_evidence(asked: "Checked[ExplainConfig]", progress: Progress) -> tuple[Path, int]:
    """Explain files; return the folder of the pictures, and how many files could not be read."""
    from fakeface_bench.data.listing import named_files

    config = asked.request
    files = named_files(config.paths)
    classifier = classifier_named(config.model, config.allow_unsafe_model)
    from fakeface_bench.jobs.predict import explain_files

    target = Path(config.output).expanduser()
    return explain_files(classifier, config.model, files, target, progress)


def load_index(
    data: Any = "synthetic",
    *,
    seed: int = 0,
    limit: int = 0,
    leave_out: str | Sequence[str] = (),
    classes: str = "",
    progress: bool | Progress = True,
) -> "pd.DataFrame":
    """Return the images that studies of a dataset use: audited, without copies, split.

    Args:
        data: As in `run_study`.
        seed: Of the split, where the dataset has none of its own.
        limit: At most this many per split and class; 0 for all.
        leave_out: As in `run_study`.
        classes: As in `run_study`.
        progress: As in `run_study`.

    Returns:
        A row an image: `path` below its source's folder, `file`, `label` (1 for fake), `split`,
        `source`, `tier`, `generator`, `released`, `digest` (SHA-256) and what of the image tells
        copies and twins.

    Raises:
        DataError: If the dataset cannot be read as one of real and fake faces.

    Example:
        >>> load_index("path/to/faces").groupby(["split", "label"]).size()  # doctest: +SKIP
    """
    from fakeface_bench.api.inputs import data_of

    with as_guest(progress) as shown:
        given = {"seed": seed, "limit": limit, "leave_out": leave_out, "classes": classes}
        asked = asked_of(StudyConfig, {"data": data_of(data), **given}).request
        from fakeface_bench.config import listed
        from fakeface_bench.study.preparation import prepare_dataset

        dataset = prepare_dataset(asked.data, asked.seed, shown, asked.classes)
        index = dataset.index(asked.limit, shown, listed(asked.leave_out))
        return index.frame.assign(file=[str(file) for file in index.files(index.frame)])


def _whole(outcome: "JobOutcome[Result]") -> "JobOutcome[Result]":
    """Return the outcome of a job, unless some of its studies failed."""
    if outcome.failure:
        raise StudyError(outcome.failure)
    return outcome


def architectures() -> "pd.DataFrame":
    """Return the networks there are, by name: parameters, million multiply-accumulates, side.

    Example:
        >>> int(architectures().loc["mobilenetv3_small", "image_size_px"])
        224
    """
    import pandas as pd

    from fakeface_bench.backbones.catalogue import ARCHITECTURES

    rows = {
        row.key: {
            "aliases": ", ".join(row.aliases),
            "parameters": row.parameters,
            "mmacs": row.mmacs,
            "image_size_px": row.image_size,
            "pretrained": row.pretrained,
            "licence": row.licence,
        }
        for row in ARCHITECTURES
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def datasets() -> "pd.DataFrame":
    """Return the datasets that are known by name: images, kind of fakes, licence, page.

    Example:
        >>> "140k" in datasets().index
        True
    """
    import pandas as pd

    from fakeface_bench.data.catalogue import DATASETS

    facts = ("title", "images", "kind", "licence", "url", "citation", "unchecked")
    rows = {row.key: {name: getattr(row, name) for name in facts} for row in DATASETS}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("data")


def metrics() -> "pd.DataFrame":
    """Return the metrics that studies tell, by key.

    Example:
        >>> metrics().loc["roc_auc", "title"]
        'area under the ROC curve'
    """
    import pandas as pd

    from fakeface_bench.evaluation.metrics import METRICS

    rows = {key: {"title": metric.title} for key, metric in METRICS.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric")
