"""The rows and columns of a matrix: what is trained on, and what each model is scored on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from fakeface_bench.config import NOTHING, GeneraliseConfig, StudyConfig
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.data.sources import source_identities
from fakeface_bench.errors import UsageError
from fakeface_bench.evaluation.effect import paired_effect
from fakeface_bench.preparation import PreparedDataset, prepare_dataset
from fakeface_bench.progress import Progress
from fakeface_bench.records import MixtureEffect, SeedScores, SetScores
from fakeface_bench.test_sets import TestSet, held_out, whole_set
from fakeface_bench.transfer_request import row_studies, test_sets

_BOTH_CLASSES = 2


@dataclass(frozen=True, eq=False)
class Row:
    """One study, and what its model is scored on.

    Attributes:
        study: As it is asked for.
        index: Images that it uses.
        tests: Sets that its model is scored on.
        held_out: Source or tier that is left out of its training; empty for a row of the matrix.
    """

    study: StudyConfig
    index: ImageIndex
    tests: tuple[TestSet, ...]
    held_out: str = ""

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.study.model} on {self.index.name}"

    @property
    def sources(self) -> frozenset[str]:
        """What it is trained on, however that is named."""
        return frozenset(source_identities(self.study.data))


@dataclass(frozen=True)
class Matrix:
    """All rows, those that leave something out after the row that does not, and the columns."""

    rows: tuple[Row, ...]
    columns: tuple[TestSet, ...]


def lay_out(config: GeneraliseConfig, progress: Progress) -> Matrix:
    """Prepare every dataset once, and say which study is scored on what.

    Raises:
        UsageError: If no training set has anything to hold out.
        DataError: If a dataset cannot be read.
    """
    shared = config.study

    @cache
    def dataset(data: str) -> PreparedDataset:
        return prepare_dataset(data, shared.seed, progress, shared.classes)

    @cache
    def index_of(data: str, *left_out: str) -> ImageIndex:
        return dataset(data).index(shared.limit, progress, left_out)

    trained = {part for data in config.training_sets for part in source_identities(data)}
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
    _require_parts(rows, config.hold_out)
    return Matrix(tuple(rows), tuple(columns))


def mixture_effects(
    rows: Sequence[Row], cells: Sequence[Sequence[SetScores]]
) -> Iterator[MixtureEffect]:
    """Compare each row of several datasets with each row of some of them, column by column.

    Args:
        rows: That leave nothing out.
        cells: Of each row, its columns.
    """
    for mixture, mixed in zip(rows, cells, strict=True):
        for alone, others in zip(rows, cells, strict=True):
            if mixture.study.model == alone.study.model and alone.sources < mixture.sources:
                for cell in mixed:
                    for other in others:
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


def _require_parts(rows: Sequence[Row], column: str) -> None:
    if column != NOTHING and not any(row.held_out for row in rows):
        raise UsageError(
            f"hold_out {column!r} finds nothing to hold out: it needs several datasets joined by "
            "'+' in train (source), or one whose file names state tiers, as those of ciplab do "
            "(tier)."
        )
