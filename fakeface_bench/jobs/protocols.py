"""What is left out of training in turn, and what each model that was so trained is tested on.

A source or tier is tested on its images of the held-out split, and so is the model that was trained
on everything. A generator, and all of a window of time, is tested on its fakes of every split: no
model that leaves it out has seen them. The real images are those of the held-out split.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from fakeface_bench.config import FAKE, NOTHING, GeneraliseConfig
from fakeface_bench.data.decode import AS_THEY_ARE, Equalisation
from fakeface_bench.data.index import ImageIndex, qualified
from fakeface_bench.evaluation.residual_shortcut import residual_shortcut
from fakeface_bench.jobs.test_sets import TestSet, files_of, held_out, unseen_fakes
from fakeface_bench.records.study import LeftOut
from fakeface_bench.study.preparation import PreparedDataset
from fakeface_bench.support.errors import DataError
from fakeface_bench.support.progress import Progress

GENERATOR = "generator"
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
        left_out: All that is left out of training, as `leave_out` names it.
        index: What the model is trained on.
        tests: What it is scored on.
        seen: What the model that is trained on everything is scored on; None for nothing.
    """

    column: str
    value: str
    left_out: tuple[str, ...]
    index: ImageIndex
    tests: tuple[TestSet, ...]
    seen: TestSet | None = None


@dataclass(frozen=True)
class TrainingSet:
    """A dataset whose parts are left out in turn.

    Attributes:
        data: As it was asked for.
        index_of: Its images without what is named, as `leave_out` names it; all without a name.
        equalisation: What every picture passes first where that is asked for.
    """

    data: str
    dataset: PreparedDataset
    index_of: Callable[..., ImageIndex]
    progress: Progress
    equalisation: Equalisation = AS_THEY_ARE

    @property
    def fakes(self) -> pd.DataFrame:
        """Its fakes, as rows of the index."""
        frame = self.index_of().frame
        return frame[frame["label"] == FAKE]

    def unseen(self, trained: ImageIndex, generators: Sequence[str], title: str) -> TestSet | None:
        """Return the fakes of generators that a model does not see; None, and why, for few."""
        whole = self.index_of()
        found = unseen_fakes(self.data, self.dataset, whole, trained, generators, title)
        fakes = int((found.rows["label"] == FAKE).sum())
        if fakes >= FEWEST_FAKES:
            files = files_of(self.dataset, generators)
            residual = residual_shortcut(files, whole.folders, self.progress, self.equalisation)
            return replace(found, residual=residual)
        made = f", {found.related:,} made from pictures in training" if found.related else ""
        self.progress.warn(
            f"{title} is not tested on: {fakes:,} fakes of it are left{made}, and {FEWEST_FAKES} "
            "are needed"
        )
        return None


def protocol_steps(config: GeneraliseConfig, of: TrainingSet) -> Iterator[Step | LeftOut]:
    """Yield what a training set is tried on, by `hold_out` and `order`, or why it cannot be.

    Raises:
        DataError: If it has no two generators, or dates, with enough fakes.
    """
    if config.hold_out == GENERATOR:
        yield from _each_generator(of)
    elif config.hold_out != NOTHING:
        for part in _parts(of, config.hold_out):
            test_set = held_out(of.data, of.dataset, of.index_of(), (config.hold_out, part))
            left_out = qualified(config.hold_out, part)
            yield Step(
                config.hold_out, part, (left_out,), of.index_of(left_out), (test_set,), test_set
            )
    if config.order != NOTHING:
        yield from _by_release(of)


def _parts(of: TrainingSet, column: str) -> list[str]:
    """Return what is held out of a training set in turn: nothing where it has one part alone."""
    parts = sorted(set(of.index_of().frame[column]) - {""})
    if len(parts) > 1:
        return parts
    has = f"one {column} alone, {parts[0]!r}" if parts else f"no {column}s"
    of.progress.say(f"nothing is held out of {of.data}: it has {has}")
    return []


