"""Every command: it parses, calls the library, and leaves errors to `__main__`."""

from pathlib import Path
from shutil import get_terminal_size

import click

from fakeface_bench import PROCESS_BEGAN
from fakeface_bench.cli.options import (
    allow_unsafe_flag,
    allow_unsafe_option,
    classes_option,
    matrix_options,
    study_options,
)
from fakeface_bench.config import (
    HOLD_OUTS,
    PREDICTION_FORMS,
    AuditConfig,
    CompareConfig,
    EvaluateConfig,
    GeneraliseConfig,
    PredictConfig,
    RegisterConfig,
    RobustnessConfig,
    StudyConfig,
    SuiteConfig,
)
from fakeface_bench.support.errors import SOME_UNREADABLE, StudyError, UnsentError

_RUN = StudyConfig()


@click.command(context_settings={"show_default": True})
@click.option("--model", default=_RUN.model, help="Architecture; see 'fakeface-bench list'.")
@study_options
@click.option("--study", default=_RUN.study, help="Name; empty derives it from the rest.")
@click.option(
    "--register",
    default=_RUN.register,
    help="Name to register the winner under, as its champion where it passes the gate.",
)
@click.option(
    "--again",
    type=click.BOOL,
    is_flag=False,
    flag_value=True,
    default=_RUN.again,
    help="Refit, score and record a study that is finished once more; its trials are kept.",
)
def run(**options: object) -> None:
    """Search one architecture on one dataset and record the study in MLflow.

    A study that is finished is told with its figures, and nothing is run; with more trials it is
    topped up.
    """
    # TensorFlow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.cli.tables import print_finished, print_outcome
    from fakeface_bench.resolve import check_request

    config = StudyConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    check_request(config)
    from fakeface_bench.study.find_or_run import look_back

    progress = ConsoleProgress()
    before = look_back(config, progress)
    if before.finished:
        print_finished(before.finished, progress.console)
        return
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    from fakeface_bench.study.run import run_study
    from fakeface_bench.support.machine import Clock

    outcome = run_study(config, progress, Clock(PROCESS_BEGAN), before.dataset)
    print_outcome(outcome, progress.console)
    if outcome.unsent:
        raise UnsentError(outcome.unsent)


_SUITE = SuiteConfig()


@click.command(context_settings={"show_default": True})
@click.option(
    "--models",
    default=_SUITE.models,
    help="Architectures, joined by commas; see 'fakeface-bench list'.",
)
@click.option(
    "--output",
    default=_SUITE.output,
    help="Folder to write the comparison to, besides MLflow; empty for none.",
)
@study_options
def suite(models: str, output: str, **options: object) -> None:
    """Study several networks on one dataset, each in a process of its own, and compare them.

    One that fails does not stop the others. Interrupted and started again, it skips what is
    finished. WEIGHTS may name a file for each model: mobilenetv3_small=FILE,vgg19=FILE.
    """
    # MLflow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress, print_comparison
    from fakeface_bench.resolve import check_suite

    study = StudyConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    config = SuiteConfig(models, output, study)
    check_suite(config)
    from fakeface_bench.jobs.compare import run_suite

    progress = ConsoleProgress()
    outcome = run_suite(config, progress)
    print_comparison(outcome.comparison, progress.console)
    if outcome.failure:
        raise StudyError(outcome.failure)


_COMPARE = CompareConfig()


@click.command(context_settings={"show_default": True})
@click.option(
    "--data",
    default=_COMPARE.data,
    help="Dataset as it was studied, or the first digits of its digest; empty for the newest's.",
)
@click.option(
    "--runs",
    default=_COMPARE.runs,
    help="MLflow runs of the studies to compare, joined by commas; empty chooses by dataset.",
)
@click.option(
    "--output",
    default=_COMPARE.output,
    help="Folder to write the report to, besides MLflow; empty for none.",
)
@click.option(
    "--dollars-per-hour",
    type=click.FloatRange(0),
    default=_COMPARE.dollars_per_hour,
    help="What the machine costs; 0 for what each study was told.",
)
def compare(**options: object) -> None:
    """Compare the newest finished study of each network on one dataset.

    Accuracy with intervals, cost cold and warm, which steps up in accuracy are real and what they
    cost: as one page, tables and pictures.
    """
    # MLflow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress, print_comparison
    from fakeface_bench.resolve import check_compare

    config = CompareConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    check_compare(config)
    from fakeface_bench.jobs.compare import run_comparison

    progress = ConsoleProgress()
    print_comparison(run_comparison(config, progress), progress.console)


_REGISTER = RegisterConfig()


