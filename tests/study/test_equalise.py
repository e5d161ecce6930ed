"""Equalising hides how files were compressed, from a network and from the served model alike."""

import io
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.data.decode import Equalisation, reencoded
from fakeface_bench.data.equalising import (
    common_quality,
    more_compressed,
    quality_of,
    unevenly_scaled,
)
from fakeface_bench.data.pictures import Pictures
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.jobs.trained_model import open_trained
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.transfer import EqualisationEffect
from fakeface_bench.serving.classifier import DetectorFacts, FaceClassifier
from fakeface_bench.tracking.studies import study_named
from tests.conftest import load_image
from tests.freeze.frozen import assert_frozen
from tests.freeze.run_names import names_of_run
from tests.workplace import Workplace, workplace

SIDE = 64


def scene(number: int) -> Image.Image:
    """A picture of soft blots and some grain, which no JPEG has touched."""
    rng = np.random.default_rng(number)
    blots = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    smooth = np.asarray(blots.resize((SIDE, SIDE), Image.Resampling.BICUBIC), float)
    grain = rng.normal(0, 3, smooth.shape)
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))


def compressed(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Files whose classes differ by their JPEG quality and by nothing else: 95 real, 60 fake."""
    folder = tmp_path_factory.mktemp("planted")
    rows = []
    for number in range(120):
        label, quality = number % 2, (95, 60)[number % 2]
        file = folder / f"{number}.jpg"
        file.write_bytes(compressed(scene(number), quality))
        with Image.open(file) as image:
            rows.append((file, label, float(np.mean(image.quantization[0]))))
    return pd.DataFrame(rows, columns=["file", "label", "quality"])


def block_detector() -> keras.Model:
    """Looks at nothing but compression: steps across the borders of 8×8 blocks against others."""
    inputs = keras.Input((SIDE, SIDE, 3))
    grey = keras.ops.mean(inputs, axis=-1)
    before = keras.ops.roll(grey, 1, 2)[:, :, :-1]
    steps = keras.ops.abs(grey[:, :, 1:] - 2 * grey[:, :, :-1] + before)
    at_border = (np.arange(SIDE - 1) % 8 == 7).astype(np.float32)
    ratio = keras.ops.sum(steps * at_border, axis=(1, 2)) / keras.ops.sum(steps, axis=(1, 2))
    called = keras.layers.Rescaling(100.0, offset=-100 * 7 / (SIDE - 1))
    score = keras.ops.sigmoid(called(keras.ops.expand_dims(ratio, -1)))
    return keras.Model(inputs, score)


def auc_of(files: pd.DataFrame, jpeg_quality: int) -> float:
    """Return what the planted detector scores where every picture passes a JPEG first."""
    facts = DetectorFacts(SIDE, "crop", 0.5, jpeg_quality=jpeg_quality)
    classifier = FaceClassifier(block_detector(), facts, "1")
    pictures = [classifier.pixels(Image.open(file).convert("RGB")) for file in files["file"]]
    scores = classifier.probabilities(np.stack(pictures))
    return roc_auc(files["label"].to_numpy(np.uint8), scores)


def test_a_model_that_only_looks_at_compression_is_exposed(planted: pd.DataFrame) -> None:
    quality = common_quality(planted)
    assert quality == 60
    assert auc_of(planted, 0) > 0.95
    assert 0.3 < auc_of(planted, quality) < 0.7
    assert auc_of(planted, 95) > 0.9, "another JPEG leaves the traces of the first"


@pytest.mark.parametrize("quality", [30, 60, 75, 90, 95])
def test_a_quality_is_told_from_its_table(quality: int) -> None:
    with Image.open(io.BytesIO(compressed(scene(0), quality))) as image:
        assert quality_of(float(np.mean(image.quantization[0]))) == quality


def tables(*qualities: int | None) -> list[float]:
    """Return the mean of the table of each quality; none for other formats."""
    found = []
    for quality in qualities:
        if quality is None:
            found.append(float("nan"))
            continue
        with Image.open(io.BytesIO(compressed(scene(0), quality))) as image:
            found.append(float(np.mean(image.quantization[0])))
    return found


@pytest.mark.parametrize(
    ("real", "fake", "chosen"),
    [
        ([95] * 40, [75] * 40, 75),
        ([None] * 40, [90] * 40, 90),
        ([None] * 40, [None] * 40, 90),
        ([95] * 40, [95] * 39 + [40], 95),
        ([95] * 40, [95] * 36 + [40] * 4, 40),
        ([None] * 39 + [50], [85] * 40, 85),
        ([10] * 40, [95] * 40, 30),
        (list(range(56, 96)), [None] * 40, 57),
    ],
)
def test_the_strongest_common_compression_is_chosen(
    real: list[int | None], fake: list[int | None], chosen: int
) -> None:
    labels = [0] * len(real) + [1] * len(fake)
    files = pd.DataFrame({"label": labels, "quality": tables(*real, *fake)})
    assert common_quality(files) == chosen
    outlast = [q is not None and q < chosen for q in (*real, *fake)]
    assert more_compressed(files, chosen).tolist() == outlast


def test_the_same_tables_again_change_less_than_others(planted: pd.DataFrame) -> None:
    def change(file: Path, quality: int) -> float:
        before = np.asarray(Image.open(file).convert("RGB"), float)
        after = np.asarray(reencoded(Image.open(file).convert("RGB"), quality), float)
        return float(np.abs(after - before).mean())

    fakes = planted[planted["label"] == 1]["file"].head(10)
    same, other = (np.mean([change(file, quality) for file in fakes]) for quality in (60, 50))
    assert same < 0.6 * other


def test_training_and_serving_see_the_same_pixels(planted: pd.DataFrame) -> None:
    facts = DetectorFacts(SIDE, "crop", 0.5, jpeg_quality=60)
    classifier = FaceClassifier(block_detector(), facts, "1")
    file: Path = planted["file"][0]
    served: npt.NDArray[np.uint8] = classifier.pixels(Image.open(file).convert("RGB"))
    np.testing.assert_array_equal(served, load_image(file, SIDE, "crop", Equalisation(0, 60)))
    assert (served != load_image(file, SIDE, "crop")).any()


@pytest.mark.parametrize(
    ("size", "side"), [((96, 96), 64), ((64, 64), 64), ((50, 40), 64), ((64, 90), 48)]
)
def test_a_canvas_scales_the_centre_square_once(size: tuple[int, int], side: int) -> None:
    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 256, (*reversed(size), 3), dtype=np.uint8))
    short = min(size)
    left, top = (size[0] - short) // 2, (size[1] - short) // 2
    square = image.crop((left, top, left + short, top + short))
    expected = square if short == side else square.resize((side, side), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(Equalisation(side).apply(image), expected)
    np.testing.assert_array_equal(
        Equalisation(side, 70).apply(image), reencoded(expected, 70)
    )  # the JPEG comes last, so that all pictures have its blocks


def test_a_canvas_leaves_crops_their_room(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    scene(1).resize((200, 120)).save(file)
    pictures = Pictures([file], 28, "crop", 32, Equalisation(31))
    assert pictures.spare().tolist() == [[3, 3]]
    middle = pictures.load(0)[2:30, 2:30]
    np.testing.assert_array_equal(middle, load_image(file, 28, "crop", Equalisation(31)))


def a_frame(*pictures: tuple[int, int, int, str]) -> pd.DataFrame:
    return pd.DataFrame(pictures, columns=["width", "height", "label", "generator"])


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([(300, 400, 0, ""), (512, 512, 1, "a")], ""),
        ([(256, 256, 0, ""), (300, 256, 1, "a")], "of every picture is 256 px already"),
        (
            [(300, 400, 0, ""), (256, 256, 1, "stylegan2"), (256, 256, 1, "stylegan2")],
            "2 of stylegan2 have 256 px already and are not scaled; the others are not: a network "
            "may tell them apart by that. A canvas under 256 px scales all of them down",
        ),
        (
            [(300, 400, 0, ""), (128, 256, 1, ""), (100, 256, 0, "")],
            "1 of fake and 1 of real are smaller than 256 px and are scaled up; the others are "
            "not: a network may tell them apart by that. A canvas under 100 px",
        ),
        ([(100, 100, 0, ""), (128, 128, 1, "a")], ""),
    ],
)
def test_a_canvas_that_treats_pictures_unlike_is_told(
    files: list[tuple[int, int, int, str]], words: str
) -> None:
    found = unevenly_scaled(a_frame(*files), 256)
    assert words in found
    assert bool(found) == bool(words)


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, tiny_faces: Path, session_cache: Path
) -> Workplace:
    return workplace(tmp_path_factory.mktemp("equalised"), tiny_faces, session_cache)


def test_a_study_tells_what_equalising_takes_off_its_score(place: Workplace) -> None:
    """The untouched study is there, so it is not run again."""
    untouched, _ = place.run(trials=1)
    outcome, progress = place.run(trials=1, equalise="jpeg70")
    equalisation = outcome.equalisation
    assert equalisation is not None
    assert (equalisation.untouched_run, equalisation.jpeg_quality) == (untouched.run_id, 70)
    assert equalisation.canvas == 0
    expected = untouched.record.test.metrics["roc_auc"] - outcome.record.test.metrics["roc_auc"]
    assert equalisation.delta_auc.value == pytest.approx(expected)
    assert equalisation.delta_auc.low <= expected <= equalisation.delta_auc.high
    assert outcome.record.test.paths == untouched.record.test.paths
    assert (outcome.record.test.y_score != untouched.record.test.y_score).any()
    assert outcome.ledger.other["extracted_images"] > 0, "other pixels, other features"
    run = place.client.get_run(outcome.run_id)
    assert run.data.metrics["bias/delta_auc"] == pytest.approx(expected)
    assert run.data.params["jpeg_quality"] == "70"
    assert run.data.tags["fakeface.untouched_run"] == untouched.run_id
    assert run.data.tags["mlflow.note.content"].startswith(equalisation.description)
    assert "every picture passes a JPEG of quality 70 first" in progress.lines
    assert_frozen("runs/equalised_study", names_of_run(place.client, outcome.run_id))


def test_a_study_of_one_size_is_told_apart_and_serves_what_it_was_trained_on(
    place: Workplace,
) -> None:
    outcome, progress = place.run(trials=1, canvas=72, equalise="jpeg70")
    assert "the centre of every picture is scaled to 72 × 72 px first" in progress.lines
    equalisation = outcome.equalisation
    assert equalisation is not None
    assert "scaling to 72 px and one JPEG of quality 70 for all" in equalisation.description
    run = place.client.get_run(outcome.run_id)
    assert ", canvas 72, jpeg70, " in run.info.run_name
    with place.here():
        study = study_named(outcome.run_id)
        trained = open_trained(outcome.run_id, run.info.experiment_id, progress)
    assert study.name.endswith("canvas 72, jpeg70")
    facts = trained.classifier.facts
    assert facts.equalisation == Equalisation(72, 70)
    assert trained.model.label.endswith("(canvas 72, jpeg70)")
    assert trained.model.equalised
    test = outcome.record.test
    files = [
        Path(outcome.record.data_folders[s]) / p
        for s, p in zip(test.sources, test.paths, strict=True)
    ]
    pixels = [trained.classifier.pixels(Image.open(file).convert("RGB")) for file in files[:8]]
    scores = trained.classifier.probabilities(np.stack(pixels))
    np.testing.assert_allclose(scores, test.y_score[:8], atol=2e-3)


@pytest.mark.parametrize(
    ("delta", "says"),
    [
        (
            Estimate(0.1, 0.02, 0.2),
            "That much was read from what this wipes out, compression",
        ),
        (Estimate(-0.1, -0.2, -0.02), "It does better equalised"),
        (Estimate(0.0, -0.1, 0.1), "Not shown to read compression history"),
    ],
)
def test_the_sentence_claims_no_more_than_the_interval(delta: Estimate, says: str) -> None:
    equalisation = EqualisationEffect(0, 75, 100, 0.8, 0.8 - delta.value, delta, "run")
    assert equalisation.description.startswith(says)
    assert "traces remain" not in equalisation.description
    assert (
        "Of 12 files, compressed more strongly, traces remain."
        in EqualisationEffect(0, 75, 100, 0.8, 0.8, delta, "run", 12).description
    )
