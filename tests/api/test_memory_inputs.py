"""Tables of pictures and networks in memory, as studies take them: by their value."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

import fakeface_bench
from fakeface_bench.api.inputs import data_of, model_of
from fakeface_bench.config import FAKE, GeneraliseConfig
from fakeface_bench.resolve import Checked
from fakeface_bench.support.errors import StudyError, UsageError
from tests.conftest import RecordedProgress
from tests.workplace import quicken


@pytest.fixture
def table(tiny_faces: Path) -> pd.DataFrame:
    files = sorted(tiny_faces.rglob("*.jpg")) + sorted(tiny_faces.rglob("*.png"))
    return pd.DataFrame(
        {
            "path": files,
            "label": [file.parent.name for file in files],
            "split": [file.parents[1].name for file in files],
        }
    )


def test_a_table_is_the_dataset_of_its_pictures(table: pd.DataFrame, tiny_faces: Path) -> None:
    of_table = fakeface_bench.load_index(table, progress=False)
    of_folder = fakeface_bench.load_index(tiny_faces, progress=False)
    assert list(of_table["digest"]) == list(of_folder["digest"])
    assert list(of_table["split"]) == list(of_folder["split"])
    assert list(of_table["label"]) == list(of_folder["label"])


def test_the_same_table_is_the_same_place(table: pd.DataFrame) -> None:
    assert data_of(table) == data_of(table.copy())
    assert data_of(table) != data_of(table.head(20))
    numbers = table.assign(label=(table["label"] == "fake").astype(int))
    assert data_of(numbers) == data_of(table)
    flags = table.assign(label=table["label"] == "fake")
    assert data_of(flags) == data_of(table)


def test_tables_in_a_list_of_lists_are_a_mixture(
    table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[GeneraliseConfig] = []

    def run(found: Checked[GeneraliseConfig], progress: object) -> None:
        asked.append(found.request)
        raise StudyError("that will do")

    monkeypatch.setattr("fakeface_bench.jobs.transfer.run_generalisation", run)
    one, other = table[::2].assign(source="one"), table[1::2].assign(source="other")
    sets = [one, other]
    with pytest.raises(StudyError, match="that will do"):
        fakeface_bench.generalise(models="residual", train=[*sets, sets], test=sets, progress=False)
    places = [data_of(each) for each in sets]
    assert asked[0].train == ",".join([*places, "+".join(places)])
    assert asked[0].test == ",".join(places)


def test_a_place_is_whole_or_not_there(table: pd.DataFrame, fresh_cache: Path) -> None:
    """A process that is killed, or a full disk, leaves nothing that counts as the table."""
    given = table.head(30)

    def fail(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "symlink_to", fail)
        with pytest.raises(OSError, match="No space"):
            data_of(given)
    places = data_of(given).split("+")
    assert sum(len(list(Path(place).rglob("*.*"))) for place in places) == 30


def test_sources_generators_and_dates_reach_the_index(table: pd.DataFrame) -> None:
    is_fake = table["label"] == "fake"
    half = np.arange(len(table)) % 2 == 0
    described = table.assign(
        source=np.where(half, "mine", "yours"),
        generator=np.where(is_fake, np.where(half, "stylegan2", "brand_new"), ""),
        released=np.where(is_fake & ~half, "2025-03", None),
    )
    index = fakeface_bench.load_index(described, progress=False)
    fakes = index[index["label"] == FAKE]
    assert set(index["source"]) == {"mine", "yours"}
    assert set(fakes["generator"]) == {"stylegan2", "brand_new"}
    assert set(fakes.loc[fakes["generator"] == "brand_new", "released"]) == {"2025-03"}
    assert set(fakes.loc[fakes["generator"] == "stylegan2", "released"]) == {"2019-12"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(columns="label"), "has no column 'label': a table of pictures needs"),
        (lambda t: t.assign(age=3), "has the column 'age', which means nothing here"),
        (lambda t: t.head(0), "is empty"),
        (lambda t: t.assign(label="1"), "row 0 of data: label '1' is neither 'real' nor 'fake'"),
        (lambda t: t.assign(label=2), "label 2 is neither"),
        (lambda t: t.assign(split="holdout"), "split 'holdout' is not one of train, valid, test"),
        (lambda t: pd.concat([t, t.head(2)]), "more than once; name a file once"),
        (
            lambda t: t.assign(path=[f"/gone/{n}.png" for n in range(len(t))]),
            "are not there: /gone",
        ),
        (lambda t: t.assign(generator="mine"), "a real picture has the generator 'mine'"),
        (lambda t: t.assign(source="a/b"), "source 'a/b' holds a mark"),
        (lambda t: t.assign(source="s" * 300), "over 60 letters"),
        (lambda t: t.assign(path=None), "row 0 of data: path None is none"),
        (lambda t: t.assign(label=pd.NA), "label <NA> is neither"),
        (lambda t: t.assign(split=["train", *[None] * (len(t) - 1)]), "of 79 none: name all"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(
    table: pd.DataFrame, change: object, words: str
) -> None:
    with pytest.raises(UsageError) as told:
        data_of(change(table))  # type: ignore[operator]
    assert words in str(told.value)


def network(seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((32, 32, 3))
    scaled = keras.layers.Rescaling(1 / 255)(pixels)
    features = scaled
    for width in (4, 8):
        features = keras.layers.Conv2D(width, 3, strides=2, activation="relu")(features)
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    return keras.Model(pixels, pooled, name="my_network")


def test_tables_as_pandas_makes_them_are_read(table: pd.DataFrame) -> None:
    is_fake = table["label"] == "fake"
    described = table.assign(
        label=is_fake.astype(int),
        generator=np.where(is_fake, "new_one", None),
        released=np.where(is_fake, 2024.0, np.nan),
    )
    shuffled = described.sample(frac=1, random_state=0).convert_dtypes()
    index = fakeface_bench.load_index(shuffled, progress=False)
    fakes = index[index["label"] == FAKE]
    assert set(fakes["generator"]) == {"new_one"}
    assert set(fakes["released"]) == {"2024"}
    days = described.copy()
    days["released"] = pd.Series(pd.Timestamp("2024-05-03"), index=days.index).where(is_fake)
    of_days = fakeface_bench.load_index(days, progress=False)
    assert set(of_days.loc[of_days["label"] == FAKE, "released"]) == {"2024-05-03"}


def test_a_network_in_memory_is_kept_by_its_value() -> None:
    first, second = model_of(network()), model_of(network())
    assert first == second
    assert Path(first).name == "my_network.keras"
    assert model_of(network(seed=1)) != first
    assert model_of("mobilenetv3_small") == "mobilenetv3_small"
    renamed = network()
    renamed.name = "other_name"
    assert Path(model_of(renamed)).is_file()
    assert Path(model_of(renamed)).stem == "other_name"


def test_a_study_of_both(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    quicken(monkeypatch)
    progress = RecordedProgress()
    options = {"trials": 1, "epochs": 1, "progress": progress}
    study = fakeface_bench.run_study(model=network(), data=table, **options)
    assert study.predictions["y_score"].between(0, 1).all()
    assert len(study.predictions) == (table["split"] == "test").sum()
    again = fakeface_bench.run_study(model=network(), data=table.copy(), **options)
    assert again.run_id == study.run_id
