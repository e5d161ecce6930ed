"""Datasets as users bring them: each is read as it is, or refused with the one thing to do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.config import (
    FAKE,
    REAL,
    AuditConfig,
    EvaluateConfig,
    GeneraliseConfig,
    RobustnessConfig,
    StudyConfig,
    SuiteConfig,
)
from fakeface_bench.data.catalogue import dataset_named
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.expected import differences
from fakeface_bench.data.index import ImageIndex, build_index
from fakeface_bench.data.selection import select_files
from fakeface_bench.data.sources import prepare_sources
from fakeface_bench.data.survey import survey_sources
from fakeface_bench.resolve import checked
from fakeface_bench.support.errors import DataError, UsageError
from fakeface_bench.support.request import Request
from tests.conftest import RecordedProgress

pytestmark = pytest.mark.usefixtures("fresh_cache")


class Tree:
    """A folder that is filled with pictures, each of its own contents."""

    def __init__(self, root: Path) -> None:
        self.root, self.written = root, 0
        root.mkdir()

    def put(self, folder: str, images: int = 8, suffix: str = ".png") -> "Tree":
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(images):
            noise = np.random.default_rng(self.written).integers(0, 256, (12, 12, 3), np.uint8)
            Image.fromarray(noise).save(self.root / folder / f"{number:03}{suffix}")
            self.written += 1
        return self


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "faces")


@pytest.fixture
def read(tree: Tree, progress: RecordedProgress) -> Callable[..., ImageIndex]:
    def indexed(classes: str = "", at: str = "") -> ImageIndex:
        sources = prepare_sources(str(tree.root / at), progress, classes)
        survey = survey_sources(sources, progress)
        return build_index(survey, select_files(survey, 0), 0, progress)

    return indexed


Read = Callable[..., ImageIndex]


def sizes(index: ImageIndex) -> dict[str, list[int]]:
    """Return the numbers of real and fake images by split."""
    counts = index.frame.groupby(["split", "label"]).size().unstack(fill_value=0)
    return {split: counts.loc[split].tolist() for split in SPLITS}


def categories(index: ImageIndex, label: int = FAKE) -> set[str]:
    return set(index.frame.loc[index.frame["label"] == label, "category"])


def test_train_and_test_only_as_in_cifake(
    tree: Tree, read: Read, progress: RecordedProgress
) -> None:
    for name in ("REAL", "FAKE"):
        tree.put(f"train/{name}", 17).put(f"test/{name}", 4)
    index = read()
    assert sizes(index) == {"train": [14, 14], "valid": [3, 3], "test": [4, 4]}
    assert index.split("test")["path"].str.startswith("test/").all()
    assert progress.warnings == [
        "faces has no labelled valid split: 6 of the 34 images of its train are drawn for it, "
        "copies kept together"
    ]


def test_train_and_val_only_as_in_genimage(
    tree: Tree, read: Read, progress: RecordedProgress
) -> None:
    for name in ("nature", "ai"):
        tree.put(f"train/{name}", 12).put(f"val/{name}", 6)
    index = read()
    assert sizes(index) == {"train": [12, 12], "valid": [3, 3], "test": [3, 3]}
    assert progress.warnings == [
        "faces has no labelled test split: 6 of the 12 images of its valid are drawn for it, "
        "copies kept together; test metrics are not those of a published protocol"
    ]


def test_generators_between_split_and_class_as_in_genimage(tree: Tree, read: Read) -> None:
    for split in ("train", "val"):
        for generator in ("biggan", "sdv5"):
            for name in ("nature", "ai"):
                tree.put(f"{split}/{generator}/{name}", 6)
    index = read()
    assert sizes(index) == {"train": [12, 12], "valid": [6, 6], "test": [6, 6]}
    assert categories(index) == categories(index, REAL) == {"biggan", "sdv5"}


def test_categories_and_generators_as_in_forensynths(tree: Tree, read: Read) -> None:
    for name in ("0_real", "1_fake"):
        tree.put(f"train/car/{name}").put(f"train/cat/{name}").put(f"val/car/{name}", 4)
        tree.put(f"test/progan/car/{name}", 3).put(f"test/crn/{name}", 3)
    index = read()
    assert sizes(index) == {"train": [16, 16], "valid": [4, 4], "test": [6, 6]}
    assert categories(index) == {"car", "cat", "progan/car", "crn"}
    first = index.split("test").iloc[0]
    assert first["path"].startswith("test/")


def test_folders_within_the_classes_are_categories_and_no_classes(tree: Tree, read: Read) -> None:
    tree.put("fake/stylegan2/seed1").put("fake/sd 2.1").put("fake", 4).put("real/ffhq/real", 9)
    tree.put("real/images", 9)
    index = read()
    assert sum(map(sum, sizes(index).values())) == 38
    assert categories(index) == {"stylegan2", "sd 2.1", ""}
    assert categories(index, REAL) == {"ffhq", ""}


@pytest.mark.parametrize(
    ("key", "folders"),
    [
        ("stylegan3", {"real": "Real faces", "fake": "Fake faces"}),
        (
            "openforensics",
            {
                f"{split}/{name}": f"Dataset/{folder}/{name.title()}"
                for split, folder in zip(SPLITS, ("Train", "Validation", "Test"), strict=True)
                for name in ("real", "fake")
            },
        ),
        (
            "human_faces",
            {
                "real": "Human Faces Dataset/Real Images",
                "fake": "Human Faces Dataset/AI-Generated Images",
            },
        ),
    ],
)
def test_rows_that_were_never_fetched_are_read_as_public_code_reads_them(
    tree: Tree, read: Read, key: str, folders: dict[str, str]
) -> None:
    row = dataset_named(key)
    assert row.unchecked
    for folder in folders.values():
        tree.put(folder, 9, ".jpg")
    (tree.root / "metadata.csv").write_text("image_id,image_type\n0,real\n")
    index = read()
    assert sum(map(sum, sizes(index).values())) == 9 * len(folders)
    found = {line.partition(" ")[0] for line in differences(row, tree.root)}
    assert found == set(folders)


def test_a_category_moves_no_digest(tree: Tree, read: Read, tmp_path: Path) -> None:
    tree.put("fake/gan", 8).put("real/ffhq", 8)
    apart = read()
    for name in ("fake/gan", "real/ffhq"):
        for file in (tree.root / name).iterdir():
            shutil.move(file, tree.root / name.partition("/")[0] / file.name)
    together = read()
    assert categories(apart) == {"gan"}
    assert categories(together) == {""}
    assert apart.digest == together.digest
    assert all(apart.split_digest(s) == together.split_digest(s) for s in SPLITS)


@pytest.mark.parametrize("wrapped", ["real/images", "real/images/256"])
def test_an_images_folder_inside_each_class(tree: Tree, read: Read, wrapped: str) -> None:
    tree.put(wrapped).put(wrapped.replace("real", "fake"))
    assert sum(map(sum, sizes(read()).values())) == 16


def test_splits_within_an_images_folder_inside_each_class(tree: Tree, read: Read) -> None:
    for name in ("real", "fake"):
        for split, images in (("train", 6), ("val", 3), ("test", 2)):
            tree.put(f"{name}/images/{split}", images)
    assert sizes(read()) == {"train": [6, 6], "valid": [3, 3], "test": [2, 2]}


def test_faceforensics_keeps_the_frames_of_videos_that_share_a_face_together(
    tree: Tree, read: Read
) -> None:
    for first, second in ((n, n + 1) for n in range(0, 24, 2)):
        for one, other in ((first, second), (second, first)):
            tree.put(f"original_sequences/youtube/c23/images/{one:03}", 2)
            for method in ("Deepfakes", "NeuralTextures"):
                tree.put(f"manipulated_sequences/{method}/c23/images/{one:03}_{other:03}", 1)
    index = read()
    assert sum(map(sum, sizes(index).values())) == 96
    assert categories(index) == {"Deepfakes", "NeuralTextures"}
    assert categories(index, REAL) == {"youtube"}
    video = index.frame["path"].str.extract(r"/(\d{3})[^/]*/\d+\.png$")[0].astype(int) // 2
    assert (index.frame.groupby(video)["split"].nunique() == 1).all()
    assert index.frame.groupby(video)["split"].first().nunique() == 3


def test_faceforensics_as_it_comes_is_told_to_be_videos(tree: Tree, read: Read) -> None:
    for name in ("original_sequences/youtube/c23", "manipulated_sequences/Deepfakes/c23"):
        (tree.root / name / "videos").mkdir(parents=True)
        (tree.root / name / "videos" / "000.mp4").write_bytes(b"video")
    with pytest.raises(DataError, match=r"no JPEG, PNG or WebP image; .*mp4: a video: save its fr"):
        read()


def test_videos_alone_are_told_to_be_videos(tree: Tree, read: Read) -> None:
    for number in range(3):
        (tree.root / f"{number}.MP4").write_bytes(b"video")
    with pytest.raises(DataError, match=r"holds videos \(3\) and no picture: save the frames"):
        read()


def test_folders_0_and_1_are_refused_until_it_is_said_which_is_fake(tree: Tree, read: Read) -> None:
    tree.put("0").put("1", 12)
    with pytest.raises(DataError, match=r"do not say which is fake.* classes=real:0,fake:1, or"):
        read()
    index = read(classes="real:0,fake:1")
    assert index.frame["label"].value_counts().to_dict() == {REAL: 8, FAKE: 12}
    assert read(classes="fake:0,real:1").frame["label"].value_counts()[FAKE] == 8


def test_classes_of_another_language_are_refused_until_they_are_named(
    tree: Tree, read: Read
) -> None:
    for split in SPLITS:
        tree.put(f"{split}/echt", 4).put(f"{split}/gefälscht", 5)
    with pytest.raises(
        DataError, match=r"If 'echt' and 'gefälscht' .* classes=real:echt,fake:gefälscht, or the"
    ):
        read()
    assert sizes(read(classes="real:Echt, fake:GEFÄLSCHT")) == {split: [4, 5] for split in SPLITS}


def test_one_class_of_another_language_is_suggested_as_the_other(tree: Tree, read: Read) -> None:
    tree.put("real").put("midjourney")
    with pytest.raises(DataError, match=r"If 'midjourney' is it, say so: classes=fake:midjourney"):
        read()
    assert sum(map(sum, sizes(read(classes="fake:midjourney")).values())) == 16


def test_a_named_class_comes_before_a_known_word(tree: Tree, read: Read) -> None:
    tree.put("original", 6).put("fake", 9)
    assert read(classes="fake:original,real:fake").frame["label"].sum() == 6


@pytest.mark.parametrize(
    ("classes", "description"),
    [
        ("nature", "not understood at 'nature'; write pairs such as 'real:nature,fake:ai'"),
        ("real:a,genuine:b", "not understood at 'genuine:b'"),
        ("real:", "not understood at 'real:'"),
        ("real:a,fake:A", "gives 'A' to both classes; keep one of them"),
    ],
)
def test_classes_that_are_not_understood(read: Read, classes: str, description: str) -> None:
    with pytest.raises(UsageError, match=description):
        read(classes=classes)


@pytest.mark.parametrize("names", [("versions/1",), ("versions/2", "versions/10", "versions/9")])
def test_a_download_of_kagglehub_is_read_from_above_its_versions(
    tree: Tree, read: Read, names: tuple[str, ...]
) -> None:
    for name in names:
        for split in SPLITS:
            for label in ("real", "fake"):
                tree.put(f"{name}/real_vs_fake/real-vs-fake/{split}/{label}", 3)
    assert sizes(read()) == {split: [3, 3] for split in SPLITS}
    newest = max(names, key=lambda name: int(name.partition("/")[2]))
    assert read().frame["path"].str.startswith(f"{newest}/").all()


def test_an_unlabelled_test_is_told_and_not_used(
    tree: Tree, read: Read, progress: RecordedProgress
) -> None:
    tree.put("train/real", 20).put("train/fake", 20).put("test", 5)
    assert sizes(read()) == {"train": [14, 14], "valid": [3, 3], "test": [3, 3]}
    folder = str(tree.root / "test")
    assert progress.warnings[0] == f"not read: {folder!r}: holds 5 pictures of test without a label"
    assert [line.partition(":")[0] for line in progress.warnings[1:]] == [
        "faces has no labelled valid split",
        "faces has no labelled test split",
    ]


def test_hidden_folders_within_classes_are_not_read(
    tree: Tree, read: Read, progress: RecordedProgress
) -> None:
    tree.put("real").put("fake").put("real/.ipynb_checkpoints", 3)
    assert sum(map(sum, sizes(read()).values())) == 16
    folder = str(tree.root / "real" / ".ipynb_checkpoints")
    why = "a hidden folder, whose pictures are not read"
    assert progress.warnings == [f"not read: {folder!r}: {why}"]


@pytest.mark.parametrize("brand", [b"avif", b"heic", b"mif1"])
def test_pictures_of_a_phone_called_jpg_are_told_by_what_they_are(
    tree: Tree, read: Read, brand: bytes
) -> None:
    tree.put("real").put("fake")
    for file in (tree.root / "fake").iterdir():
        file.write_bytes(b"\x00\x00\x00\x1cftyp" + brand + bytes(100))
    kind = "AVIF" if brand == b"avif" else "HEIC"
    with pytest.raises(DataError, match=f"its content is {kind}, whatever it is called; convert"):
        read()


def test_three_different_pictures_of_a_class_are_one_in_each_split(tree: Tree, read: Read) -> None:
    tree.put("real", 3).put("fake", 3)
    for number in range(3):
        shutil.copy(tree.root / "real" / f"{number:03}.png", tree.root / "real" / f"c{number}.png")
    assert sizes(read()) == {split: [2, 1] for split in SPLITS}


def test_a_class_too_small_is_named_with_its_number(tree: Tree, read: Read) -> None:
    tree.put("real", 9).put("fake", 2)
    shutil.copy(tree.root / "fake" / "000.png", tree.root / "fake" / "again.png")
    with pytest.raises(
        DataError,
        match=r"^faces is too small to be split .*: it shows 2 different fake pictures \(in 3 "
        r"files\); 3 of each class are needed, and copies of one picture count once. Add",
    ):
        read()


def test_a_split_too_small_to_be_divided_is_named_with_its_number(tree: Tree, read: Read) -> None:
    tree.put("train/real").put("train/fake").put("val/real", 1).put("val/fake", 5)
    with pytest.raises(
        DataError,
        match=r"in 'test' of faces, which is drawn from 'valid': it shows 1 different real "
        "picture; 2 of each class are needed",
    ):
        read()


def table(tree: Tree, name: str, **columns: list[str]) -> None:
    pd.DataFrame(columns).to_csv(tree.root / name, index=False)


def names_of(tree: Tree, folder: str = "") -> list[str]:
    return sorted(path.name for path in (tree.root / folder).glob("*.png"))


@pytest.mark.parametrize("column", ["path", "file", "filename", "image", "Image_Name"])
@pytest.mark.parametrize(
    "labels",
    [
        ("label", "real", "FAKE"),
        ("class", "0_real", "1_fake"),
        ("is_fake", "0", "1"),
        ("is_real", "yes", "no"),
        ("target", "original", "deepfake"),
        ("Is Fake", "False", "True"),
    ],
)
@pytest.mark.parametrize("folder", ["", "images"])
def test_a_table_of_names_and_labels(
    tree: Tree,
    read: Read,
    progress: RecordedProgress,
    column: str,
    labels: tuple[str, str, str],
    folder: str,
) -> None:
    tree.put(folder, 20)
    label, real, fake = labels
    columns = {"n": ["x"] * 20, column: names_of(tree, folder), label: [real] * 8 + [fake] * 12}
    table(tree, "labels.csv", **columns)
    frame = read().frame
    assert frame["label"].value_counts().to_dict() == {REAL: 8, FAKE: 12}
    assert (frame["path"].str.extract(r"(\d+)\.png$")[0].astype(int) >= 8).eq(frame["label"]).all()
    assert "faces: labels are those of labels.csv" in progress.lines


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_table_with_other_marks_splits_and_generators(tree: Tree, read: Read, mark: str) -> None:
    tree.put("pictures", 24)
    frame = pd.DataFrame(
        {
            "file_path": [
                f"/kaggle/input/x/pictures/{name}" for name in names_of(tree, "pictures")
            ],
            "label": ["real", "fake"] * 12,
            "split": ["train"] * 12 + ["Validation"] * 6 + ["test"] * 6,
            "generator": ["", "sd3"] * 12,
        }
    )
    frame.to_csv(tree.root / "meta.csv", sep=mark, index=False, encoding="utf-8-sig")
    index = read()
    assert sizes(index) == {"train": [6, 6], "valid": [3, 3], "test": [3, 3]}
    assert (categories(index), categories(index, REAL)) == ({"sd3"}, {""})


def test_a_table_for_each_split(tree: Tree, read: Read, progress: RecordedProgress) -> None:
    """That of test has no labels, as where a competition keeps them."""
    for split in ("train", "val", "test"):
        tree.put(split, 12)
        columns = {"id": names_of(tree, split), "image": [n[:3] for n in names_of(tree, split)]}
        labels = {} if split == "test" else {"label": ["real", "fake"] * 6}
        table(tree, f"{split}.csv", **columns, **labels)
    index = read()
    assert sizes(index) == {"train": [6, 6], "valid": [3, 3], "test": [3, 3]}
    assert index.split("train")["path"].str.startswith("train/").all()
    description = (
        f"not read: {str(tree.root)!r}: holds 12 pictures that train.csv and val.csv does not"
    )
    assert progress.warnings[0].startswith(description)


def test_numbers_in_a_table_are_refused_until_it_is_said_which_is_fake(
    tree: Tree, read: Read
) -> None:
    tree.put("", 12)
    table(tree, "labels.csv", image=names_of(tree), label=["0", "1"] * 6)
    with pytest.raises(DataError, match=r"'label' of labels.csv .* classes=real:0,fake:1, or the"):
        read()
    assert read(classes="fake:0,real:1").frame["label"].value_counts().to_dict() == {0: 6, 1: 6}


def test_folder_names_come_before_a_table(tree: Tree, read: Read) -> None:
    tree.put("real").put("fake", 9)
    table(tree, "labels.csv", image=["000.png"], label=["fake"])
    assert read().frame["label"].sum() == 9


def test_a_table_comes_before_the_folder_of_one_class(tree: Tree, read: Read) -> None:
    tree.put("original", 12)
    table(tree, "labels.csv", image=names_of(tree, "original"), label=["real", "fake"] * 6)
    assert read().frame["label"].sum() == 6


def test_what_a_table_and_a_folder_do_not_share_is_told(
    tree: Tree, read: Read, progress: RecordedProgress
) -> None:
    tree.put("", 14)
    names = [*names_of(tree)[:12], "gone.png", "away.png"]
    table(tree, "labels.csv", image=names, label=["real", "fake"] * 7)
    assert len(read().frame) == 12
    assert progress.warnings == [
        f"not read: {str(tree.root / 'labels.csv')!r}: names 2 pictures that are not there, such "
        "as 'gone.png' and 'away.png'",
        f"not read: {str(tree.root)!r}: holds 2 pictures that labels.csv does not label",
    ]


def test_a_table_cannot_lead_out_of_its_folder(tree: Tree, read: Read, tmp_path: Path) -> None:
    tree.put("", 12)
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.png")
    names = ["../secret.png", str(tmp_path / "secret.png"), *names_of(tree)]
    table(tree, "labels.csv", image=names, label=["real", "fake"] * 7)
    assert not read().frame["path"].str.contains("secret").any()


@pytest.mark.parametrize(
    ("columns", "description"),
    [
        (
            {"image": ["000.png", "000.png"], "label": ["real", "fake"]},
            "several rows for '000.png'",
        ),
        ({"image": ["x.png"], "label": ["real"]}, "none of the pictures that labels.csv names"),
        (
            {"image": ["000.png"], "label": ["real"], "split": ["holdout"]},
            "has the split 'holdout'; there is train, valid and test",
        ),
        ({"image": ["001.png"], "label": ["real"]}, r"names '001.png', which 2 pictures could be"),
        ({"image": ["000.png", "002.png"], "label": ["cat", "dog"]}, "classes=real:cat,fake:dog"),
    ],
)
def test_tables_that_contradict_themselves(
    tree: Tree, read: Read, columns: dict[str, list[str]], description: str
) -> None:
    tree.put("a", 3).put("b", 3)
    (tree.root / "a" / "000.png").unlink()
    (tree.root / "a" / "002.png").unlink()
    table(tree, "labels.csv", **columns)
    with pytest.raises(DataError, match=description):
        read()


def test_several_tables_of_labels_are_refused_by_name(tree: Tree, read: Read) -> None:
    tree.put("", 2)
    for name in ("a.csv", "b.csv"):
        table(tree, name, image=names_of(tree), label=["real", "fake"])
    with pytest.raises(DataError, match=r"several tables of labels \('a.csv' and 'b.csv'\); keep"):
        read()


def test_a_table_that_cannot_be_read_is_named(tree: Tree, read: Read) -> None:
    tree.put("", 2)
    (tree.root / "labels.csv").write_bytes(b"\xff\xfe\x00image,label\n")
    with pytest.raises(DataError, match=r"labels\.csv cannot be read as a table: "):
        read()


@pytest.mark.parametrize(
    "asked",
    [
        lambda classes: StudyConfig(classes=classes),
        lambda classes: AuditConfig(classes=classes),
        lambda classes: EvaluateConfig(classes=classes),
        lambda classes: RobustnessConfig(data="synthetic", classes=classes),
        lambda classes: GeneraliseConfig(study=StudyConfig(classes=classes)),
        lambda classes: SuiteConfig(study=StudyConfig(classes=classes)),
    ],
)
def test_every_job_refuses_classes_that_are_not_understood_before_it_begins(
    asked: Callable[[str], Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")  # where `best` may be
    checked(asked("real:nature,fake:ai"))
    with pytest.raises(UsageError, match="classes 'nature' is not understood at 'nature'"):
        checked(asked("nature"))


def test_classes_without_data_are_refused() -> None:
    with pytest.raises(UsageError, match="classes names the folders of data, and data is empty"):
        checked(RobustnessConfig(classes="real:a"))
