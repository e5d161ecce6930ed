"""What commands print at their end: predictions row by row, and tables on a terminal."""

import csv
import json
import os
import shlex
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, fields
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table

from fakeface_bench.api.progress import ConsoleProgress, plain
from fakeface_bench.records.explanation import Prediction
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.progress import Advance
from fakeface_bench.support.text import visible

if TYPE_CHECKING:
    from fakeface_bench.analysis.comparison import Comparison
    from fakeface_bench.jobs import JobOutcome
    from fakeface_bench.jobs.audit import JudgedAudit
    from fakeface_bench.records.publication import Verification
    from fakeface_bench.records.registration import Registration
    from fakeface_bench.records.transfer import Generalisation, Robustness, SetScores
    from fakeface_bench.report.table import Table as TextTable
    from fakeface_bench.study.find_or_run import FinishedStudy
    from fakeface_bench.study.run import StudyOutcome


@contextmanager
def rows_stream(name: str) -> Iterator[IO[str]]:
    """Yield a stream of UTF-8 text to a file; to standard output where no file is named.

    A file is written beside itself and moved to its place when the block ends well; a block that
    raises leaves what was there before.
    """
    if not name:
        yield _standard_output()
        return
    try:
        target = Path(name).expanduser().resolve()
        draft = _draft_of(target)
        stream = open(draft, "w", encoding="utf-8", newline="")
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"output {name!r} cannot be written: {reason}.") from error
    try:
        with stream:
            yield stream
        if draft != target:
            os.replace(draft, target)
    except BaseException:
        if draft != target:
            draft.unlink(missing_ok=True)
        raise


def abandon_standard_output() -> None:
    """Let nothing more be written to a pipe that nobody reads, not even at the process's end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _standard_output() -> IO[str]:
    """Return the stream as it is now: a progress bar that begins later replaces `sys.stdout`."""
    stream = sys.stdout
    if isinstance(stream, TextIOWrapper) and not stream.isatty():
        stream.reconfigure(encoding="utf-8", line_buffering=True)  # whoever reads may be waiting
    return stream


def _draft_of(target: Path) -> Path:
    """Return where to write first: beside the file, but a device or pipe itself."""
    if target.is_dir():
        raise IsADirectoryError("it is a folder; name a file")
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        return target
    return target.with_name(f".draft-{uuid4().hex[:8]}")


COLUMNS = tuple(field.name for field in fields(Prediction))
#: Longer paths push their own row's other columns to the right.
_WIDEST_PATH = 100
#: What a table takes beside the paths, with the id of a model; and a narrow one, a space left over.
_BESIDE_PATH = 93
_NARROW_BESIDE_PATH = 34

#: Writes one row; every row is a line of its own.
WriteRow = Callable[[Prediction], object]


class RowsAsProgress(ConsoleProgress):
    """Shows no bar: rows that scroll by on a terminal show progress, and a bar would break them."""

    @contextmanager
    def stage(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        """Show nothing."""
        yield lambda units: None


def row_writer(form: str, stream: IO[str], longest_path: int, width: int = 0) -> WriteRow:
    """Return what writes rows, and the columns' names before the first.

    Args:
        form: One of `config.PREDICTION_FORMS`.
        longest_path: Its number of characters.
        width: Of the terminal; a table that is wider leaves out what all rows share. 0 where the
            stream is no terminal.
    """
    if form == "csv":
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(COLUMNS)
        return lambda row: rows.writerow(astuple(row))
    if form == "jsonl":
        return lambda row: stream.write(
            f"{json.dumps(asdict(row), ensure_ascii=False, allow_nan=False)}\n"
        )
    path_width = min(longest_path, _WIDEST_PATH)
    if width and path_width + _BESIDE_PATH > width:
        return _narrow_rows(stream, min(path_width, width - _NARROW_BESIDE_PATH))
    return _table_rows(stream, path_width)


def _table_rows(stream: IO[str], path_width: int) -> WriteRow:
    """Align columns by the first row: the others differ in path, label and reason alone."""
    widths: list[int] = []

    def write(*cells: str) -> None:
        padded = (f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))
        stream.write(f"{'  '.join(padded).rstrip()}\n")

    def write_row(row: Prediction) -> None:
        if not widths:
            known = (path_width, 0, 0, 0, 0, len(row.model_version), 0)
            widths.extend(map(max, known, map(len, COLUMNS)))
            write(*COLUMNS)
        score = "" if row.probability_fake is None else f"{row.probability_fake:.4f}"
        unsure = "unsure" if row.unsure else ""
        cells = (row.path, row.label or "", score, f"{row.threshold:.4f}", unsure)
        write(*map(visible, (*cells, row.model_version, row.error or "")))

    return write_row


def _narrow_rows(stream: IO[str], path_width: int) -> WriteRow:
    """Write model and threshold once, and of each path its end, in which files differ."""
    begun = False

    def write_row(row: Prediction) -> None:
        nonlocal begun
        if not begun:
            stream.write(f"model {visible(row.model_version)}, threshold {row.threshold:.4f}\n")
            stream.write(f"{'path':{path_width}}  label  {COLUMNS[2]}\n")
            begun = True
        path = visible(row.path)
        shown = path if len(path) <= path_width else f"…{path[1 - path_width :]}"
        if row.probability_fake is None:
            stream.write(f"{shown:{path_width}}  {visible(row.error or '')}\n")
        else:
            unsure = "  unsure" if row.unsure else ""
            stream.write(
                f"{shown:{path_width}}  {row.label:5}  {row.probability_fake:.4f}{unsure}\n"
            )

    return write_row


def print_study(found: "FinishedStudy | StudyOutcome", console: Console) -> None:
    """Print a study that was run now, or was finished before."""
    from fakeface_bench.study.find_or_run import FinishedStudy

    if isinstance(found, FinishedStudy):
        print_finished(found, console)
    else:
        print_outcome(found, console)


def print_outcome(outcome: "StudyOutcome", console: Console) -> None:
    """Print the short table of results and how to open the run in MLflow's UI."""
    from fakeface_bench.report.saved_study import parts_table
    from fakeface_bench.report.study_report import summary_rows

    record, ledger = outcome.record, outcome.ledger
    title = _study_title(record.model, record.data, record.weights.label, record.trained)
    images = len(record.valid.y_true), len(record.test.y_true)
    rows = [*summary_rows(record, outcome.results), ("weights", "", record.weights.label)]
    _print_metrics(title, images, rows, record.test.threshold, record.folds, console)
    parts = parts_table(record, outcome.results)
    if parts.records:
        print_table("parts of the test split (95 % intervals)", parts, console)
    _print_weights_warning(record.weights.warning, console)
    states = [trial.state for trial in record.search.trials]
    console.print(
        f"{len(states)} trials ({states.count('pruned')} pruned, {states.count('failed')} failed), "
        f"{ledger.other['extracted_images']:.0f} images extracted or decoded; "
        f"{ledger.total_warm_seconds:.0f} s, {ledger.total_cold_seconds:.0f} s from a cold start; "
        f"study {record.study}",
        highlight=False,
    )
    if outcome.equalisation:
        console.print(plain(outcome.equalisation.description), highlight=False)
    print_ui_command(outcome.experiment_id, outcome.run_id, console)
    if outcome.registration:
        print_registration(outcome.registration, console)


