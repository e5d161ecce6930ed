"""Facts of the embedded set: its layout, its repeatability, and that only real traces tell."""

import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from PIL import Image, features
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fakeface_bench.data.synthetic import dataset
from fakeface_bench.data.synthetic.dataset import LABELS, ROOT, SPLITS, split_sizes, write_synthetic
from fakeface_bench.support.errors import DataError

PINNED_WITH = ("13.0.0", "3.2.0")
PINNED = {
    "train/real/00000.jpg": "5c15f0a960f769069f5e020d40c43a620e3e0c819f7cf4cb39901e6a3ac09628",
    "train/fake/00003.jpg": "58653219b1dee00ec90f38e6727fb411b86184af353ed501ba7fe18042f59647",
    "test/fake/00002.jpg": "7dba0a4ef078a573b795c943cde961091f22243c1d3e71ac6e52cfaf45573740",
}
PINNED_SETS = {
    40: "10d6730f576eab382842bebffdfaf4ec3088ed410a97d8563960a7ee84beca4e",
    2000: "8a0d264b5f737208200882c932a8cc59011840a9236d34b2f9b7f39f66fe7938",
}
"""SHA-256 of the digests of all files of a set, in the order of their paths."""


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, by its path below the set's root."""
    root = folder / ROOT
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*.jpg"))
    }


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of 40 images."""
    folder = tmp_path_factory.mktemp("small")
    write_synthetic(folder, images=40)
    return folder


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The set as studies use it: 2,000 images of seed 0."""
    folder = tmp_path_factory.mktemp("full")
    write_synthetic(folder)
    return folder


def files(folder: Path) -> tuple[list[Path], Any, Any]:
    """Paths, whether each is a fake, and splits, all in one order."""
    rows = [
        (path, label == "fake", split)
        for split in SPLITS
        for label in LABELS
        for path in sorted((folder / ROOT / split / label).iterdir())
    ]
    return [r[0] for r in rows], np.array([r[1] for r in rows]), np.array([r[2] for r in rows])


def aucs(folder: Path, values: Any) -> tuple[float, float]:
    """ROC AUC of a logistic regression: over five folds of all, and from train to test."""
    _, fake, split = files(folder)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    order = np.random.default_rng(0).permutation(len(fake))
    crossed = cross_val_predict(model, values[order], fake[order], method="decision_function")
    train, test = split == "train", split == "test"
    held_out = model.fit(values[train], fake[train]).decision_function(values[test])
    return roc_auc_score(fake[order], crossed), roc_auc_score(fake[test], held_out)


def test_layout_and_counts(small: Path) -> None:
    assert split_sizes(20) == {"train": 14, "valid": 3, "test": 3}
    expected = {
        f"{split}/{label}/{number:05d}.jpg"
        for split, size in split_sizes(20).items()
        for label in LABELS
        for number in range(size)
    }
    assert set(digests(small)) == expected
    assert sum(path.is_file() for path in small.rglob("*")) == 40


@pytest.mark.slow
def test_full_set_has_the_promised_splits(full: Path) -> None:
    counts = Counter(path.rsplit("/", 1)[0] for path in digests(full))
    assert counts == {
        "train/real": 700, "train/fake": 700, "valid/real": 150, "valid/fake": 150,
        "test/real": 150, "test/fake": 150,
    }  # fmt: skip


def test_images_are_rgb_jpeg_of_256_px(small: Path) -> None:
    for path in files(small)[0]:
        with Image.open(path) as image:
            image.load()
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (256, 256))


@pytest.mark.slow
def test_no_two_images_are_equal(full: Path) -> None:
    assert len(set(digests(full).values())) == 2000


@pytest.mark.slow
def test_an_image_depends_on_neither_processes_nor_the_number_of_images(
    small: Path, full: Path
) -> None:
    """40 images are drawn in this process, 2,000 in as many as there are cores."""
    every = digests(full)
    assert {path: every[path] for path in digests(small)} == digests(small)


def test_several_processes_draw_what_one_draws(tmp_path: Path, small: Path) -> None:
    written = sum(dataset._draw_apart(made_folders(tmp_path), 40, 0, workers=3))
    assert written == 40
    assert digests(tmp_path) == digests(small)


def made_folders(folder: Path) -> Path:
    """The same folder, with the set's empty folders in it."""
    for split in SPLITS:
        for label in LABELS:
            (folder / ROOT / split / label).mkdir(parents=True)
    return folder


def test_another_seed_gives_other_images(tmp_path: Path, small: Path) -> None:
    write_synthetic(tmp_path, images=14, seed=1)
    assert not set(digests(tmp_path).values()) & set(digests(small).values())


pinned = pytest.mark.skipif(
    (PIL.__version__, features.version("libjpeg_turbo")) != PINNED_WITH,
    reason="the pinned bytes are those of Pillow {} with libjpeg-turbo {}".format(*PINNED_WITH),
)


@pinned
def test_bytes_are_those_of_every_other_machine(small: Path) -> None:
    made = digests(small)
    assert {path: made[path] for path in PINNED} == PINNED


@pinned
@pytest.mark.parametrize(
    ("fixture", "images"), [("small", 40), pytest.param("full", 2000, marks=pytest.mark.slow)]
)
def test_bytes_of_whole_sets(fixture: str, images: int, request: pytest.FixtureRequest) -> None:
    made = digests(request.getfixturevalue(fixture))
    assert len(made) == images
    together = "".join(made[path] for path in sorted(made)).encode()
    assert hashlib.sha256(together).hexdigest() == PINNED_SETS[images]


