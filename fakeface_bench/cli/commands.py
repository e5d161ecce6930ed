"""Every command: it parses, calls the library, and leaves errors to `__main__`.

TensorFlow and MLflow take seconds to import, so each command imports what it calls: by then a wrong
request has been told.
"""

import shlex
from functools import partial
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from fakeface_bench import PROCESS_BEGAN
from fakeface_bench.cli.options import command
from fakeface_bench.config import (
    AUGMENTATIONS,
    AuditConfig,
    CompareConfig,
    EvaluateConfig,
    ExplainConfig,
    GeneraliseConfig,
    PredictConfig,
    PublishConfig,
    RegisterConfig,
    RobustnessConfig,
    StudyConfig,
    SuiteConfig,
    VerifyConfig,
)
from fakeface_bench.support.errors import DIFFERENT, SOME_UNREADABLE, StudyError, UnsentError
from fakeface_bench.support.text import visible

if TYPE_CHECKING:
    from fakeface_bench.api.progress import ConsoleProgress
    from fakeface_bench.resolve import Checked


@command(StudyConfig)
def run(asked: "Checked[StudyConfig]", progress: "ConsoleProgress") -> None:
    """Search one architecture on one dataset and record the study in MLflow.

    A study that is finished is told with its figures, and nothing is run; with more trials it is
    topped up.
    """
    from fakeface_bench.api.functions import find_or_run
    from fakeface_bench.cli.output import print_study
    from fakeface_bench.support.machine import Clock

    outcome = find_or_run(asked, progress, Clock(PROCESS_BEGAN))
    print_study(outcome, progress.console)
    if outcome.unsent:
        raise UnsentError(outcome.unsent)


@command(SuiteConfig)
def suite(asked: "Checked[SuiteConfig]", progress: "ConsoleProgress") -> None:
    """Study several networks on one dataset, each in a process of its own, and compare them.

    One that fails does not stop the others. Interrupted and started again, it skips what is
    finished. WEIGHTS may name a file for each model: mobilenetv3_small=FILE,vgg19=FILE.
    """
    from fakeface_bench.cli.output import print_comparison
    from fakeface_bench.jobs.compare import run_suite

    outcome = run_suite(asked, progress)
    print_comparison(outcome, progress.console)
    if outcome.failure:
        raise StudyError(outcome.failure)


@command(CompareConfig)
def compare(asked: "Checked[CompareConfig]", progress: "ConsoleProgress") -> None:
    """Compare the newest finished study of each network on one dataset.

    Accuracy with intervals, cost cold and warm, which steps up in accuracy are real and what they
    cost: as one page, tables and pictures.
    """
    from fakeface_bench.cli.output import print_comparison
    from fakeface_bench.jobs.compare import run_comparison

    print_comparison(run_comparison(asked, progress), progress.console)


@command(PublishConfig)
def publish(asked: "Checked[PublishConfig]", progress: "ConsoleProgress") -> None:
    """Publish the study or comparison of RUN as a FOLDER that others can check.

    It holds metrics, the score of each image by its digest, costs, options, versions and a page,
    and the model if with_model is given; no picture, path or password.
    """
    from fakeface_bench.jobs.publish import publish as publish_run

    folder = publish_run(asked, progress)
    click.echo(folder)
    progress.say(f"Check it: fakeface-bench verify {shlex.quote(str(folder))}")


@command(VerifyConfig)
def verify(asked: "Checked[VerifyConfig]", progress: "ConsoleProgress") -> None:
    """Check a published FOLDER: does everything in it follow from its scores?

    With DATA, also whether that is the same dataset and, if the model was published, whether it
    gives the same scores; with retrain, whether the study comes out so once more. The exit code is
    5 where something differs.
    """
    from fakeface_bench.cli.output import print_verification
    from fakeface_bench.jobs.verify import verify as verify_folder

    found = verify_folder(asked, progress)
    print_verification(found, progress.console)
    click.get_current_context().exit(0 if found.passed else DIFFERENT)