def print_finished(finished: "FinishedStudy", console: Console) -> None:
    """Print the results of a study that was finished before, and how to open its run."""
    from fakeface_bench.report.study_report import main_rows

    saved, run = finished.saved, finished.run
    title = _study_title(run.model, run.dataset, run.weights, saved.identity.trained)
    folds = int(run.params.get("folds", 0))
    splits = ("train", "valid") if folds else ("valid",)
    held_out = sum(int(run.metrics.get(f"data/{split}_images", 0)) for split in splits)
    images = held_out, len(saved.y_true)
    rows = [*main_rows(finished.results), ("weights", "", run.weights)]
    _print_metrics(title, images, rows, saved.kept.threshold, folds, console)
    _print_weights_warning(saved.warning, console)
    when = datetime.fromtimestamp(run.began / 1000).strftime("%Y-%m-%d %H:%M")
    console.print(
        f"Finished before: the run of {when} holds {saved.trials} trials and took "
        f"{saved.ledger.total_cold_seconds:.0f} s from a cold start; study "
        f"{plain(saved.identity.study)}. Nothing was run now; --again true refits and scores it "
        "once more.",
        highlight=False,
    )
    print_ui_command(run.experiment_id, run.run_id, console)
    if finished.registration:
        print_registration(finished.registration, console)


def _study_title(model: str, data: str, weights: str, trained: str) -> str:
    from fakeface_bench.report.format import format_weights

    return f"{model} on {data} ({format_weights(weights)}{', ' if trained else ''}{trained})"


def _print_weights_warning(warning: str, console: Console) -> None:
    if warning:
        console.print(f"[yellow]{plain(warning)}[/]", soft_wrap=True)


def _print_metrics(
    title: str,
    images: tuple[int, int],
    rows: Sequence[tuple[str, str, str]],
    threshold: float,
    folds: int,
    console: Console,
) -> None:
    """Print the table of metrics of both splits, the threshold, and a warning of few images."""
    from fakeface_bench.report.saved_study import (
        few_images_warning,
        format_threshold,
        results_header,
    )
    from fakeface_bench.report.table import Table

    print_table(title, Table.of(results_header(*images, folds), rows), console)
    console.print(format_threshold(threshold, folds), highlight=False)
    few = few_images_warning(images[1])
    _print_warnings([few] if few else [], console)


