"""One matrix: what each training set teaches, and how far that carries to other datasets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np

from fakeface_bench.config import NOTHING, GeneraliseConfig, StudyConfig, listed
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.data.sources import source_identities, source_names
from fakeface_bench.evaluation.paired import paired_effect
from fakeface_bench.jobs import JobOutcome
from fakeface_bench.jobs.evaluate import estimate_metrics, score_set
from fakeface_bench.jobs.test_sets import TestSet, held_out, whole_set
from fakeface_bench.jobs.trained_model import open_trained
from fakeface_bench.records.study import LeftOut, SeedScores
from fakeface_bench.records.transfer import Generalisation, HoldOut, MixtureEffect, SetScores
from fakeface_bench.report.saved_study import write_set_predictions
from fakeface_bench.report.transfer_page import generalisation_markdown, write_generalisation_report
from fakeface_bench.resolve import RequestLike, checked, row_studies, test_sets
from fakeface_bench.study.find_or_run import NeededStudy, find_or_run_studies, format_failures
from fakeface_bench.study.preparation import PreparedDataset, prepare_dataset
from fakeface_bench.support.errors import DataError, StudyError, UsageError
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking import names
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.runs import TrackedRun, publish
from fakeface_bench.tracking.store import open_store
from fakeface_bench.tracking.studies import StudyRun

_BOTH_CLASSES = 2


@dataclass(frozen=True, eq=False)
class Row:
    """One study, and the sets that its model is scored on.

    `held_out` is a source or tier that is left out of its training; empty for a row of the matrix.
    """

    study: StudyConfig
    index: ImageIndex
    tests: tuple[TestSet, ...]
    held_out: str = ""

    @property
    def name(self) -> str:
        """As messages name it."""
        return f"{self.study.model} on {self.index.name}"

    @property
    def sources(self) -> frozenset[str]:
        """Identities of the datasets it is trained on, whatever names they go by."""
        return frozenset(source_identities(self.study.data))


def plan_matrix(config: GeneraliseConfig, progress: Progress) -> tuple[list[Row], list[TestSet]]:
    """Prepare every dataset once; return the matrix's rows and columns.

    A row that leaves something out follows the row that does not.
    """
    shared = config.study

    @cache
    def dataset(data: str) -> PreparedDataset:
        return prepare_dataset(data, shared.seed, progress, shared.classes)

    @cache
    def index_of(data: str, *left_out: str) -> ImageIndex:
        return dataset(data).index(shared.limit, progress, left_out)

    trained = {part for data in listed(config.train) for part in source_identities(data)}
    columns = []
    for data in test_sets(config):
        if trained.isdisjoint(source_identities(data)):
            columns.append(whole_set(data, shared.limit, progress, shared.classes))
        else:  # what rows train on is tested on what they do not
            columns.append(held_out(data, dataset(data), index_of(data)))
    rows = []
    for study in row_studies(config):
        index = index_of(study.data)
        parts = _parts(study.data, index, config.hold_out, progress)
        sets = [held_out(study.data, dataset(study.data), index, [part]) for part in parts]
        rows.append(Row(study, index, (*columns, *sets)))
        for part, test_set in zip(parts, sets, strict=True):
            without = index_of(study.data, part)
            rows.append(Row(replace(study, leave_out=part), without, (test_set,), part))
    if config.hold_out != NOTHING and not any(row.held_out for row in rows):
        raise UsageError(
            f"hold_out {config.hold_out!r} finds nothing to hold out: it needs several datasets "
            "joined by '+' in train (source), or one whose file names state tiers, as those of "
            "ciplab do (tier)."
        )
    return rows, columns


def mixture_effects(
    rows: Sequence[Row], cells: Sequence[Sequence[SetScores]]
) -> Iterator[MixtureEffect]:
    """Compare each row of several datasets with each row of some of them, column by column."""
    of_rows = list(zip(rows, cells, strict=True))
    for (mixture, mixed), (alone, others) in product(of_rows, of_rows):
        if mixture.study.model != alone.study.model or not alone.sources < mixture.sources:
            continue
        for cell, other in product(mixed, others):
            if cell.data == other.data and len(cell.classes) == _BOTH_CLASSES:
                yield from _effect(cell, other)


def _effect(mixed: SetScores, alone: SetScores) -> Iterator[MixtureEffect]:
    """Compare two models on the images that both were scored on."""
    places = {digest: place for place, digest in enumerate(alone.digests)}
    ours = [place for place, digest in enumerate(mixed.digests) if digest in places]
    theirs = [places[mixed.digests[place]] for place in ours]
    y_true = mixed.scored.y_true[ours]
    if len(np.unique(y_true)) < _BOTH_CLASSES:
        return
    effect = paired_effect(
        y_true,
        SeedScores(0, mixed.scored.y_score[ours], mixed.scored.threshold),
        SeedScores(0, alone.scored.y_score[theirs], alone.scored.threshold),
    )
    yield MixtureEffect(
        model=mixed.model.label,
        mixture=mixed.model.data,
        alone=alone.model.data,
        data=mixed.data,
        images=len(ours),
        **effect,
    )


def _parts(data: str, index: ImageIndex, column: str, progress: Progress) -> list[str]:
    """Return what is held out of a training set in turn: nothing where it has one part alone."""
    if column == NOTHING:
        return []
    parts = sorted(set(index.frame[column]) - {""})
    if len(parts) > 1:
        return parts
    has = f"one {column} alone, {parts[0]!r}" if parts else f"no {column}s"
    progress.say(f"nothing is held out of {data}: it has {has}")
    return []


def run_generalisation(
    asked: RequestLike[GeneraliseConfig], progress: Progress
) -> JobOutcome[Generalisation]:
    """Find or run a study of every row, score each on every column, and record it in MLflow.

    Studies that are finished are not run again, and a frozen backbone sees each picture once,
    whatever rows and columns it stands in.
    """
    config = checked(asked).request
    open_store()
    title = f"does it generalise? {config.models}"
    with tracked_run("generalisation", title, config.shown_params()) as run:
        rows, columns = plan_matrix(config, progress)
        for column in columns:
            index = column.index
            run.log_dataset(index.name, index.digest, index.frame, index.folders, "test")
        record, failure = _fill_matrix(run, rows, columns, progress)
        if not record.cells:
            raise StudyError(failure or record.unscored[0].reason)
        run.tag(
            {
                names.MODEL: ", ".join(record.models),
                names.DATASET: ", ".join(record.tested),
                names.NOTE: generalisation_markdown(record),
            }
        )
        run.log_metrics(dict(_cell_metrics(record)))
        folder = publish(run, config.output, lambda draft: _write(record, draft), progress)
        if failure:
            run.fail(failure)
    return JobOutcome(record, run.run_id, run.experiment_id, folder, failure)


def _fill_matrix(
    run: TrackedRun, rows: Sequence[Row], columns: Sequence[TestSet], progress: Progress
) -> tuple[Generalisation, str]:
    """Find or run one study after another, and score each before the next.

    Returns:
        The matrix, and which studies failed; empty where none did.
    """
    scored: dict[Row, list[SetScores]] = {}
    failed, unscored = [], []
    wanted = [NeededStudy(row.study, row.index, row.name) for row in rows]
    for row, study in zip(rows, find_or_run_studies(run, wanted, progress), strict=True):
        if isinstance(study, LeftOut):
            failed.append(LeftOut(row.name, study.run_id, study.reason))
        else:
            scored[row], obstacles = _score_row(run, row, study, progress)
            unscored += obstacles
    whole = [row for row in scored if not row.held_out]
    tested = tuple(column.name for column in columns)
    cells = [[cell for cell in scored[row] if cell.data in tested] for row in whole]
    record = Generalisation(
        models=tuple(dict.fromkeys(cell.model.label for of_row in cells for cell in of_row)),
        trained=tuple(dict.fromkeys(row.index.name for row in rows if not row.held_out)),
        tested=tested,
        cells=tuple(cell for of_row in cells for cell in of_row),
        mixtures=tuple(mixture_effects(whole, cells)),
        hold_outs=tuple(pair_hold_outs(scored)),
        left_out=tuple(failed),
        unscored=tuple(unscored),
    )
    return record, format_failures(failed, len(rows))


def _score_row(
    run: TrackedRun, row: Row, study: StudyRun, progress: Progress
) -> tuple[list[SetScores], list[LeftOut]]:
    """Score a row's model on all its sets; what cannot be scored leaves its reason."""
    opened = open_trained(study.run_id, run.experiment_id, progress)
    # A study that was found may have known its dataset by another name.
    trained = replace(opened, model=replace(opened.model, data=row.index.name))
    cells, obstacles = [], []
    for test_set in row.tests:
        try:
            cells.append(score_set(trained, test_set, progress))
        except DataError as error:
            progress.warn(str(error))
            name = f"{row.name}, tested on {test_set.name}"
            obstacles.append(LeftOut(name, study.run_id, str(error)))
    return cells, obstacles


def pair_hold_outs(scored: Mapping[Row, Sequence[SetScores]]) -> Iterator[HoldOut]:
    """Pair each model that had something left out of its training with one that saw all."""
    for row, cells in scored.items():
        is_source = row.held_out in source_names(row.study.data)
        for without in cells if row.held_out else ():
            for whole, others in scored.items():
                same = replace(row.study, leave_out="") == whole.study
                for seen in others if same else ():
                    if seen.data == without.data:
                        yield HoldOut(
                            model=seen.model.label,
                            data=whole.index.name,
                            column="source" if is_source else "tier",
                            value=row.held_out,
                            without=without,
                            seen=seen,
                        )


def _cell_metrics(record: Generalisation) -> Iterator[tuple[str, float]]:
    for cell in record.cells:
        named = (cell.model.label, cell.model.data, cell.data)
        place = "/".join(["generalise", *map(names.metric_part, named)])
        yield f"{place}/images", float(cell.images)
        yield from estimate_metrics(place, cell.estimates)


def _write(record: Generalisation, folder: Path) -> None:
    held = [cell for pair in record.hold_outs for cell in (pair.without, pair.seen)]
    write_generalisation_report(record, folder)
    write_set_predictions([*record.cells, *held], folder)
