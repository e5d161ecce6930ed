"""What a person sees at the end of a test elsewhere: a table, sentences, and where the rest is."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from fakeface_bench.cli.console import plain, print_table, print_way_to

if TYPE_CHECKING:  # importing them would load TensorFlow
    from fakeface_bench.evaluate import EvaluationOutcome
    from fakeface_bench.generalise import GeneralisationOutcome
    from fakeface_bench.robustness import RobustnessOutcome


def print_evaluation(outcome: "EvaluationOutcome", console: Console) -> None:
    """Print the figures on each set and what follows from them."""
    from fakeface_bench.report import evaluation_rows, evaluation_sentences

    model = outcome.scores[0].model
    title = f"{model.label}, trained on {model.data} (95 % intervals)"
    print_table(title, *evaluation_rows(outcome.scores), console)
    _warn_of_few({cell.data: cell.images for cell in outcome.scores}, console)
    print_end(evaluation_sentences(outcome.scores), outcome.folder, console)
    print_way_to(outcome.experiment_id, outcome.run_id, console)


def print_generalisation(outcome: "GeneralisationOutcome", console: Console) -> None:
    """Print the matrix and what follows from it."""
    from fakeface_bench.report import generalisation_rows, generalisation_sentences

    title = f"ROC AUC of {', '.join(outcome.record.models)} (95 % intervals)"
    print_table(title, *generalisation_rows(outcome.record), console)
    _warn_of_few({cell.data: cell.images for cell in outcome.record.cells}, console)
    print_end(generalisation_sentences(outcome.record), outcome.folder, console)
    print_way_to(outcome.experiment_id, outcome.run_id, console)


def print_robustness(outcome: "RobustnessOutcome", console: Console) -> None:
    """Print mean ROC AUC by corruption and what follows from it."""
    from fakeface_bench.report.robustness import robustness_rows, robustness_verdict

    verdict = robustness_verdict(outcome.robustness)
    print_table(verdict.headline, *robustness_rows(outcome.robustness), console)
    _warn_of_few({outcome.robustness.data: outcome.robustness.images}, console)
    print_end([*verdict.paragraphs, *verdict.others], outcome.folder, console)
    print_way_to(outcome.experiment_id, outcome.run_id, console)


def _warn_of_few(images: Mapping[str, int], console: Console) -> None:
    """Warn of test sets that are too small to tell much; `images` is their size by name."""
    from fakeface_bench.report import few_images_told

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
