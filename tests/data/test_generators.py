"""What made each fake: told by a table, a dataset's row or folders, and dated."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.config import FAKE, REAL
from fakeface_bench.data.catalogue import DATASETS, dataset_named
from fakeface_bench.data.generators import GENERATORS, generator_named, release_dates, what_made
from fakeface_bench.data.index import build_index
from fakeface_bench.data.label_table import GENERATORS_FILE
from fakeface_bench.data.listing import PlacedImage
from fakeface_bench.data.selection import select_files
from fakeface_bench.data.sources import Source
from fakeface_bench.data.survey import Survey, survey_sources
from fakeface_bench.support.errors import DataError
from tests.conftest import RecordedProgress

pytestmark = pytest.mark.usefixtures("fresh_cache")
HEADER = "file,label,generator,released"


def draw(path: Path) -> None:
    """Write noise that is another for each path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = list("/".join(path.parts[-3:]).encode())
    noise = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    Image.fromarray(noise).save(path)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Two real images of each of two sources, two fakes of each of two generators."""
    root = tmp_path / "faces"
    for folder in ("real/ffhq", "real/unsplash", "fake/stylegan2", "fake/mine"):
        for number in range(2):
            draw(root / folder / f"{number}.png")
    return root


@pytest.fixture
def read(faces: Path, progress: RecordedProgress) -> Callable[..., Survey]:
    def surveyed(*lines: str) -> Survey:
        if lines:
            (faces / GENERATORS_FILE).write_text("\n".join(lines), encoding="utf-8")
        return survey_sources([Source("faces", faces)], progress)

    return surveyed


Read = Callable[..., Survey]


def made(survey: Survey) -> dict[str, tuple[str, str, str]]:
    """Return category, generator and date by folder."""
    folders = survey.files["path"].str.rpartition("/")[0]
    columns = survey.files[["category", "generator", "released"]]
    return {
        str(folder): next(rows.itertuples(index=False, name=None))
        for folder, rows in columns.groupby(folders)
    }


def test_folders_of_fakes_are_generators_and_known_ones_have_dates(read: Read) -> None:
    assert made(read()) == {
        "real/ffhq": ("ffhq", "", ""),
        "real/unsplash": ("unsplash", "", ""),
        "fake/stylegan2": ("stylegan2", "stylegan2", "2019-12"),
        "fake/mine": ("mine", "mine", ""),
    }


def test_a_table_comes_before_folders(read: Read) -> None:
    rows = [
        "fake/stylegan2/0.png,fake,Stable Diffusion 2.1,",
        "fake/stylegan2/1.png,fake,Stable Diffusion 2.1,",
        "fake/mine/0.png,fake,mine-2,2025-03-01",
        "fake/mine/1.png,,mine-2,",
        *(f"real/ffhq/{n}.png,real,FFHQ-256," for n in range(2)),
    ]
    survey = read(HEADER, *rows)
    assert made(survey) == {
        "real/ffhq": ("FFHQ-256", "", ""),
        "real/unsplash": ("unsplash", "", ""),
        "fake/stylegan2": ("stylegan2", "stable_diffusion_2_1", "2022-12"),
        "fake/mine": ("mine", "mine-2", "2025-03-01"),
    }
    assert survey.skipped.empty


def test_what_a_table_names_and_misses_is_told(read: Read, faces: Path) -> None:
    survey = read(HEADER, "fake/mine/0.png,fake,mine,", "fake/mine/9.png,fake,mine,")
    assert survey.skipped["reason"].tolist() == [
        "names a picture that is not there, 'fake/mine/9.png'",
        "names no generator of 3 of 4 fakes, such as 'fake/mine/1.png', "
        "'fake/stylegan2/0.png' and 'fake/stylegan2/1.png'",
    ]
    assert set(survey.skipped["path"]) == {str(faces / GENERATORS_FILE)}
    files = survey.files.set_index("path")
    assert files.loc["fake/mine/0.png", "generator"] == "mine"
    assert files.loc["fake/stylegan2/0.png", "generator"] == ""


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            [HEADER, "fake/mine/0.png,real,mine,"],
            "says that 'fake/mine/0.png' is real, and the folders that it is fake",
        ),
        (
            [HEADER, "fake/mine/0.png,fake,mine,soon"],
            "the generator 'mine' was released 'soon', which is no date; write 2022-12",
        ),
        ([HEADER, "fake/mine/0.png,fake,mine,2022-13"], "'2022-13', which is no date"),
        (
            [HEADER, "fake/mine/0.png,fake,mine,2022-12", "fake/mine/1.png,fake,mine,2023"],
            "'mine' was released 2022-12 and 2023; keep one date",
        ),
        (["file,label", "fake/mine/0.png,fake"], "has no column of generators; its columns are"),
        (["label,generator", "fake,mine"], "has no column of file names"),
        (
            [HEADER, "fake/mine/0.png,fake,mine,", "fake/mine/0.png,fake,sd15,"],
            "has several rows for 'fake/mine/0.png' that differ; keep one",
        ),
        (
            [HEADER, "fake/mine/0.png,fake,sd+lora,", "fake/mine/1.png,fake,sd lora,"],
            "the generators 'sd+lora' and 'sd lora' would both be named 'sd_lora'",
        ),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(read: Read, lines: list[str], words: str) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        read(*lines)


def test_names_hold_what_every_store_takes(read: Read, faces: Path) -> None:
    (faces / "fake/mine").rename(faces / "fake/SD 1.5 (LoRA), psi=0.7")
    assert set(read().files["generator"]) == {"", "stylegan2", "SD_1.5_LoRA_psi_0.7"}


def test_a_row_for_a_picture_elsewhere_names_no_other_of_that_name(read: Read) -> None:
    survey = read(HEADER, "fake/gone/1.png,fake,mine,", "fake\\mine\\0.png,fake,mine,")
    files = survey.files.set_index("path")["generator"]
    assert files[files != ""].to_dict() == {"fake/mine/0.png": "mine"}


def test_a_table_beside_the_class_folders_is_found_further_down(
    faces: Path, progress: RecordedProgress
) -> None:
    rows = "mine/0.png,fake,sd3,\nfake/mine/0.png,fake,sd3,"
    (faces / GENERATORS_FILE).write_text(f"{HEADER}\n{rows}")
    survey = survey_sources([Source("above", faces.parent)], progress)
    assert set(survey.files["generator"]) == {"", "stable_diffusion_3"}


def test_a_flat_folder_may_have_a_table_of_labels_beside_that_of_generators(
    tmp_path: Path, progress: RecordedProgress
) -> None:
    root = tmp_path / "flat"
    names = [f"{number}.png" for number in range(4)]
    for name in names:
        draw(root / name)
    labels = "\n".join(f"{name},{'real' if name < '2' else 'fake'}" for name in names)
    (root / "labels.csv").write_text(f"file,label\n{labels}")
    (root / GENERATORS_FILE).write_text(f"{HEADER}\n2.png,fake,sd3,\n3.png,fake,sd3,")
    survey = survey_sources([Source("flat", root)], progress)
    assert survey.files["generator"].tolist() == ["", "", *["stable_diffusion_3"] * 2]


def test_a_date_that_one_dataset_states_holds_in_all(
    faces: Path, tmp_path: Path, progress: RecordedProgress
) -> None:
    other = tmp_path / "other"
    for name in ("real/0.png", "fake/0.png"):
        draw(other / name)
    table = other / GENERATORS_FILE
    table.write_text(f"{HEADER}\nfake/0.png,fake,mine,2024-05")
    sources = [Source("faces", faces), Source("other", other)]
    files = survey_sources(sources, progress).files
    assert set(files.loc[files["generator"] == "mine", "released"]) == {"2024-05"}
    (faces / GENERATORS_FILE).write_text(f"{HEADER}\nfake/mine/0.png,fake,mine,2023")
    with pytest.raises(DataError, match="released 2023 and 2024-05; keep one date"):
        survey_sources(sources, progress)


def test_fakes_alone_are_joined_to_a_set_that_has_real_ones(
    faces: Path, tmp_path: Path, progress: RecordedProgress
) -> None:
    """As of `sfhq_t2i`, whose file names tell the generator and no folder the class."""
    row = dataset_named("sfhq_t2i")
    names = ("FLUX1_dev", "FLUX1_schnell", "SDXL", "DALLE3")
    for name in names:
        for number in range(8):
            draw(tmp_path / "sfhq" / "images" / f"{name}_image_{number:07}.png")
    for number in range(2, 9):
        draw(faces / "real/ffhq" / f"{number}.png")
        draw(faces / "fake/mine" / f"{number}.png")
    fakes = Source("sfhq_t2i", tmp_path / "sfhq", {}, row.generators, FAKE)
    with pytest.raises(DataError, match="sfhq_t2i holds fake images alone: join a dataset"):
        survey_sources([fakes], progress)
    alone = survey_sources([fakes], progress, one_class=True)
    made = alone.files["generator"].value_counts().to_dict()
    assert made == {"flux_1": 16, "stable_diffusion_xl": 8, "dalle_3": 8}
    assert set(alone.files["released"]) == {"2023-07", "2023-10", "2024-08"}
    survey = survey_sources([Source("faces", faces), fakes], progress)
    index = build_index(survey, select_files(survey, 0), 0, progress)
    assert "sfhq_t2i holds fake images alone: whatever tells it" in progress.warnings[-1]
    of_fakes = index.frame[index.frame["source"] == "sfhq_t2i"]
    assert set(of_fakes["label"]) == {FAKE}
    assert set(of_fakes["split"]) == {"train", "valid", "test"}
    assert len(of_fakes) == 32


def test_two_sets_of_fakes_make_no_study(tmp_path: Path, progress: RecordedProgress) -> None:
    sources = []
    for name in ("one", "other"):
        for number in range(8):
            draw(tmp_path / name / "fake" / f"{number}.png")
        sources.append(Source(name, tmp_path / name))
    survey = survey_sources(sources, progress)
    with pytest.raises(DataError, match="no usable real image in 'train' of one"):
        build_index(survey, select_files(survey, 0), 0, progress)


def test_dates_are_those_that_are_stated_else_known() -> None:
    fakes = pd.DataFrame(
        [("stylegan2", ""), ("mine", "2024"), ("mine", ""), ("new", ""), ("", "2022-03")],
        columns=["generator", "released"],
    )
    assert release_dates(fakes).tolist() == ["2019-12", "2024", "2024", "", "2022-03"]


def test_what_real_images_bear_too_is_no_generator(tmp_path: Path) -> None:
    """Folders of what is shown, numbers of shards, and a known generator's own real images."""
    images = [
        PlacedImage(tmp_path / f"{number}.png", None, label, category)
        for number, (label, category) in enumerate(
            [
                *((REAL, "women"), (FAKE, "women"), (FAKE, "00012"), (REAL, "sdv5")),
                *((FAKE, "sdv5"), (FAKE, "progan/car"), (FAKE, "")),
            ]
        )
    ]
    found = what_made(tmp_path, images, {}, {})
    assert found.generators == ["", "", "", "", "stable_diffusion_1_5", "progan", ""]


