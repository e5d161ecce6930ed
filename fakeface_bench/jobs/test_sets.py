"""Test sets that finished models are scored on: nothing is selected, searched or fitted on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from fakeface_bench.config import FAKE, REAL, listed
from fakeface_bench.data.index import ImageIndex, fake_kinds, indexed
from fakeface_bench.data.selection import report_skipped, report_unreadable, select_files
from fakeface_bench.data.sources import prepare_sources
from fakeface_bench.data.survey import survey_sources
from fakeface_bench.evaluation.shortcut import shortcut_floor, shortcut_floors
from fakeface_bench.records.study import ResidualShortcut, ShortcutFloor
from fakeface_bench.study.preparation import PreparedDataset, prepare_dataset
from fakeface_bench.support.errors import DataError, UsageError
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking.studies import study_named

TEST = "test"


@dataclass(frozen=True)
class TestSet:
    """Images that models are scored on.

    Attributes:
        chosen: Which images of the dataset they are, in words.
        index: Of them, every row in the split `test`; it may hold one class only.
        signatures: What each looks like, in the order of the index, as `data.facts` makes it.
        kinds: How the fakes of each source were made; empty where that is not known.
        floor: What the metadata of all the dataset's files would score, where it was measurable.
        source_floors: The same of each of several sources, by its name.
        residual: What residual statistics alone tell of its classes, where that was asked.
        related: Images that are none of it: models were trained on their originals.
        part: Name of the generator, or the date, whose fakes it has alone; empty for others.
    """

    name: str
    chosen: str
    index: ImageIndex
    signatures: pd.Series
    kinds: Mapping[str, str]
    floor: ShortcutFloor | None = None
    source_floors: Mapping[str, ShortcutFloor] = field(default_factory=dict)
    residual: ResidualShortcut | None = None
    related: int = 0
    part: str = ""

    # Its name begins as those of test classes do.
    __test__ = False

    @property
    def rows(self) -> pd.DataFrame:
        """Its images, as rows of the index."""
        return self.index.split(TEST)


def whole_set(data: str, limit: int, progress: Progress, classes: str = "") -> TestSet:
    """Return the official test split of a dataset that has one, else all its images.

    One class suffices; `limit` counts images of each class, 0 for all.
    """
    sources = prepare_sources(data, progress, classes)
    survey = survey_sources(sources, progress, one_class=True)
    report_skipped(survey, progress)
    # Of the project's own split, which is not used here, the seed does not matter.
    files = select_files(survey, seed=0)
    report_unreadable(files, progress)
    used = files[files["left_out"] == ""]
    official = survey.files.loc[used.index, "split"]
    of_source = survey.files["split"].eq(TEST).groupby(survey.files["source"]).any()
    tested = used["source"].map(of_source)
    used = used[~tested | (official == TEST)]
    words = {False: "all images", True: "its official test split"}
    chosen = " and ".join(words[has] for has in sorted(set(tested[used.index]), reverse=True))
    if limit:
        chosen += f", at most {limit:,} a class"
    rows = used.assign(split=TEST).sort_values(["digest", "source", "path"])
    rows = rows.groupby("label").head(limit) if limit else rows
    index = indexed(survey, survey.name, rows)
    floors = shortcut_floors(files)
    return _test_set(data, index, chosen, survey.files, floors)


def held_out(
    data: str, dataset: PreparedDataset, index: ImageIndex, part: tuple[str, str] | None = None
) -> TestSet:
    """Return the test split that a study of a dataset is scored on.

    Of a `part`, a column and its value, it has a source's images alone, or the fakes of a tier or
    generator and all real images.
    """
    rows, name = index.split(TEST), index.name
    if part:
        column, value = part
        against = (rows["label"] == REAL) & (column != "source")
        rows = rows[(rows[column] == value) | against]
        name = f"{name}: {value}"
    chosen = ImageIndex(name, index.folders, rows.reset_index(drop=True))
    floors = {"": dataset.audit.floor, **dataset.audit.source_floors}
    known = {key: floor for key, floor in floors.items() if floor is not None}
    return _test_set(data, chosen, "its held-out test split", dataset.survey.files, known)


def unseen_fakes(
    data: str,
    dataset: PreparedDataset,
    index: ImageIndex,
    trained: ImageIndex,
    generators: Sequence[str],
    title: str,
) -> TestSet:
    """Return the fakes of generators that a study left out, with the held-out real images.

    Fakes of every split are among them, but not those that manipulate a picture which the study was
    trained on, or are twins of one. The floors are those of these generators alone, against all
    real images.

    Args:
        index: Of all images, those that are left out of training too.
        trained: Of those that are trained on.
        title: Of the generators together.
    """
    frame, shown = index.frame, trained.frame
    is_theirs = (frame["label"] == FAKE) & frame["generator"].isin(generators)
    related = is_theirs & frame["kin"].isin(set(shown.loc[shown["split"] != TEST, "kin"]))
    reals = (frame["label"] == REAL) & (frame["split"] == TEST)
    rows = frame[(is_theirs & ~related) | reals].assign(split=TEST)
    rows = rows.sort_values(["digest", "source", "path"]).reset_index(drop=True)
    chosen = ImageIndex(f"{index.name}: {title}", index.folders, rows)
    floor = shortcut_floor(files_of(dataset, generators))
    test_set = _test_set(
        data,
        chosen,
        "its fakes of every split, held-out real images",
        dataset.survey.files,
        {"": floor} if floor else {},
    )
    return replace(test_set, related=int(related.sum()), part=title)


def files_of(dataset: PreparedDataset, generators: Sequence[str]) -> pd.DataFrame:
    """Return the files of some generators and all real ones, whatever is used of them."""
    files = dataset.files
    return files[files["generator"].isin(generators) | (files["label"] == REAL)]


def study_test_set(run_id: str, progress: Progress) -> TestSet:
    """Return the very test split that a study was scored on."""
    study = study_named(run_id)
    params = study.params
    seed, limit = (int(float(params[name])) for name in ("seed", "limit"))
    left_out = listed(params.get("leave_out", ""))
    try:
        dataset = prepare_dataset(params["data"], seed, progress, params.get("classes", ""))
    except UsageError as error:
        raise DataError(
            f"the dataset of the study {run_id} cannot be read here: {error}"
        ) from error
    index = dataset.index(limit, progress, left_out)
    if index.split_digest(TEST) != study.test_digest:
        raise DataError(
            f"{params['data']} has other test images than when the study {run_id} was run; name a "
            "test set with data=."
        )
    return held_out(params["data"], dataset, index)


def _test_set(
    data: str,
    index: ImageIndex,
    chosen: str,
    files: pd.DataFrame,
    floors: Mapping[str, ShortcutFloor],
) -> TestSet:
    if index.frame.empty:
        raise DataError(f"no image of {index.name} is left to test on.")
    looks = files.drop_duplicates("digest").set_index("digest")["signature"]
    return TestSet(
        name=index.name,
        chosen=chosen,
        index=index,
        signatures=looks.loc[index.split(TEST)["digest"]].reset_index(drop=True),
        kinds=fake_kinds(data, index),
        floor=floors.get(""),
        source_floors={name: floor for name, floor in floors.items() if name},
    )