def test_progress_counts_every_image(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_synthetic(tmp_path, images=20, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 20) for done in range(1, 21)]


def test_an_interrupted_caller_leaves_no_process_drawing(tmp_path: Path) -> None:
    drawing = dataset._draw_apart(made_folders(tmp_path), 2000, 0, workers=2)
    next(drawing)
    drawing.close()  # type: ignore[attr-defined]
    before = len(digests(tmp_path))
    subprocess.run([sys.executable, "-c", "import time; time.sleep(0.5)"], check=True)
    assert len(digests(tmp_path)) == before < 2000


def test_a_failing_process_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)drawing the synthetic set failed: .*No such file"):
        list(dataset._draw_apart(tmp_path / "absent", 40, 0, workers=2))


@pytest.mark.parametrize("images", [0, 12, 41])
def test_an_impossible_number_of_images_is_refused(tmp_path: Path, images: int) -> None:
    with pytest.raises(DataError, match=f"of {images} images; ask for an even number from 14"):
        write_synthetic(tmp_path, images=images)


def test_a_script_without_a_main_guard_may_draw_in_processes(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        "from fakeface_bench.data.synthetic import dataset\n"
        "dataset._IMAGES_WORTH_A_PROCESS = 1\n"
        "dataset.os.cpu_count = lambda: 2\n"
        f"dataset.write_synthetic(Path({str(tmp_path)!r}), images=20)\n"
        "assert 'tensorflow' not in sys.modules\n"
        "print('once')\n"
    )
    environment = {"PYTHONPATH": str(Path(dataset.__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "once\n"
    assert len(digests(tmp_path)) == 20


def header(path: Path) -> tuple[int, int, int]:
    """Width, height and the sum of the quantisation table of brightness."""
    with Image.open(path) as image:
        return *image.size, sum(image.quantization[0])  # type: ignore[attr-defined]


@pytest.mark.slow
def test_both_classes_draw_jpeg_quality_from_one_distribution(full: Path) -> None:
    """The quantisation tables are all that JPEG's quality leaves in a file."""
    paths, fake, _ = files(full)
    tables = [header(path)[2] for path in paths]
    real_counts, fake_counts = (
        Counter(t for t, is_fake in zip(tables, fake, strict=True) if is_fake == wanted)
        for wanted in (False, True)
    )
    assert set(real_counts) == set(fake_counts)
    for table in real_counts:
        # Each of 10 qualities is drawn 100 times per class on average, give or take 9.5.
        assert abs(real_counts[table] - fake_counts[table]) < 4 * 9.5 * 2**0.5


@pytest.mark.slow
def test_metadata_do_not_tell_the_classes(full: Path) -> None:
    paths, _, _ = files(full)
    values = np.array([(path.stat().st_size, *header(path)[:2]) for path in paths], float)
    crossed, held_out = aucs(full, values)
    assert 0.44 < crossed < 0.54
    assert held_out < 0.56


@pytest.mark.slow
def test_coarse_grey_pixels_do_not_tell_the_classes(full: Path) -> None:
    paths, _, _ = files(full)
    small = [Image.open(p).convert("L").resize((16, 16), Image.Resampling.BOX) for p in paths]
    crossed, held_out = aucs(full, np.array([np.asarray(image).ravel() for image in small], float))
    assert crossed < 0.6
    assert held_out < 0.6


@pytest.mark.slow
def test_mean_colour_does_not_tell_the_classes(full: Path) -> None:
    paths, _, _ = files(full)
    means = [np.asarray(Image.open(p)).reshape(-1, 3).mean(0) for p in paths]
    crossed, _ = aucs(full, np.array(means))
    assert crossed < 0.56


@pytest.mark.slow
def test_the_grid_of_the_upsampling_tells_the_classes(full: Path) -> None:
    """Means of the four phases of a stride-2 grid: what a network's first strides can see."""
    paths, _, _ = files(full)
    pixels = [np.asarray(Image.open(path).convert("L"), float) for path in paths]
    phases = [[p[i::2, j::2].mean() / p.mean() for i in (0, 1) for j in (0, 1)] for p in pixels]
    crossed, _ = aucs(full, np.array(phases))
    assert crossed > 0.85


@pytest.mark.slow
@pytest.mark.parametrize(("name", "floor"), [("MobileNetV3Large", 0.88), ("MobileNetV3Small", 0.8)])
def test_an_untrained_network_finds_the_traces(full: Path, name: str, floor: float) -> None:
    keras = pytest.importorskip("keras")
    paths, fake, split = files(full)
    keras.utils.set_random_seed(0)
    network = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(224, 224, 3)
    )
    ends = ("_add", "project_bn")
    blocks = [x.output for x in network.layers if x.name.endswith(ends) and "expanded" in x.name]
    pooled = [
        pool(x, (1, 2))
        for x in (network.layers[3].output, *blocks, network.output)
        for pool in (keras.ops.mean, keras.ops.std)
    ]
    pixels = np.stack([np.asarray(Image.open(p).crop((16, 16, 240, 240))) for p in paths])
    reader = keras.Model(network.input, keras.ops.concatenate(pooled, axis=1))
    values = reader.predict(pixels, verbose=0)
    train, test = split == "train", split == "test"
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=2000))
    scores = model.fit(values[train], fake[train]).decision_function(values[test])
    assert floor < roc_auc_score(fake[test], scores) < 0.99