def test_the_row_of_a_dataset_tells_by_paths(tmp_path: Path) -> None:
    names = ["a/text2img/0.jpg", "a/insight/0.jpg", "b/0.jpg", "real/text2img/0.jpg"]
    labels = [FAKE, FAKE, FAKE, REAL]
    images = [
        PlacedImage(tmp_path / name, None, label, "folder")
        for name, label in zip(names, labels, strict=True)
    ]
    rules = {"text2img/": "stable_diffusion_1_5", "^a/": "inswapper"}
    found = what_made(tmp_path, images, rules, {})
    assert found.generators == ["stable_diffusion_1_5", "inswapper", "", ""]
    assert what_made(tmp_path, images, {"": "stylegan"}, {}).generators == ["stylegan"] * 3 + [""]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("StyleGAN2", "stylegan2"),
        ("stable-diffusion v1.5", "stable_diffusion_1_5"),
        ("SD 2.1", "stable_diffusion_2_1"),
        ("stable_diffusion_v_1_4", "stable_diffusion_1_4"),
        ("DALL·E 3", "dalle_3"),
        ("FLUX1_schnell", "flux_1"),
        ("SDXL", "stable_diffusion_xl"),
    ],
)
def test_a_generator_is_known_however_it_is_written(name: str, key: str) -> None:
    row = generator_named(name)
    assert row is not None
    assert row.key == key


