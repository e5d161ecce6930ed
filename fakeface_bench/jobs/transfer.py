"""One matrix: what each training set teaches, and how far that carries to other datasets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path

from fakeface_bench.analysis.transfer import effect_on_shared
from fakeface_bench.config import NOTHING, UNTOUCHED, GeneraliseConfig, StudyConfig, listed
from fakeface_bench.data.equalising import equalisation_for
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.data.sources import source_identities, source_names
from fakeface_bench.jobs import JobOutcome
from fakeface_bench.jobs.evaluate import estimate_metrics, score_set
from fakeface_bench.jobs.protocols import (
    GENERATOR,
    RELEASED,
    Step,
    TrainingSet,
    protocol_steps,
)
from fakeface_bench.jobs.test_sets import TestSet, held_out, whole_set
from fakeface_bench.jobs.trained_model import open_trained
from fakeface_bench.records.study import LeftOut
from fakeface_bench.records.transfer import (
    EqualisedCell,
    Generalisation,
    HoldOut,
    MixtureEffect,
    SetScores,
    TimeStep,
)
from fakeface_bench.report.saved_study import write_set_predictions
from fakeface_bench.report.transfer_page import generalisation_markdown, write_generalisation_report
from fakeface_bench.resolve import RequestLike, as_they_are, checked, row_studies, test_sets
from fakeface_bench.study.find_or_run import (
    NeededStudy,
    find_or_run_studies,
    format_failures,
    studies_by,
)
from fakeface_bench.study.preparation import PreparedDataset, prepare_dataset
from fakeface_bench.support.errors import DataError, StudyError, UsageError
from fakeface_bench.support.executor import Executor
from fakeface_bench.support.progress import Progress
from fakeface_bench.support.workers import executor_for, one_for_all
from fakeface_bench.tracking import names
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.runs import TrackedRun, log_report
from fakeface_bench.tracking.store import open_store
from fakeface_bench.tracking.studies import StudyRun

_BOTH_CLASSES = 2


@dataclass(frozen=True, eq=False)
class Row:
    """One study, and the sets that its model is scored on.

    `step` says what is left out of its training; None for a row of the matrix.
    """

    study: StudyConfig
    index: ImageIndex
    tests: tuple[TestSet, ...]
    step: Step | None = None

    @property
    def name(self) -> str:
        """As messages name it."""
        passed = "" if self.study.equalised == UNTOUCHED else f", {self.study.equalised}"
        return f"{self.study.model} on {self.index.name}{passed}"

    @property
    def data(self) -> str:
        """Name of its whole dataset, whatever is left out of it."""
        return "+".join(source_names(self.study.data))

    @property
    def sources(self) -> frozenset[str]:
        """Identities of the datasets it is trained on, whatever names they go by."""
        return frozenset(source_identities(self.study.data))


@dataclass(frozen=True, slots=True)
class Matrix:
    """What is to be done.

    Attributes:
        rows: One that leaves something out follows the one that does not.
        columns: What every row of the matrix is scored on.
        impossible: Steps of a protocol that no model can be trained for.
    """

    rows: list[Row]
    columns: list[TestSet]
    impossible: list[LeftOut]


def plan_matrix(config: GeneraliseConfig, progress: Progress) -> Matrix:
    """Prepare every dataset once."""
    shared = config.study

    @cache
    def dataset(data: str) -> PreparedDataset:
        return prepare_dataset(data, shared.seed, progress, shared.classes)

    @cache
    def index_of(data: str, *left_out: str) -> ImageIndex:
        return dataset(data).index(shared.limit, progress, left_out)

    @cache
    def steps_of(data: str) -> list[Step | LeftOut]:
        used = dataset(data).audit.used
        passed = equalisation_for(shared.canvas, shared.equalise, used)
        of = TrainingSet(data, dataset(data), partial(index_of, data), progress, passed)
        try:
            return list(protocol_steps(config, of))
        except DataError as error:
            if len(listed(config.train)) == 1:
                raise
            progress.warn(str(error))
            return [LeftOut(index_of(data).name, "", str(error))]

    trained = {part for data in listed(config.train) for part in source_identities(data)}
    columns = []
    for data in test_sets(config):
        if trained.isdisjoint(source_identities(data)):
            columns.append(whole_set(data, shared.limit, progress, shared.classes))
        else:  # what rows train on is tested on what they do not
            columns.append(held_out(data, dataset(data), index_of(data)))
    rows, impossible = [], []
    for study in row_studies(config):
        index = index_of(study.data)
        steps = [step for step in steps_of(study.data) if isinstance(step, Step)]
        impossible += [out for out in steps_of(study.data) if isinstance(out, LeftOut)]
        seen = (step.seen for step in steps)
        rows.append(Row(study, index, (*columns, *filter(None, seen))))
        for step in steps:
            without = replace(study, leave_out=",".join(step.left_out))
            rows.append(Row(without, step.index, step.tests, step))
    if config.hold_out != NOTHING and not any(row.step for row in rows):
        raise UsageError(
            f"hold_out {config.hold_out!r} finds nothing to hold out: it needs several datasets "
            "joined by '+' in train (source), or one whose file names state tiers, as those of "
            "ciplab do (tier); or fakes of two generators that can be told (generator)."
        )
    return Matrix(rows, columns, list(dict.fromkeys(impossible)))


def mixture_effects(
    rows: Sequence[Row], cells: Sequence[Sequence[SetScores]]
) -> Iterator[MixtureEffect]:
    """Compare each row of several datasets with each row of some of them, column by column."""
    of_rows = list(zip(rows, cells, strict=True))
    for (mixture, mixed), (alone, others) in product(of_rows, of_rows):
        same = replace(mixture.study, data=alone.study.data) == alone.study
        if not same or not alone.sources < mixture.sources:
            continue
        for cell, other in product(mixed, others):
            if cell.data == other.data and len(cell.classes) == _BOTH_CLASSES:
                images, effect = effect_on_shared(cell, other)
                if "roc_auc" in effect:
                    yield MixtureEffect(
                        model=cell.model.label,
                        mixture=cell.model.data,
                        alone=other.model.data,
                        data=cell.data,
                        images=images,
                        **effect,
                    )


def run_generalisation(
    asked: RequestLike[GeneraliseConfig], progress: Progress
) -> JobOutcome[Generalisation]:
    """Find or run a study of every row, score each on every column, and record it in MLflow.

    Studies that are finished are not run again, and a frozen backbone sees each picture once,
    whatever rows and columns it stands in.
    """
    config = checked(asked).request
    open_store()
    trained_on = ", ".join("+".join(source_names(data)) for data in listed(config.train))
    title = names.run_name("matrix", trained_on, config.models)
    with tracked_run("generalisation", title, config.shown_params()) as run:
        with one_for_all(config.study.workers) as workers:
            same = replace(config, study=replace(config.study, workers=workers))
            matrix = plan_matrix(same, progress)
            for column in matrix.columns:
                index = column.index
                run.log_dataset(index.name, index.digest, index.frame, index.folders, "test")
            with executor_for(workers, progress) as executor:
                record, failure = _fill_matrix(run, matrix, config.at_once, executor, progress)
        if not (record.cells or record.hold_outs or record.time_steps):
            raise StudyError(failure or record.unscored[0].reason)
        run.tag(
            {
                names.MODEL: ", ".join(record.models),
                names.DATASET: ", ".join(record.tested),
                names.NOTE: generalisation_markdown(record),
            }
        )
        run.log_metrics(dict(_cell_metrics(record)))
        folder = log_report(run, config.output, lambda draft: _write(record, draft), progress)
        if failure:
            run.fail(failure)
    return JobOutcome(record, run.run_id, run.experiment_id, folder, failure)


def _fill_matrix(
    run: TrackedRun, matrix: Matrix, at_once: int, executor: Executor, progress: Progress
) -> tuple[Generalisation, str]:
    """Find or run the studies, and score each as soon as it and those before it are done.

    Args:
        executor: Who scores.

    Returns:
        The matrix, and which studies failed; empty where none did.
    """
    rows = matrix.rows
    scored: dict[Row, list[SetScores]] = {}
    failed, unscored = [], [*matrix.impossible]
    wanted = [NeededStudy(row.study, row.index, row.name) for row in rows]
    studies = find_or_run_studies(run, wanted, progress, studies_by(at_once))
    for row, study in zip(rows, studies, strict=True):
        if isinstance(study, LeftOut):
            failed.append(LeftOut(row.name, study.run_id, study.reason))
        else:
            scored[row], obstacles = _score_row(run, row, study, executor, progress)
            unscored += obstacles
    whole = [row for row in scored if row.step is None]
    tested = tuple(column.name for column in matrix.columns)
    cells = [[cell for cell in scored[row] if cell.data in tested] for row in whole]
    record = Generalisation(
        models=tuple(dict.fromkeys(c.model.label for row in scored for c in scored[row])),
        trained=tuple(dict.fromkeys(row.index.name for row in rows if row.step is None)),
        tested=tested,
        cells=tuple(cell for of_row in cells for cell in of_row),
        mixtures=tuple(mixture_effects(whole, cells)),
        hold_outs=tuple(pair_hold_outs(scored)),
        time_steps=tuple(time_steps(scored)),
        equalised=tuple(equalised_cells(scored)),
        left_out=tuple(failed),
        unscored=tuple(unscored),
    )
    return record, format_failures(failed, len(rows))


def _score_row(
    run: TrackedRun, row: Row, study: StudyRun, executor: Executor, progress: Progress
) -> tuple[list[SetScores], list[LeftOut]]:
    """Score a row's model on all its sets; what cannot be scored leaves its reason."""
    opened = open_trained(study.run_id, run.experiment_id, progress)
    # A study that was found may have known its dataset by another name.
    seconds = study.metrics.get("cost/total_cold_seconds")
    model = replace(opened.model, data=row.index.name, cold_seconds=seconds)
    trained = replace(opened, model=model)
    cells, obstacles = [], []
    for test_set in row.tests:
        try:
            cells.append(score_set(trained, test_set, progress, executor))
        except DataError as error:
            progress.warn(str(error))
            name = f"{row.name}, tested on {test_set.name}"
            obstacles.append(LeftOut(name, study.run_id, str(error)))
    return cells, obstacles


