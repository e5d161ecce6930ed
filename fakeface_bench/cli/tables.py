"""The tables that end a command on a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from fakeface_bench.cli.console import plain, print_registration, print_table, print_way_to

if TYPE_CHECKING:
    from fakeface_bench.jobs.evaluate import EvaluationOutcome
    from fakeface_bench.jobs.robustness import RobustnessOutcome
    from fakeface_bench.jobs.transfer import GeneralisationOutcome
    from fakeface_bench.study.find_or_run import FinishedStudy
    from fakeface_bench.study.run import StudyOutcome


def print_outcome(outcome: "StudyOutcome", console: Console) -> None:
    """Print the short table of results and how to open the run in MLflow's UI."""
    from fakeface_bench.report.results import PARTS_HEADER, part_rows
    from fakeface_bench.report.study_report import summary_rows

    record = outcome.record
    how = f", {record.trained}" if record.trained else ""
    title = f"{record.model} on {record.data} ({record.weights.label} weights{how})"
    images = len(record.valid.y_true), len(record.test.y_true)
    rows = [*summary_rows(record, outcome.results), ("weights", "", record.weights.label)]
    _print_metrics(title, images, rows, record.test.threshold, console)
    if parts := part_rows(record, outcome.results):
        print_table("parts of the test split (95 % intervals)", PARTS_HEADER, parts, console)
    if record.weights.warning:
        console.print(f"[yellow]{plain(record.weights.warning)}[/]", soft_wrap=True)
    states = [trial.state for trial in record.search.trials]
    console.print(
        f"{len(states)} trials ({states.count('pruned')} pruned, {states.count('failed')} failed), "
        f"{outcome.ledger.figures['extracted_images']:.0f} images extracted or decoded; "
        f"{outcome.ledger.total_warm_seconds:.0f} s, "
        f"{outcome.ledger.total_cold_seconds:.0f} s from a cold start; study {record.study}",
        highlight=False,
    )
    if outcome.bias:
        console.print(plain(outcome.bias.told), highlight=False)
    print_way_to(outcome.experiment_id, outcome.run_id, console)
    if outcome.registration:
        print_registration(outcome.registration, console)


def print_finished(finished: "FinishedStudy", console: Console) -> None:
    """Print what a study that was finished before found, and how to open its run."""
    from fakeface_bench.report.study_report import main_rows

    saved, run = finished.saved, finished.run
    how = f", {saved.identity.trained}" if saved.identity.trained else ""
    title = f"{run.model} on {run.dataset} ({run.weights} weights{how})"
    images = int(run.figures.get("data/valid_images", 0)), len(saved.y_true)
    rows = [*main_rows(finished.results), ("weights", "", run.weights)]
    _print_metrics(title, images, rows, saved.kept.threshold, console)
    if saved.warning:
        console.print(f"[yellow]{plain(saved.warning)}[/]", soft_wrap=True)
    when = datetime.fromtimestamp(run.began / 1000).strftime("%Y-%m-%d %H:%M")
    console.print(
        f"Finished before: the run of {when} holds {saved.trials} trials and took "
        f"{saved.ledger.total_cold_seconds:.0f} s from a cold start; study "
        f"{plain(saved.identity.study)}. Nothing was run now; --again true refits and scores it "
        "once more.",
        highlight=False,
    )
    print_way_to(run.experiment_id, run.run_id, console)
    if finished.registration:
        print_registration(finished.registration, console)


def _print_metrics(
    title: str,
    images: tuple[int, int],
    rows: Sequence[tuple[str, str, str]],
    threshold: float,
    console: Console,
) -> None:
    """Print the table of metrics of both splits, and what to mind of it."""
    from fakeface_bench.report.results import few_images_told, results_header, threshold_told

    print_table(title, results_header(*images), rows, console)
    console.print(threshold_told(threshold), highlight=False)
    if few := few_images_told(images[1]):
        console.print(f"[yellow]Warning:[/] {few}", highlight=False)


def print_evaluation(outcome: "EvaluationOutcome", console: Console) -> None:
    """Print the figures on each set and what follows from them."""
    from fakeface_bench.report.transfer_page import evaluation_rows, evaluation_sentences

    model = outcome.scores[0].model
    title = f"{model.label}, trained on {model.data} (95 % intervals)"
    print_table(title, *evaluation_rows(outcome.scores), console)
    _warn_of_few({cell.data: cell.images for cell in outcome.scores}, console)
    print_end(evaluation_sentences(outcome.scores), outcome.folder, console)
    print_way_to(outcome.experiment_id, outcome.run_id, console)


def print_generalisation(outcome: "GeneralisationOutcome", console: Console) -> None:
    """Print the matrix and what follows from it."""
    from fakeface_bench.report.transfer_page import generalisation_rows
    from fakeface_bench.report.transfer_text import generalisation_sentences

    title = f"ROC AUC of {', '.join(outcome.record.models)} (95 % intervals)"
    print_table(title, *generalisation_rows(outcome.record), console)
    _warn_of_few({cell.data: cell.images for cell in outcome.record.cells}, console)
    print_end(generalisation_sentences(outcome.record), outcome.folder, console)
    print_way_to(outcome.experiment_id, outcome.run_id, console)


def print_robustness(outcome: "RobustnessOutcome", console: Console) -> None:
    """Print mean ROC AUC by corruption and what follows from it."""
    from fakeface_bench.report.robustness_page import robustness_rows
    from fakeface_bench.report.robustness_text import robustness_verdict

    verdict = robustness_verdict(outcome.robustness)
    print_table(verdict.headline, *robustness_rows(outcome.robustness), console)
    _warn_of_few({outcome.robustness.data: outcome.robustness.images}, console)
    print_end([*verdict.paragraphs, *verdict.others], outcome.folder, console)
    print_way_to(outcome.experiment_id, outcome.run_id, console)


def _warn_of_few(images: Mapping[str, int], console: Console) -> None:
    """Warn of test sets that are too small to tell much; `images` is their size by name."""
    from fakeface_bench.report.results import few_images_told

    for name, count in images.items():
        if few := few_images_told(count):
            console.print(f"[yellow]Warning:[/] {plain(f'{name}: {few}')}", highlight=False)


def print_end(sentences: Iterable[str], folder: Path | None, console: Console) -> None:
    """Print what follows from a table, and where the page is."""
    for sentence in sentences:
        console.print(plain(sentence), highlight=False)
    if folder:
        page = folder / "report.html"
        console.print(f"Report: {plain(str(page))}", soft_wrap=True, highlight=False)