@command(RegisterConfig)
def register(asked: "Checked[RegisterConfig]", progress: "ConsoleProgress") -> None:
    """Register the model of a finished study, and make it the champion if it passes the gate.

    The gate: loaded in a new process, it gives the scores that its study logged; and on the same
    test images it is shown to be more accurate than the champion, or to be within a point of it
    and was at least a tenth cheaper.
    """
    from fakeface_bench.cli.output import print_registration
    from fakeface_bench.study.register import run_registration

    print_registration(run_registration(asked, progress), progress.console)


@command(PredictConfig)
def predict(asked: "Checked[PredictConfig]", progress: "ConsoleProgress") -> None:
    """Call each of PATHS real or fake with MODEL.

    MODEL is a registry address (models:/fakeface@champion), the id of a study's run, or a folder.
    PATHS are files, folders with JPEG, PNG or WebP files below, or quoted patterns such as
    'faces/**/*.jpg'.

    Rows go to standard output, all else to standard error. The exit code is 3 where files could
    not be read; their rows say why.
    """
    from fakeface_bench.cli.output import (
        RowsAsProgress,
        abandon_standard_output,
        row_writer,
        rows_stream,
    )
    from fakeface_bench.data.listing import named_files, printable

    config = asked.request
    files = named_files(config.paths)
    try:
        with rows_stream(config.output) as stream:
            from fakeface_bench.api.detector import classifier_named

            classifier = classifier_named(config.model, config.allow_unsafe_model)
            from fakeface_bench.jobs.predict import predict_files

            longest = max(len(printable(path)) for path in files)
            width = get_terminal_size().columns if stream.isatty() else 0
            write = row_writer(config.format, stream, longest, width)
            shown = RowsAsProgress() if stream.isatty() else progress
            counts = predict_files(classifier, files, write, shown)
            stream.flush()
    except BrokenPipeError:  # `| head` has read enough
        if config.output:
            raise
        abandon_standard_output()
        return
    progress.say(counts.line)
    click.get_current_context().exit(SOME_UNREADABLE if counts.unreadable else 0)


@command(ExplainConfig)
def explain(asked: "Checked[ExplainConfig]", progress: "ConsoleProgress") -> None:
    """Draw each of PATHS beside what in it spoke to MODEL for real or for fake.

    MODEL and PATHS are as in 'predict'. The folder gets a picture a file, and evidence.csv. The
    exit code is 3 where files could not be read.
    """
    from fakeface_bench.api.functions import draw_evidence

    _, unreadable = draw_evidence(asked, progress)
    click.get_current_context().exit(SOME_UNREADABLE if unreadable else 0)


@command(EvaluateConfig)
def evaluate(asked: "Checked[EvaluateConfig]", progress: "ConsoleProgress") -> None:
    """Score a finished model on datasets that nothing of it was selected on.

    Images that it saw in training, and copies of them, are left out and counted. A dataset with an
    official test split is tested on that, any other on all its images.
    """
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    from fakeface_bench.cli.output import print_evaluation
    from fakeface_bench.jobs.evaluate import run_evaluation

    print_evaluation(run_evaluation(asked, progress), progress.console)


@command(GeneraliseConfig)
def generalise(asked: "Checked[GeneraliseConfig]", progress: "ConsoleProgress") -> None:
    """Fill a matrix: a study of each training set, scored on each test set.

    Studies that are finished are not run again; a frozen backbone sees each picture once. What a
    study trains on is tested on its held-out split, any other set as 'evaluate' does.
    """
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    from fakeface_bench.cli.output import print_generalisation
    from fakeface_bench.jobs.transfer import run_generalisation

    outcome = run_generalisation(asked, progress)
    print_generalisation(outcome, progress.console)
    if outcome.failure:
        raise StudyError(outcome.failure)


@command(RobustnessConfig)
def robustness(asked: "Checked[RobustnessConfig]", progress: "ConsoleProgress") -> None:
    """Score trained models on test pictures that are compressed, scaled, blurred and the like.

    Real and fake images alike pass through each corruption, by degrees: ROC AUC and accuracy of
    every severity with intervals, and one figure, the mean over corruptions.
    """
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    from fakeface_bench.cli.output import print_robustness
    from fakeface_bench.jobs.robustness import run_robustness

    print_robustness(run_robustness(asked, progress), progress.console)


