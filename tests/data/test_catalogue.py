"""What the catalogue says of each dataset, and that its rows are whole."""

import re

import pytest

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.catalogue import DATASETS, dataset_named
from fakeface_bench.data.dataset import Dataset
from fakeface_bench.data.kaggle import fetch_kaggle
from fakeface_bench.data.sources import check_data
from fakeface_bench.data.synthetic.dataset import split_sizes
from fakeface_bench.support.errors import UsageError

KAGGLE = [row for row in DATASETS if row.prepare is fetch_kaggle]


def test_the_datasets_and_their_facts() -> None:
    facts = {row.key: (row.images, row.image_size_px, row.kind, row.source) for row in DATASETS}
    assert facts == {
        "synthetic": (2_000, 256, "drawn", "drawn by fakeface_bench"),
        "140k": (140_000, 256, "GAN (StyleGAN)", "xhlulu/140k-real-and-fake-faces"),
        "ciplab": (2_041, 600, "composite (Photoshop)", "ciplab/real-and-fake-face-detection"),
        "hardfakevsreal": (1_289, 300, "GAN (StyleGAN2)", "hamzaboulahia/hardfakevsrealfaces"),
        "stylegan3": (20_000, 1_024, "GAN (StyleGAN3)", "troykueh/real-vs-fake-faces-stylegan3"),
        "openforensics": (
            190_335,
            256,
            "swap (OpenForensics)",
            "manjilkarki/deepfake-and-real-images",
        ),
        "sfhq_t2i": (
            122_726,
            1_024,
            "diffusion",
            "selfishgene/sfhq-t2i-synthetic-faces-from-text-2-image-models",
        ),
        "deepfakeface": (120_000, 0, "diffusion and swap", "OpenRL/DeepFakeFace"),
        "human_faces": (
            9_630,
            0,
            "not stated",
            "kaustubhdhote/human-faces-dataset",
        ),
    }


def test_the_counts_by_split_and_class() -> None:
    assert dataset_named("140k").counts == {
        (split, name): count
        for split, count in (("train", 50_000), ("valid", 10_000), ("test", 10_000))
        for name in CLASS_NAMES
    }
    assert dataset_named("ciplab").counts == {(None, "real"): 1_081, (None, "fake"): 960}
    assert dataset_named("hardfakevsreal").counts == {(None, "real"): 589, (None, "fake"): 700}


def test_the_embedded_faces_are_counted_as_they_are_drawn() -> None:
    row = dataset_named("synthetic")
    drawn = split_sizes(row.images // 2)
    assert row.counts == {(split, c): n for split, n in drawn.items() for c in CLASS_NAMES}


@pytest.mark.parametrize("row", DATASETS, ids=lambda row: row.key)
def test_a_row_says_its_terms_in_one_line_each(row: Dataset) -> None:
    for text in (row.title, row.source, row.layout, row.kind, row.licence, row.citation):
        assert text
        assert text == " ".join(text.split())


@pytest.mark.parametrize("row", KAGGLE, ids=lambda row: row.key)
def test_a_kaggle_row_points_to_its_own_page(row: Dataset) -> None:
    assert re.fullmatch(r"[a-z0-9]+/[a-z0-9-]+", row.source)
    assert row.url == f"https://www.kaggle.com/datasets/{row.source}"


def test_a_name_that_is_no_dataset_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no dataset 'cipla'; did you mean 'ciplab'"):
        dataset_named("cipla")
    with pytest.raises(UsageError, match="no dataset or folder 'cipla'; did you mean 'ciplab'"):
        check_data("cipla")