@click.command(context_settings={"show_default": True})
@click.option(
    "--run",
    default=_REGISTER.run,
    help="MLflow run of a study; or best: the cheapest not shown to be less accurate than the "
    "most accurate.",
)
@click.option("--name", default=_REGISTER.name, help="Name of the registered model.")
@click.option(
    "--data-digest",
    default=_REGISTER.data_digest,
    help="First digits of the digest of the dataset, or its name, that best chooses in; empty for "
    "the newest study's.",
)
@click.option(
    "--force",
    type=click.BOOL,
    is_flag=False,
    flag_value=True,
    default=_REGISTER.force,
    help="Make it the champion whatever the gate says; recorded as a tag.",
)
def register(**options: object) -> None:
    """Register the model of a finished study, and make it the champion if it passes the gate.

    The gate: loaded in a new process, it gives the scores that its study logged; and on the same
    test images it is shown to be more accurate than the champion, or to be within a point of it
    and was at least a tenth cheaper.
    """
    # MLflow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress, print_registration
    from fakeface_bench.resolve import check_register

    config = RegisterConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    check_register(config)
    from fakeface_bench.study.register import run_registration

    progress = ConsoleProgress()
    print_registration(run_registration(config, progress), progress.console)


@click.command(context_settings={"show_default": True})
@click.argument("model")
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--format",
    type=click.Choice(PREDICTION_FORMS),
    default=PREDICTION_FORMS[0],
    help="Aligned columns for the eye, or rows for programs.",
)
@click.option("--output", default="", help="File to write to; empty for standard output.")
@allow_unsafe_flag
@click.pass_context
def predict(context: click.Context, /, **options: object) -> None:
    """Call each of PATHS real or fake with MODEL.

    MODEL is a registry address (models:/fakeface@champion), the id of a study's run, or a folder.
    PATHS are files, folders with JPEG, PNG or WebP files below, or quoted patterns such as
    'faces/**/*.jpg'.

    Rows go to standard output, all else to standard error. The exit code is 3 where files could
    not be read; their rows say why.
    """
    # TensorFlow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.cli.predictions import (
        RowsAsProgress,
        abandon_standard_output,
        row_writer,
        rows_stream,
    )
    from fakeface_bench.data.listing import named_files, printable
    from fakeface_bench.tracking.addresses import model_folder

    config = PredictConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    model_folder(config.model)
    files = named_files(config.paths)
    progress = ConsoleProgress()
    try:
        with rows_stream(config.output) as stream:
            from fakeface_bench.tracking.model_source import fetched_model

            with fetched_model(config.model, config.allow_unsafe_model) as folder:
                from fakeface_bench.support.machine import start_tensorflow

                start_tensorflow()
                from fakeface_bench.jobs.predict import run_prediction

                longest = max(len(printable(path)) for path in files)
                width = get_terminal_size().columns if stream.isatty() else 0
                write = row_writer(config.format, stream, longest, width)
                shown = RowsAsProgress() if stream.isatty() else progress
                counts = run_prediction(
                    folder, files, write, shown, safe=not config.allow_unsafe_model
                )
                stream.flush()
    except BrokenPipeError:  # `| head` has read enough
        if config.output:
            raise
        abandon_standard_output()
        return
    progress.say(counts.line)
    context.exit(SOME_UNREADABLE if counts.unreadable else 0)


@click.command(context_settings={"show_default": True})
@click.argument("model")
@click.argument("paths", nargs=-1, required=True)
@click.option("--output", default="explanation", help="Folder to write the pictures to.")
@allow_unsafe_flag
@click.pass_context
def explain(
    context: click.Context,
    /,
    model: str,
    paths: tuple[str, ...],
    output: str,
    allow_unsafe_model: bool,
) -> None:
    """Draw each of PATHS beside what in it spoke to MODEL for real or for fake.

    MODEL and PATHS are as in 'predict'. The folder gets a picture a file, and evidence.csv. The
    exit code is 3 where files could not be read.
    """
    # TensorFlow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.data.listing import named_files
    from fakeface_bench.resolve import check_explain
    from fakeface_bench.tracking.addresses import model_folder

    model_folder(model)
    check_explain(output)
    files = named_files(paths)
    progress = ConsoleProgress()
    from fakeface_bench.tracking.model_source import fetched_model

    with fetched_model(model, allow_unsafe_model) as folder:
        from fakeface_bench.support.machine import start_tensorflow

        start_tensorflow()
        from fakeface_bench.jobs.predict import explain_files, load_classifier

        target = Path(output).expanduser()
        classifier = load_classifier(folder, safe=not allow_unsafe_model)
        unreadable = explain_files(classifier, model, files, target, progress)
    context.exit(SOME_UNREADABLE if unreadable else 0)


_EVALUATE = EvaluateConfig()