@click.command(context_settings={"show_default": True})
@click.option(
    "--folder", default="", help="Folder of unsent records; empty for all on this machine."
)
def sync(folder: str) -> None:
    """Send MLflow's server what it did not take while it was away."""
    from fakeface_bench.api.progress import ConsoleProgress
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    from fakeface_bench.tracking.store import sync as send

    progress = ConsoleProgress()
    outcome = send(folder, progress)
    for run in outcome.sent:
        progress.say(f"sent: run {run}")
    if outcome.kept:
        raise UnsentError("; ".join(outcome.kept))


@command(AuditConfig)
def audit(asked: "Checked[AuditConfig]", progress: "ConsoleProgress") -> None:
    """Look for what would make results on DATA worthless, and record it in MLflow.

    DATA is a dataset by name or a folder of faces; several are joined by '+'. Found are broken
    files, copies within and across splits and labels, and what the files' metadata alone give away.
    """
    from fakeface_bench.cli.output import print_audit
    from fakeface_bench.jobs.audit import run_audit

    print_audit(run_audit(asked, progress), progress.console)


@click.command()
def doctor() -> None:
    """Print what a report of a problem needs: versions, hardware, stores, caches, weights.

    It holds no password; the home folder stands as ~.
    """
    from fakeface_bench.jobs.doctor import examine

    shown = ""
    for name, line in examine():
        click.echo(f"{'' if name == shown else name:<18} {visible(line)}")
        shown = name


@click.command("list")
def list_tables() -> None:
    """List architectures, datasets, losses, poolings and metrics."""
    from rich.console import Console
    from rich.table import Column, Table

    from fakeface_bench.backbones.catalogue import ARCHITECTURES
    from fakeface_bench.backbones.weights import are_here, origin_of
    from fakeface_bench.data.catalogue import DATASETS
    from fakeface_bench.evaluation.metrics import METRICS
    from fakeface_bench.training.losses import LOSSES
    from fakeface_bench.training.poolings import ACTIVATIONS, FEATURES, POOLINGS

    console = Console()
    name = Column("architecture", no_wrap=True)
    titles = ("parameters", "MMACs", "px", "blocks", "weights of", "licence", "here")
    table = Table(name, *titles, title="model")
    for row in ARCHITECTURES:
        table.add_row(
            "\n= ".join((row.key, *row.aliases)),
            f"{row.parameters:,}",
            f"{row.mmacs:,}",
            str(row.image_size),
            str(len(row.frozen_ends) + 1) if row.pretrained else "",
            origin_of(row),
            row.licence,
            ("yes" if are_here(row) else "no") if row.pretrained else "",
        )
    console.print(table)
    console.print("Without the head; MMACs: million multiply-accumulates per image;")
    console.print("blocks: those that fine_tune counts; scratch: all of it is trained;")
    console.print("none: residual statistics of the picture, without a network;")
    console.print("here: whether the weights are cached. keras-hub: a preset, at Kaggle.\n")
    for title, rows in (
        ("data", {row.key: f"{row.title} ({row.images:,} images)" for row in DATASETS}),
        ("loss", {key: loss.title for key, loss in LOSSES.items()}),
        ("features", {key: row.title for key, row in FEATURES.items()}),
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
    from rich.table import Column, Table

    from fakeface_bench.api.progress import result_console
    from fakeface_bench.data.catalogue import DATASETS

    console = result_console()
    right = partial(Column, justify="right")
    table = Table(
        "data", right("images"), "kind of fake", right("size"), "licence and terms", show_lines=True
    )
    for row in DATASETS:
        size = f"{row.image_size_px} px" if row.image_size_px else "not known"
        table.add_row(f"[bold]{row.key}[/]", f"{row.images:,}", row.kind, size, row.licence)
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
            ("unchecked", row.unchecked),
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
    from fakeface_bench.api.progress import ConsoleProgress
    from fakeface_bench.data.catalogue import dataset_named
    from fakeface_bench.data.sources import split_data

    progress = ConsoleProgress()
    rows = [dataset_named(key) for key in split_data(data)]  # a wrong name is told before a fetch
    for row in rows:
        click.echo(row.prepare(row, progress))
    progress.say(f"Study it: fakeface-bench run --data {data}")
