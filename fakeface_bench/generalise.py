"""One matrix: what each training set teaches, and how far that carries to other datasets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fakeface_bench.config import GeneraliseConfig
from fakeface_bench.data.sources import source_names
from fakeface_bench.errors import DataError, StudyError
from fakeface_bench.matrix import Matrix, Row, lay_out, mixture_effects
from fakeface_bench.obtaining import failure_of, obtain_study
from fakeface_bench.progress import Progress
from fakeface_bench.publishing import publish
from fakeface_bench.records import Generalisation, HoldOut, LeftOut, SetScores
from fakeface_bench.report import (
    generalisation_markdown,
    write_generalisation_report,
    write_set_predictions,
)
from fakeface_bench.scoring import estimate_metrics, score_set
from fakeface_bench.tracking import names
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.runs import TrackedRun
from fakeface_bench.tracking.store import open_store
from fakeface_bench.tracking.studies import StudyRun
from fakeface_bench.trained import open_trained
from fakeface_bench.transfer_request import check_generalise


@dataclass(frozen=True, slots=True)
class GeneralisationOutcome:
    """What a matrix leaves: its cells, which studies failed, and where all of it is held."""

    record: Generalisation
    failure: str
    run_id: str
    experiment_id: str
    folder: Path | None


def run_generalisation(config: GeneraliseConfig, progress: Progress) -> GeneralisationOutcome:
    """Obtain a study of every row, score each on every column, and record it in MLflow.

    Studies that are finished are not run again, and a frozen backbone sees each picture once,
    whatever rows and columns it stands in.

    Raises:
        StudyError: If every study failed.
        FakefaceError: For whatever a user can mend; the MLflow run is then FAILED and says why.
    """
    check_generalise(config)
    open_store()
    title = f"does it generalise? {config.models}"
    with tracked_run("generalisation", title, config.shown_params()) as run:
        matrix = lay_out(config, progress)
        for column in matrix.columns:
            index = column.index
            run.log_dataset(index.name, index.digest, index.frame, index.folders, "test")
        record, failure = _filled(run, matrix, progress)
        if not record.cells:
            raise StudyError(failure or record.unscored[0].reason)
        run.tag(
            {
                names.MODEL: ", ".join(record.models),
                names.DATASET: ", ".join(record.tested),
                names.NOTE: generalisation_markdown(record),
            }
        )
        run.log_figures(dict(_figures(record)))
        folder = publish(run, config.output, lambda draft: _write(record, draft), progress)
        if failure:
            run.fail(failure)
    return GeneralisationOutcome(record, failure, run.run_id, run.experiment_id, folder)


def _filled(run: TrackedRun, matrix: Matrix, progress: Progress) -> tuple[Generalisation, str]:
    """Obtain the studies one after another, and score each before the next.

    Returns:
        The matrix, and which studies failed; empty where none did.
    """
    scored: dict[Row, list[SetScores]] = {}
    failed, unscored = [], []
    for number, row in enumerate(matrix.rows, start=1):
        progress.say(f"study {number} of {len(matrix.rows)}: {row.name}")
        study = obtain_study(run, row.study, row.index, progress)
        if isinstance(study, LeftOut):
            failed.append(LeftOut(row.name, study.run_id, study.reason))
        else:
            scored[row], obstacles = _scored(run, row, study, progress)
            unscored += obstacles
    whole = [row for row in scored if not row.held_out]
    columns = {column.name for column in matrix.columns}
    cells = [[cell for cell in scored[row] if cell.data in columns] for row in whole]
    record = Generalisation(
        models=tuple(dict.fromkeys(cell.model.label for of_row in cells for cell in of_row)),
        trained=tuple(dict.fromkeys(row.index.name for row in matrix.rows if not row.held_out)),
        tested=tuple(column.name for column in matrix.columns),
        cells=tuple(cell for of_row in cells for cell in of_row),
        mixtures=tuple(mixture_effects(whole, cells)),
        hold_outs=tuple(hold_outs_of(scored)),
        left_out=tuple(failed),
        unscored=tuple(unscored),
    )
    return record, failure_of(failed, len(matrix.rows))


def _scored(
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


def hold_outs_of(scored: Mapping[Row, Sequence[SetScores]]) -> Iterator[HoldOut]:
    """Pair each model that something was left out of with the one that saw everything."""
    for row, cells in scored.items():
        for without in cells if row.held_out else ():
            for whole, others in scored.items():
                same = replace(row.study, leave_out="") == whole.study
                for seen in others if same else ():
                    if seen.data == without.data:
                        yield HoldOut(
                            model=seen.model.label,
                            data=whole.index.name,
                            column=_column(row),
                            value=row.held_out,
                            without=without,
                            seen=seen,
                        )


def _column(row: Row) -> str:
    """Return whether a source or a tier was left out."""
    return "source" if row.held_out in source_names(row.study.data) else "tier"


def _figures(record: Generalisation) -> Iterator[tuple[str, float]]:
    for cell in record.cells:
        named = (cell.model.label, cell.model.data, cell.data)
        place = "/".join(["generalise", *map(names.metric_part, named)])
        yield f"{place}/images", float(cell.images)
        yield from estimate_metrics(place, cell.figures)


def _write(record: Generalisation, folder: Path) -> None:
    held = [cell for pair in record.hold_outs for cell in (pair.without, pair.seen)]
    write_generalisation_report(record, folder)
    write_set_predictions([*record.cells, *held], folder)