@click.command(context_settings={"show_default": True})
@click.option(
    "--model",
    default=_EVALUATE.model,
    help="Address in the registry, MLflow run of a study, folder of an MLflow model; or best: the "
    "cheapest not shown to be less accurate than the most accurate.",
)
@click.option(
    "--data",
    default=_EVALUATE.data,
    help="Test sets by name, or folders of faces, joined by commas; one class suffices.",
)
@classes_option
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=_EVALUATE.limit,
    help="At most this many images per class of each set; 0 for all.",
)
@click.option(
    "--output",
    default=_EVALUATE.output,
    help="Folder to write the report to, besides MLflow; empty for none.",
)
@allow_unsafe_option
def evaluate(**options: object) -> None:
    """Score a finished model on datasets that nothing of it was selected on.

    Images that it saw in training, and copies of them, are left out and counted. A dataset with an
    official test split is tested on that, any other on all its images.
    """
    # TensorFlow and MLflow take seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.resolve import check_evaluate

    config = EvaluateConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    check_evaluate(config)
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    from fakeface_bench.cli.tables import print_evaluation
    from fakeface_bench.jobs.evaluate import run_evaluation

    progress = ConsoleProgress()
    print_evaluation(run_evaluation(config, progress), progress.console)


_GENERALISE = GeneraliseConfig()


@click.command(context_settings={"show_default": True})
@click.option(
    "--models",
    default=_GENERALISE.models,
    help="Architectures, joined by commas; see 'fakeface-bench list'.",
)
@click.option(
    "--train",
    default=_GENERALISE.train,
    help="Training sets, joined by commas; several that are joined by '+' are one.",
)
@click.option(
    "--test",
    default=_GENERALISE.test,
    help="Test sets, joined by commas; empty for every dataset named in TRAIN.",
)
@click.option(
    "--hold-out",
    type=click.Choice(HOLD_OUTS),
    default=_GENERALISE.hold_out,
    help="Also leave each source or tier of a training set out in turn, and test on it.",
)
@click.option(
    "--output",
    default=_GENERALISE.output,
    help="Folder to write the report to, besides MLflow; empty for none.",
)
@matrix_options
def generalise(
    models: str, train: str, test: str, hold_out: str, output: str, **options: object
) -> None:
    """Fill a matrix: a study of each training set, scored on each test set.

    Studies that are finished are not run again; a frozen backbone sees each picture once. What a
    study trains on is tested on its held-out split, any other set as 'evaluate' does.
    """
    # MLflow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.resolve import check_generalise

    study = StudyConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    config = GeneraliseConfig(models, train, test, hold_out, output, study)
    check_generalise(config)
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    from fakeface_bench.cli.tables import print_generalisation
    from fakeface_bench.jobs.transfer import run_generalisation

    progress = ConsoleProgress()
    outcome = run_generalisation(config, progress)
    print_generalisation(outcome, progress.console)
    if outcome.failure:
        raise StudyError(outcome.failure)


_ROBUSTNESS = RobustnessConfig()


@click.command(context_settings={"show_default": True})
@click.option(
    "--models",
    default=_ROBUSTNESS.models,
    help="Trained models, joined by commas: registry addresses, runs, folders, or best.",
)
@click.option(
    "--data",
    default=_ROBUSTNESS.data,
    help="Test set by name, or a folder of faces; empty for the first model's own test split.",
)
@classes_option
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=_ROBUSTNESS.limit,
    help="At most this many images per class; 0 for all.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=_ROBUSTNESS.seed,
    help="Of the noise.",
)
@click.option(
    "--output",
    default=_ROBUSTNESS.output,
    help="Folder to write the report to, besides MLflow; empty for none.",
)
@allow_unsafe_option
def robustness(**options: object) -> None:
    """Score trained models on test pictures that are compressed, scaled, blurred and the like.

    Real and fake images alike pass through each corruption, by degrees: ROC AUC and accuracy of
    every severity with intervals, and one figure, the mean over corruptions.
    """
    # TensorFlow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.resolve import check_robustness

    config = RobustnessConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    check_robustness(config)
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    from fakeface_bench.cli.tables import print_robustness
    from fakeface_bench.jobs.robustness import run_robustness

    progress = ConsoleProgress()
    print_robustness(run_robustness(config, progress), progress.console)


@click.command(context_settings={"show_default": True})
@click.option(
    "--folder", default="", help="Folder of unsent records; empty for all on this machine."
)
def sync(folder: str) -> None:
    """Send MLflow's server what it did not take while it was away."""
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    from fakeface_bench.tracking.store import sync as send

    progress = ConsoleProgress()
    outcome = send(folder, progress)
    for run in outcome.sent:
        progress.say(f"sent: run {run}")
    if outcome.kept:
        raise UnsentError("; ".join(outcome.kept))


_AUDIT = AuditConfig()


