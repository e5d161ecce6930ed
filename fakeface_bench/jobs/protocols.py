"""What is left out of training in turn, and what each model that was so trained is tested on.

A source or tier is tested on its images of the held-out split, and so is the model that was trained
on everything. A generator, and all of a window of time, is tested on its fakes of every split: no
model that leaves it out has seen them. The real images are those of the held-out split.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from fakeface_bench.config import FAKE, NOTHING, GeneraliseConfig
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.jobs.test_sets import TestSet, held_out, unseen_fakes
from fakeface_bench.study.preparation import PreparedDataset
from fakeface_bench.support.errors import DataError
from fakeface_bench.support.progress import Progress

#: The column by which generators are put in order of time.
RELEASED = "released"
#: A generator with fewer fakes tells too little to be left out in turn: ROC AUC of 20 fakes has an
#: interval some 0.2 wide.
FEWEST_FAKES = 20


@dataclass(frozen=True, eq=False)
class Step:
    """One model of a protocol.

    Attributes:
        column: What is left out: `source`, `tier`, `generator`, or `released` in order of time.
        value: Which of them; in order of time the date up to which a model is trained.
        left_out: Names of all that is left out of training.
        tests: What the model is scored on.
        seen: What the model that is trained on everything is scored on; None for nothing.
    """

    column: str
    value: str
    left_out: tuple[str, ...]
    tests: tuple[TestSet, ...]
    seen: TestSet | None = None


def protocol_steps(
    config: GeneraliseConfig,
    data: str,
    dataset: PreparedDataset,
    index: ImageIndex,
    progress: Progress,
) -> list[Step]:
    """Return what a training set is tried on, by `hold_out` and `order`; nothing without these.

    Args:
        index: Of all its images.
    """
    steps: list[Step] = []
    if config.hold_out == "generator":
        steps += _each_generator(data, dataset, index, progress)
    elif config.hold_out != NOTHING:
        for part in _parts(data, index, config.hold_out, progress):
            test_set = held_out(data, dataset, index, [part])
            steps.append(Step(config.hold_out, part, (part,), (test_set,), test_set))
    if config.order != NOTHING:
        steps += _by_release(data, dataset, index, progress)
    return steps


def _parts(data: str, index: ImageIndex, column: str, progress: Progress) -> list[str]:
    """Return what is held out of a training set in turn: nothing where it has one part alone."""
    parts = sorted(set(index.frame[column]) - {""})
    if len(parts) > 1:
        return parts
    has = f"one {column} alone, {parts[0]!r}" if parts else f"no {column}s"
    progress.say(f"nothing is held out of {data}: it has {has}")
    return []


def _each_generator(
    data: str, dataset: PreparedDataset, index: ImageIndex, progress: Progress
) -> Iterator[Step]:
    """Leave out each generator that has enough fakes, and test on them."""
    fakes = _known_fakes(data, index, "generator", progress)
    counts = fakes["generator"].value_counts().sort_index()
    for name in _enough(data, counts, "generator", progress):
        unseen = unseen_fakes(data, dataset, index, [name], name, progress)
        in_test = fakes[(fakes["generator"] == name) & (fakes["split"] == "test")]
        seen = held_out(data, dataset, index, [name]) if len(in_test) else None
        yield Step("generator", name, (name,), (unseen,), seen)


def _by_release(
    data: str, dataset: PreparedDataset, index: ImageIndex, progress: Progress
) -> Iterator[Step]:
    """Train on all that was released up to a date, and test on each later date's fakes."""
    fakes = _known_fakes(data, index, RELEASED, progress)
    undated = sorted(set(index.frame.loc[index.frame["released"] == "", "generator"]) - {""})
    dates = _enough(data, fakes["released"].value_counts().sort_index(), "date", progress)
    windows = {}
    for date in dates[1:]:
        names = sorted(set(fakes.loc[fakes["released"] == date, "generator"]))
        windows[date] = unseen_fakes(data, dataset, index, names, date, progress)
    for until in dates[:-1]:
        later = sorted(set(fakes.loc[fakes["released"] > until, "generator"]))
        tests = tuple(test_set for date, test_set in windows.items() if date > until)
        yield Step(RELEASED, until, (*later, *undated), tests)


def _known_fakes(data: str, index: ImageIndex, column: str, progress: Progress) -> pd.DataFrame:
    """Return the fakes of which a column is known, and tell of the others."""
    fakes = index.frame[index.frame["label"] == FAKE]
    known = fakes[(fakes[column] != "") & (fakes["generator"] != "")]
    if known.empty:
        missing = "no generator is known" if column == "generator" else "no date is known"
        raise DataError(
            f"{missing} of the fakes of {data}: name them in folders below the class folder, or in "
            "generators.csv with the columns file, generator and released."
        )
    if unknown := len(fakes) - len(known):
        what = (
            "their generator is" if column == "generator" else "the release of their generator is"
        )
        where = "stay in training" if column == "generator" else "are left out"
        progress.warn(f"{unknown:,} of {len(fakes):,} fakes of {data} {where}: {what} not known")
    return known


def _enough(data: str, counts: pd.Series, kind: str, progress: Progress) -> list[str]:
    """Return the names that have enough fakes, at least two; tell of the others."""
    few = {str(name): int(n) for name, n in counts.items() if n < FEWEST_FAKES}
    if few:
        shown = ", ".join(f"{name} ({n:,})" for name, n in few.items())
        progress.warn(
            f"{len(few):,} of {len(counts):,} {kind}s of {data} have under {FEWEST_FAKES} fakes "
            f"and are not tested on: {shown}"
        )
    enough = [str(name) for name in counts.index if str(name) not in few]
    if len(enough) < 2:
        raise DataError(
            f"{data} has {len(enough)} {kind}{'s' * (len(enough) != 1)} with at least "
            f"{FEWEST_FAKES} fakes, and two are needed; join another dataset with '+'."
        )
    return enough