def print_evaluation(outcome: "JobOutcome[tuple[SetScores, ...]]", console: Console) -> None:
    """Print the metrics on each set and the verdict."""
    from fakeface_bench.report.transfer_page import transfer_verdict, transfer_warnings
    from fakeface_bench.report.transfer_tables import parts, table_of

    model = outcome.result[0].model
    title = f"{model.label}, trained on {model.data} (95 % intervals)"
    print_table(title, table_of("evaluation, short", outcome.result), console)
    if (by_part := parts(outcome.result)).records:
        shown = by_part.pick("tested_on", "part_name", "images", "roc_auc", "part_remark")
        print_table("by source, generator and tier", shown, console)
    _print_warnings(transfer_warnings(outcome.result), console)
    verdict = transfer_verdict(outcome.result)
    print_end([f"{verdict.headline}.", verdict.paragraph], outcome, console)


def print_generalisation(outcome: "JobOutcome[Generalisation]", console: Console) -> None:
    """Print the matrix, the effects of mixtures and hold-outs, and the verdict."""
    from fakeface_bench.analysis.transfer import ordered_cells
    from fakeface_bench.report.protocols import protocol_tables
    from fakeface_bench.report.transfer_page import (
        matrix_verdict,
        matrix_warnings,
        tables_beside_matrix,
    )
    from fakeface_bench.report.transfer_tables import table_of

    record = outcome.result
    title = f"{', '.join(record.models)} (95 % intervals)"
    tables = {title: table_of("matrix, short", ordered_cells(record))}
    for title, table in (tables | protocol_tables(record) | tables_beside_matrix(record)).items():
        if table.records:
            print_table(title, table, console)
    _print_warnings(matrix_warnings(record), console)
    verdict = matrix_verdict(record)
    print_end([f"{verdict.headline}.", verdict.paragraph], outcome, console)


def print_robustness(outcome: "JobOutcome[Robustness]", console: Console) -> None:
    """Print mean ROC AUC by corruption, the worst of each model, and the verdict."""
    from fakeface_bench.report.robustness_page import (
        robustness_table,
        robustness_verdict,
        robustness_warnings,
        worst_table,
    )

    robustness = outcome.result
    verdict = robustness_verdict(robustness)
    print_table(verdict.headline, robustness_table(robustness), console)
    print_table("worst of each model (95 % intervals)", worst_table(robustness), console)
    _print_warnings(robustness_warnings(robustness), console)
    print_end([verdict.paragraph], outcome, console)


def _print_warnings(lines: Sequence[str], console: Console) -> None:
    for line in lines:
        console.print(f"[yellow]Warning:[/] {plain(line)}", highlight=False)


#: Below this a table's first column, which names the rows, is not folded.
_LEAST_NAMES = 12


def print_comparison(outcome: "JobOutcome[Comparison]", console: Console) -> None:
    """Print the leaderboard, what follows from it, and where the whole report is."""
    from fakeface_bench.report.comparison_page import verdict_of, warnings_of
    from fakeface_bench.report.comparison_tables import detectors_table, leaderboard

    comparison = outcome.result
    title = f"what accuracy costs (n = {comparison.images:,} test images, 95 % intervals)"
    print_table(title, leaderboard(comparison), console)
    if comparison.detectors:
        shown = detectors_table(comparison).pick("label", "accuracy", "roc_auc", "accuracy_ahead")
        print_table("detectors of others, ahead of the most accurate study", shown, console)
    left_out = (f"Left out: {study.name}: {study.reason}" for study in comparison.left_out)
    verdict = verdict_of(comparison)
    said = [f"{verdict.headline}.", verdict.paragraph, *warnings_of(comparison), *left_out]
    print_end(said, outcome, console)


def print_end(sentences: Iterable[str], outcome: "JobOutcome[Any]", console: Console) -> None:
    """Print what follows from a table, where the page is, and how to open the run."""
    for sentence in sentences:
        console.print(plain(sentence), highlight=False)
    if outcome.folder:
        page = outcome.folder / "report.html"
        console.print(f"Report: {plain(str(page))}", soft_wrap=True, highlight=False)
    print_ui_command(outcome.experiment_id, outcome.run_id, console)