def pair_hold_outs(scored: Mapping[Row, Sequence[SetScores]]) -> Iterator[HoldOut]:
    """Pair each model that had something left out of its training with one that saw all."""
    for row, cells in scored.items():
        if row.step is None or row.step.column == RELEASED:
            continue
        for without in cells:
            whole = [one for one in scored if replace(row.study, leave_out="") == one.study]
            seen = [c for one in whole for c in scored[one] if c.data == without.data]
            if seen or row.step.column == GENERATOR:
                yield HoldOut(
                    model=without.model.label,
                    data=row.data,
                    column=row.step.column,
                    value=row.step.value,
                    without=without,
                    seen=seen[0] if seen else None,
                )


def time_steps(scored: Mapping[Row, Sequence[SetScores]]) -> Iterator[TimeStep]:
    """Yield each model that was trained up to a date, on each later one."""
    for row, cells in scored.items():
        if row.step is None or row.step.column != RELEASED:
            continue
        tested = {test_set.name: test_set for test_set in row.tests}
        for cell in cells:
            test_set = tested[cell.data]
            yield TimeStep(
                model=cell.model.label,
                data=row.data,
                until=row.step.value,
                released=test_set.part,
                generators=tuple(sorted(set(test_set.rows["generator"]) - {""})),
                cell=cell,
            )