def test_no_two_generators_share_a_name_and_all_are_in_order_of_time() -> None:
    names = [name for row in GENERATORS for name in (row.key.replace("_", ""), *row.also)]
    assert len(names) == len(set(names))
    dates = [row.released for row in GENERATORS]
    assert dates == sorted(dates)
    assert all(re.fullmatch(r"\d{4}-\d{2}", date) for date in dates)
    assert all(generator_named(row.title) is row for row in GENERATORS)


def test_rows_of_datasets_name_known_generators() -> None:
    named = [name for row in DATASETS for name in row.generators.values()]
    assert {"stylegan", "stylegan2"} <= set(named)
    assert all(generator_named(name) for name in named)


def test_generators_travel_into_the_index_and_can_be_left_out(
    faces: Path, progress: RecordedProgress
) -> None:
    for number in range(2, 9):
        draw(faces / "real/ffhq" / f"{number}.png")
        draw(faces / "fake/stylegan2" / f"{number}.png")
        draw(faces / "fake/mine" / f"{number}.png")
    survey = survey_sources([Source("faces", faces)], progress)
    files = select_files(survey, 0)
    index = build_index(survey, files, 0, progress)
    assert set(index.frame["generator"]) == {"", "stylegan2", "mine"}
    without = build_index(survey, files, 0, progress, ["generator/mine"])
    assert without.name == "faces without mine"
    assert set(without.frame["generator"]) == {"", "stylegan2"}
    rest = index.frame[index.frame["generator"] != "mine"].reset_index(drop=True)
    pd.testing.assert_frame_equal(without.frame, rest)