def print_table(title: str, shown: "TextTable", console: Console) -> None:
    """Print a table whose first column names the rows, and whose metrics are never cut.

    Where there is no room, intervals stand below their metrics; where there still is none, each
    row is printed as a list.
    """
    header, rows = shown.header, shown.rows
    named = _widest([header[0], *(row[0] for row in rows)])
    for broken in (False, True):
        cells = [
            [cell.replace(" (", "\n(").replace("; ", ";\n") if broken else cell for cell in row]
            for row in rows
        ]
        widths = [
            max(_widest(column), max(map(len, heading.split())))
            for heading, *column in list(zip(header, *cells, strict=True))[1:]
        ]
        frame = 3 * len(header) + (-3 if broken else 1)  # without its edge where room is short
        room = console.width - sum(widths) - frame
        if room >= min(named, _LEAST_NAMES):
            table = Table(title=plain(title), show_edge=not broken, pad_edge=not broken)
            for heading, width in zip(header, [min(named, room), *widths], strict=True):
                justify: JustifyMethod = "right" if table.columns else "left"
                table.add_column(plain(heading), justify=justify, width=width, overflow="fold")
            for row in cells:
                table.add_row(*("\n".join(map(plain, cell.split("\n"))) for cell in row))
            console.print(table)
            return
    console.print(f"[italic]{plain(title)}[/]", highlight=False)
    for name, *values in rows:
        console.print(plain(name), highlight=False)
        for heading, value in zip(header[1:], values, strict=True):
            if value:
                console.print(f"  {plain(heading)}: {plain(value)}", highlight=False)


def _widest(cells: Iterable[str]) -> int:
    return max(cell_len(visible(line)) for cell in cells for line in cell.split("\n"))


def print_registration(registration: "Registration", console: Console) -> None:
    """Print what the gate found, and how the champion is served."""
    for line in (*registration.choice, *registration.lines):
        console.print(plain(line), soft_wrap="'fakeface-bench " in line, highlight=False)
    if registration.is_champion:
        champion = f"models:/{registration.name}@champion"
        command = f"mlflow models serve -m {shlex.quote(champion)} --env-manager local"
        console.print(f"Serve it: {plain(command)}", soft_wrap=True, highlight=False)


def print_audit(outcome: "JobOutcome[JudgedAudit]", console: Console) -> None:
    """Print the findings and how to open the run in MLflow's UI."""
    from fakeface_bench.report.audit_checks import audit_rows

    result = outcome.result
    table = Table(title=plain(f"audit of {result.audit.name}"), show_header=False)
    for finding, value in audit_rows(result.findings):
        table.add_row(plain(finding), plain(value))
    console.print(table)
    print_ui_command(outcome.experiment_id, outcome.run_id, console)


#: Most checks that a terminal shows one by one.
_MOST_CHECKS = 20


def print_verification(found: "Verification", console: Console) -> None:
    """Print how many checks of each study ended how, and those that did not end equal."""
    from fakeface_bench.records.publication import DIFFERS, EQUAL, STATED, WITHIN
    from fakeface_bench.report.table import Table as TextTable

    outcomes = (EQUAL, WITHIN, DIFFERS, STATED)
    counts = {each.of: dict.fromkeys(outcomes, 0) for each in found.checks}
    for each in found.checks:
        counts[each.of][each.outcome] += 1
    rows = [(of, *(f"{count:,}" for count in by.values())) for of, by in counts.items()]
    print_table(f"check of {found.title}", TextTable.of(("what", *outcomes), rows), console)
    apart = [*found.with_outcome(DIFFERS), *found.with_outcome(WITHIN)]
    if apart:
        shown = [
            (f"{each.of}: {each.name}", *_values(each.published, each.found), each.outcome)
            for each in apart[:_MOST_CHECKS]
        ]
        header = ("not equal", "published", "found", "outcome")
        print_table("what is not equal", TextTable.of(header, shown), console)
    if len(apart) > _MOST_CHECKS:
        more = len(apart) - _MOST_CHECKS
        console.print(f"{more:,} more; --output FILE.csv writes all.", highlight=False)
    for note in found.notes:
        console.print(f"[yellow]Note:[/] {plain(note)}", highlight=False)
    verdict = "nothing differs" if found.passed else f"{found.count(DIFFERS):,} differ"
    console.print(
        f"{found.count(EQUAL):,} equal, {found.count(WITHIN):,} within tolerance, "
        f"{found.count(STATED):,} stated (what scores cannot tell): {verdict}.",
        highlight=False,
    )


def _values(*values: float | str | None) -> tuple[str, ...]:
    """Return values as text, numbers with so many digits that they are seen to differ."""
    for digits in (6, 12):
        shown = tuple(f"{v:.{digits}g}" if isinstance(v, float) else str(v) for v in values)
        if len(set(shown)) > 1:
            break
    return shown


def print_ui_command(experiment_id: str, run_id: str, console: Console) -> None:
    """Print how a run is opened in MLflow's UI."""
    from fakeface_bench.tracking.store import ui_command

    command, address = ui_command(experiment_id, run_id)
    if command:
        console.print(f"See it: {plain(command)}", soft_wrap=True, highlight=False)
    console.print(f"  then open {plain(address)}", soft_wrap=True, highlight=False)