def equalised_cells(scored: Mapping[Row, Sequence[SetScores]]) -> Iterator[EqualisedCell]:
    """Pair each model of equalised pictures with the same of pictures as they are."""
    untouched = {
        (row.study, cell.data): cell
        for row, cells in scored.items()
        for cell in cells
        if row.study.equalised == UNTOUCHED
    }
    for row, cells in scored.items():
        if row.study.equalised == UNTOUCHED:
            continue
        for cell in cells:
            other = untouched.get((as_they_are(row.study), cell.data))
            if other is not None:
                images, effect = effect_on_shared(other, cell)
                if "roc_auc" in effect:
                    yield EqualisedCell(other, cell, images, effect["roc_auc"])


def _cell_metrics(record: Generalisation) -> Iterator[tuple[str, float]]:
    for cell in record.cells:
        yield f"{_place(cell)}/images", float(cell.images)
        yield from estimate_metrics(_place(cell), cell.estimates)
    for pair in record.equalised:
        yield from estimate_metrics(_place(pair.equalised), {"delta_auc": pair.delta_auc})


def _place(cell: SetScores) -> str:
    named = (cell.model.label, cell.model.data, cell.data)
    return "/".join(["generalise", *map(names.metric_part, named)])


def _write(record: Generalisation, folder: Path) -> None:
    held = [cell for pair in record.hold_outs for cell in (pair.without, pair.seen) if cell]
    held += [step.cell for step in record.time_steps]
    write_generalisation_report(record, folder)
    write_set_predictions([*record.cells, *held], folder)