@click.command(context_settings={"show_default": True})
@click.argument("data", default=_AUDIT.data)
@classes_option
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=_AUDIT.seed,
    help="Of the split, where the dataset has no official one.",
)
@click.option(
    "--output",
    default=_AUDIT.output,
    help="Folder to write the report to, besides MLflow.",
)
def audit(**options: object) -> None:
    """Look for what would make results on DATA worthless, and record it in MLflow.

    DATA is a dataset by name or a folder of faces; several are joined by '+'. Found are broken
    files, copies within and across splits and labels, and what the files' metadata alone give away.
    """
    # MLflow takes seconds to import, so a wrong name is told before.
    from fakeface_bench.cli.console import ConsoleProgress, print_audit
    from fakeface_bench.resolve import check_audit

    config = AuditConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    check_audit(config)
    from fakeface_bench.jobs.audit import run_audit

    progress = ConsoleProgress()
    print_audit(run_audit(config, progress), progress.console)


@click.command("list")
def list_tables() -> None:
    """List architectures, datasets, losses, poolings and metrics."""
    from rich.console import Console
    from rich.table import Table

    from fakeface_bench.backbones.catalogue import ARCHITECTURES
    from fakeface_bench.data.augmentations import AUGMENTATIONS
    from fakeface_bench.data.catalogue import DATASETS
    from fakeface_bench.evaluation.metrics import METRICS
    from fakeface_bench.training.losses import LOSSES
    from fakeface_bench.training.poolings import ACTIVATIONS, FEATURES, POOLINGS

    console = Console()
    table = Table(
        "architecture", "parameters", "MMACs", "image size", "blocks", "weights", title="model"
    )
    table.columns[0].no_wrap = True
    for row in ARCHITECTURES:
        table.add_row(
            "\n= ".join((row.key, *row.aliases)),
            f"{row.parameters:,}",
            f"{row.mmacs:,}",
            f"{row.image_size} px",
            str(len(row.frozen_ends) + 1) if row.pretrained else "",
            "ImageNet" if row.pretrained else "scratch",
        )
    console.print(table)
    console.print("Without the head; MMACs: million multiply-accumulates per image;")
    console.print("blocks: those that fine_tune counts; scratch: all of it is trained.\n")
    for title, rows in (
        ("data", {row.key: f"{row.title} ({row.images:,} images)" for row in DATASETS}),
        ("loss", {key: loss.title for key, loss in LOSSES.items()}),
        ("features", FEATURES),
        ("pooling", {key: pooling.title for key, pooling in POOLINGS.items()}),
        ("activation", ACTIVATIONS),
        ("augment", {key: row.title for key, row in AUGMENTATIONS.items()}),
        ("metric", {key: metric.title for key, metric in METRICS.items()}),
    ):
        table = Table(title, "", show_header=True)
        for key, text in rows.items():
            table.add_row(key, text)
        console.print(table)


@click.command()
def datasets() -> None:
    """Describe each dataset: images, kind of fake, licence, source, layout, citation."""
    from rich.markup import escape
    from rich.table import Table

    from fakeface_bench.cli.console import result_console
    from fakeface_bench.data.catalogue import DATASETS

    console = result_console()
    table = Table("data", "images", "kind of fake", "size", "licence and terms", show_lines=True)
    for number, justify in enumerate(("left", "right", "left", "right", "left")):
        table.columns[number].justify = justify  # type: ignore[assignment]
    for row in DATASETS:
        table.add_row(
            f"[bold]{row.key}[/]",
            f"{row.images:,}",
            row.kind,
            f"{row.image_size_px} px",
            row.licence,
        )
    console.print(table)
    for row in DATASETS:
        facts = Table.grid(padding=(0, 1))
        facts.add_column(min_width=10)
        facts.add_column(overflow="fold")
        for name, text in (
            ("page", row.url),
            ("source", row.source),
            ("layout", row.layout),
            ("cite", row.citation),
        ):
            if text:
                facts.add_row(f"  {name}", escape(text))
        console.print(f"\n[bold]{row.key}[/]  {escape(row.title)}", highlight=False)
        console.print(facts, highlight=False)
    console.print("\n'fakeface-bench fetch DATA' puts one on this machine.", highlight=False)


@click.command()
@click.argument("data")
def fetch(data: str) -> None:
    """Fetch or draw DATA, a dataset by name or several joined with '+', and print its folder.

    What is already there is not fetched again.
    """
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.data.catalogue import dataset_named
    from fakeface_bench.data.sources import split_data

    progress = ConsoleProgress()
    rows = [dataset_named(key) for key in split_data(data)]  # a wrong name is told before a fetch
    for row in rows:
        click.echo(row.prepare(row, progress))
    progress.say(f"Study it: fakeface-bench run --data {data}")