def _each_generator(of: TrainingSet) -> Iterator[Step | LeftOut]:
    """Leave out each generator that has enough fakes, and test on them."""
    fakes = of.fakes
    if unknown := int((fakes["generator"] == "").sum()):
        of.progress.warn(
            f"{unknown:,} of {len(fakes):,} fakes of {of.data} stay in training throughout: their "
            "generator is not known"
        )
    counts = fakes.loc[fakes["generator"] != "", "generator"].value_counts().sort_index()
    for name in _enough(of, counts, GENERATOR):
        left_out = qualified(GENERATOR, name)
        try:
            trained = of.index_of(left_out)
        except DataError as error:
            yield _impossible(of, f"without {name}", error)
            continue
        if (unseen := of.unseen(trained, [name], name)) is None:
            continue
        in_test = fakes[(fakes["generator"] == name) & (fakes["split"] == "test")]
        part = (GENERATOR, name)
        seen = held_out(of.data, of.dataset, of.index_of(), part) if len(in_test) else None
        yield Step(GENERATOR, name, (left_out,), trained, (unseen,), seen)


def _by_release(of: TrainingSet) -> Iterator[Step | LeftOut]:
    """Train on all that was released up to a date, and test on each later date's fakes.

    Dates count as precisely as the least precise of them.
    """
    fakes = of.fakes
    known = fakes[(fakes["released"] != "") & (fakes["generator"] != "")]
    if unknown := len(fakes) - len(known):
        of.progress.warn(
            f"{unknown:,} of {len(fakes):,} fakes of {of.data} are left out in the order of time: "
            "when their generator was released is not known"
        )
    released = known["released"].str[: known["released"].str.len().min() if len(known) else 0]
    when = dict(zip(known["generator"], released, strict=True))
    dates = _enough(of, released.value_counts().sort_index(), "date")
    undated = sorted(set(fakes["generator"]) - when.keys())  # the empty name is of unknown ones
    for until in dates[:-1]:
        later = sorted(name for name, date in when.items() if date > until)
        left_out = tuple(qualified(GENERATOR, name) for name in (*later, *undated))
        try:
            trained = of.index_of(*left_out)
        except DataError as error:
            yield _impossible(of, f"up to {until}", error)
            continue
        windows = {
            date: [name for name in later if when[name] == date] for date in dates if date > until
        }
        tests = [of.unseen(trained, names, date) for date, names in windows.items()]
        if found := tuple(filter(None, tests)):
            yield Step(RELEASED, until, left_out, trained, found)


def _impossible(of: TrainingSet, which: str, error: DataError) -> LeftOut:
    of.progress.warn(f"{of.data} {which} cannot be trained on: {error}")
    return LeftOut(f"{of.index_of().name} {which}", "", str(error))


def _enough(of: TrainingSet, counts: pd.Series, kind: str) -> list[str]:
    """Return the names that have enough fakes, at least two; tell of the others."""
    if counts.empty:
        raise DataError(
            f"no {kind} is known of the fakes of {of.data}: name them in folders below the class "
            "folder, or in generators.csv with the columns file, generator and released."
        )
    few = {str(name): int(n) for name, n in counts.items() if n < FEWEST_FAKES}
    if few:
        shown = ", ".join(f"{name} ({n:,})" for name, n in few.items())
        of.progress.warn(
            f"{len(few):,} of {len(counts):,} {kind}s of {of.data} have under {FEWEST_FAKES} fakes "
            f"and are not tested on: {shown}"
        )
    enough = [str(name) for name in counts.index if str(name) not in few]
    if len(enough) < 2:
        raise DataError(
            f"{of.data} has {len(enough)} {kind}{'s' * (len(enough) != 1)} with at least "
            f"{FEWEST_FAKES} fakes, and two are needed; join another dataset with '+'."
        )
    return enough
