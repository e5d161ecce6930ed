"""What explains a study, file by file, on a middling study and on degenerate ones."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakeface_bench.records.explanation import EXAMPLE_KINDS, ExplainedImage
from fakeface_bench.records.study import StudyRecord
from fakeface_bench.report.explanation import (
    MOST_EXAMPLES,
    JudgedImage,
    choose_examples,
    overlay,
    reliability_bins,
    write_evidence,
    write_evidence_picture,
    write_explanation,
    write_spectra,
)
from tests.report.explained_studies import SIZE, explained, explanation_of, spectrum

PICTURES = (
    *(f"explain/evidence_{kind}.png" for kind in EXAMPLE_KINDS),
    "explain/frequency_spectrum.png",
    "explain/reliability_diagram.png",
)
FILES = (*PICTURES, "explain/explanation.json")


@pytest.mark.parametrize("variant", ["record", "perfect"])
def test_every_file_is_there_and_shows_something(
    variant: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    record = request.getfixturevalue(variant)
    write_explanation(record, explanation_of(record.test), tmp_path)
    written = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert written == set(FILES)
    for name in PICTURES:
        with Image.open(tmp_path / name) as picture:
            assert picture.width == 864
            assert np.asarray(picture.convert("L")).std() > 4


def test_the_same_study_gives_the_same_bytes(record: StudyRecord, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_explanation(record, explanation_of(record.test), tmp_path / folder)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_json_tells_examples_and_profiles(record: StudyRecord, tmp_path: Path) -> None:
    explanation = explanation_of(record.test, gone=1)
    write_explanation(record, explanation, tmp_path)
    content = json.loads((tmp_path / "explain/explanation.json").read_text(encoding="utf-8"))
    assert content["head_dependence"] == 0.21
    assert "HiResCAM" in content["method"]
    description = [example for kind in EXAMPLE_KINDS for example in content["examples"][kind]]
    positions = [p for kind in EXAMPLE_KINDS for p in explanation.examples[kind]]
    for example, position in zip(description, positions, strict=True):
        assert example == {
            "source": "140k_subset",
            "path": record.test.paths[position],
            "true": ["real", "fake"][record.test.y_true[position]],
            "score": record.test.y_score[position],
            "readable": position in explanation.images,
        }
    assert not all(example["readable"] for example in description)
    real = content["spectra"]["real"]
    assert (real["images"], real["cycles_per_pixel"][-1]) == (30, 0.5)
    assert real["log10_power"] == pytest.approx(list(spectrum(0).profile), abs=1e-5)


@pytest.mark.parametrize("gone", [1, 1000])
def test_images_that_are_gone_cost_their_tiles_alone(
    record: StudyRecord, tmp_path: Path, gone: int
) -> None:
    pixels = []
    for name, missing in (("whole", 0), ("gone", gone)):
        path = tmp_path / f"{name}.png"
        write_evidence(record, explanation_of(record.test, missing), "right", path)
        pixels.append(np.asarray(Image.open(path).convert("L")))
    assert pixels[0].shape == pixels[1].shape
    assert (pixels[0] != pixels[1]).any()


def test_examples_are_the_surest_and_the_least_certain(record: StudyRecord) -> None:
    split = record.test
    examples = choose_examples(split)
    assert tuple(examples) == EXAMPLE_KINDS
    called = split.y_score >= split.threshold
    wrong = int(np.sum(called != split.y_true))
    assert [len(chosen) for chosen in examples.values()] == [8, min(8, wrong), 8]
    for kind, right in (("right", True), ("wrong", False)):
        chosen = list(examples[kind])
        assert ((called == split.y_true)[chosen] == right).all()
        assert split.y_true[chosen].tolist() == sorted(split.y_true[chosen])
    logits = np.log(split.y_score / (1 - split.y_score))
    away = np.abs(logits - np.log(split.threshold / (1 - split.threshold)))
    for label in (0, 1):
        of_class = np.flatnonzero(split.y_true == label)
        nearest = of_class[np.argsort(away[of_class])][:4]
        assert examples["uncertain"][4 * label : 4 * label + 4] == tuple(nearest)


def test_scores_of_0_and_1_have_a_least_certain_one(perfect: StudyRecord) -> None:
    examples = choose_examples(perfect.test)
    assert (len(examples["uncertain"]), examples["wrong"]) == (MOST_EXAMPLES, ())


@pytest.mark.parametrize("variant", ["record", "perfect"])
def test_the_diagrams_bins_are_those_of_the_calibration_error(
    variant: str, request: pytest.FixtureRequest
) -> None:
    test = request.getfixturevalue(variant).test
    bins = reliability_bins(test)
    filled = bins.images > 0
    gaps = np.abs(bins.score[filled] - bins.fakes[filled] / bins.images[filled])
    weighted = np.sum(gaps * bins.images[filled]) / bins.images.sum()
    assert weighted == pytest.approx(test.metrics["ece"], abs=1e-12)
    assert (bins.score[filled] >= bins.edges[:-1][filled]).all()
    assert (bins.score[filled] <= bins.edges[1:][filled]).all()


def test_evidence_is_vermillion_for_fake_blue_for_real_and_grey_for_neither() -> None:
    pixels = np.full((1, 3, 3), 128, np.uint8)
    evidence = np.array([[-3.0, 0.5, 4.0]], np.float32)
    real, neither, fake = overlay(ExplainedImage(pixels, evidence), zero=0.5, limit=3.5)[0]
    assert np.ptp(neither) == pytest.approx(0)
    assert real[2] > real[0] + 0.3
    assert fake[0] > fake[2] + 0.3
    beyond = overlay(ExplainedImage(pixels, 100 * evidence), zero=0.5, limit=3.5)
    assert beyond.min() >= 0
    assert beyond.max() <= 1


@pytest.mark.parametrize("empty", ["real", "fake", "misjudged", "all"])
def test_groups_without_images_are_told_in_words(
    record: StudyRecord, tmp_path: Path, empty: str
) -> None:
    explanation = explanation_of(record.test)
    spectra = {
        group: None if empty in (group, "all") else of_group
        for group, of_group in explanation.spectra.items()
    }
    write_spectra(record, replace(explanation, spectra=spectra), tmp_path / "spectrum.png")
    assert (tmp_path / "spectrum.png").exists()


@pytest.mark.parametrize("threshold", [0.0, 0.47, 1.0])
def test_a_picture_of_unknown_class_is_drawn_alone(tmp_path: Path, threshold: float) -> None:
    judged = JudgedImage("a $very$ long name " * 9 + "\U0001f600.png", "a model", 0.47, threshold)
    write_evidence_picture(explained(0), judged, tmp_path / "new" / "one.png")
    with Image.open(tmp_path / "new" / "one.png") as picture:
        assert picture.width == 864


def test_evidence_without_any_difference_is_drawn(tmp_path: Path) -> None:
    flat = replace(explained(0), evidence=np.zeros((SIZE, SIZE), np.float32))
    write_evidence_picture(flat, JudgedImage("a.png", "m", 0.5, 0.5), tmp_path / "flat.png")
    assert (tmp_path / "flat.png").exists()
