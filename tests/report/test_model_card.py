"""A model card says what was seen, how well it does, and what nobody knows of it."""

from dataclasses import replace

import numpy as np
import pytest

from fakeface_bench.analysis.results import results_of
from fakeface_bench.records.ledger import Ledger
from fakeface_bench.records.study import ShortcutFloor, StudyRecord, WeightsRecord
from fakeface_bench.report.model_card import model_card, with_elsewhere
from fakeface_bench.tracking.registry import MAX_DESCRIPTION
from tests.report.conftest import ORIGIN, scored_split


@pytest.fixture
def card(record: StudyRecord, ledger: Ledger) -> str:
    return model_card(record, results_of(record), ledger, ORIGIN)


def section(card: str, title: str) -> str:
    return card.split(f"## {title}\n\n")[1].split("\n\n## ")[0]


def test_a_card_has_its_sections_in_order_and_fits_a_registry(card: str) -> None:
    titles = [line[3:] for line in card.splitlines() if line.startswith("## ")]
    assert titles == [
        "What it has seen",
        "How well it does",
        "Threshold and calibration",
        "Known failures",
        "What it cost",
        "Make it again",
    ]
    assert len(card) < 0.8 * MAX_DESCRIPTION  # room for what the gate says


def test_data_are_named_with_digest_and_kind_of_fakes(record: StudyRecord, ledger: Ledger) -> None:
    known = replace(record, data_folders={"140k": "/x", "my_faces": "/y"})
    data = section(model_card(known, results_of(known), ledger, ORIGIN), "What it has seen")
    assert "digest `aaaaaaaaaaaa` (test split `bbbbbbbbbbbb`)" in data
    assert "140k: GAN (StyleGAN); my_faces: not stated: a folder of yours." in data


def test_figures_carry_their_intervals(record: StudyRecord, card: str) -> None:
    test = record.test
    called = test.y_score >= test.threshold
    alarms = float(np.mean(called[test.y_true == 0]))
    rows = section(card, "How well it does")
    assert f"- accuracy: {test.metrics['accuracy']:.3f} (" in rows
    assert f"- false alarms, of real pictures: {alarms:.3f} (" in rows
    assert f"Predicted fake from probability {test.threshold:.4g} on" in card


@pytest.mark.parametrize(
    ("floor", "says"),
    [
        (None, "Shortcut floor: not measured"),
        (ShortcutFloor(0.61, 0.55, 0.67, 900, {}), "score ROC AUC 0.610 (0.550 to 0.670)"),
    ],
)
def test_the_shortcut_floor_is_told(
    floor: ShortcutFloor | None, says: str, record: StudyRecord, ledger: Ledger
) -> None:
    assert says in model_card(replace(record, floor=floor), results_of(record), ledger, ORIGIN)


@pytest.mark.parametrize(
    ("calibrated", "says"),
    [(True, "were calibrated on validation (log-odds"), (False, "probabilities are its own")],
)
def test_calibration_is_told(
    calibrated: bool, says: str, record: StudyRecord, ledger: Ledger
) -> None:
    assert says in model_card(
        record, results_of(record), ledger, replace(ORIGIN, calibrated=calibrated)
    )


def test_failures_are_counted_and_elsewhere_is_said_to_be_unknown(
    record: StudyRecord, card: str
) -> None:
    test = record.test
    called = test.y_score >= test.threshold
    real, fake = test.y_true == 0, test.y_true == 1
    failures = section(card, "Known failures")
    assert (
        f"Of {real.sum()} real test pictures it takes {(called & real).sum()} for fake; of "
        f"{fake.sum()} fakes it misses {(~called & fake).sum()}."
    ) in failures
    assert "**Not tested elsewhere:**" in failures
    assert "chance" not in failures


def test_a_model_at_chance_is_called_so(record: StudyRecord, ledger: Ledger) -> None:
    at_chance = replace(record, test=scored_split(60, seed=1, distance=0.0))
    assert "**not shown to be better than chance**" in model_card(
        at_chance, results_of(at_chance), ledger, ORIGIN
    )


def test_a_source_at_chance_is_named(record: StudyRecord, ledger: Ledger) -> None:
    y_true = (np.arange(400) % 2).astype(np.uint8)
    of_second = np.arange(400) >= 360
    noise = np.random.default_rng(0).uniform(0.3, 0.7, 400)
    test = replace(
        record.test,
        y_true=y_true,
        y_score=np.where(of_second, noise, 0.1 + 0.8 * y_true),
        paths=tuple(f"{n}.jpg" for n in range(400)),
        sources=("easy",) * 360 + ("hard_one",) * 40,
        tiers=("",) * 400,
        parts={"easy": {"roc_auc": 1.0}, "hard_one": {"roc_auc": 0.5}},
    )
    mixed = replace(record, test=test, baseline=None)
    failures = section(model_card(mixed, results_of(mixed), ledger, ORIGIN), "Known failures")
    assert "On hard_one it is **not shown to be better than chance**: ROC AUC 0." in failures
    assert "n = 40." in failures
    assert "On easy" not in failures


def test_a_warning_of_the_weights_comes_first_and_names_are_text(
    record: StudyRecord, ledger: Ledger
) -> None:
    warned = replace(
        record, weights=WeightsRecord("random", "began from random *values*"), data="<b>x</b>"
    )
    card = model_card(warned, results_of(warned), ledger, ORIGIN)
    assert card.split("\n\n")[1] == "**began from random \\*values\\***"
    assert "<b>" not in card


def test_the_card_says_how_to_make_it_again(card: str) -> None:
    assert f"```sh\n{ORIGIN.command}\n```" in card
    assert "MLflow run `0123456789abcdef0123456789abcdef`; python 3.11.7, keras 3.15.1." in card


def test_what_was_found_elsewhere_takes_the_place_of_not_knowing(card: str) -> None:
    assert with_elsewhere(card, []) == card
    description = with_elsewhere(card, ["On *b* it finds 2 % of the fakes."])
    failures = section(description, "Known failures")
    assert "Not tested elsewhere" not in failures
    assert "- **Tested elsewhere:** On \\*b\\* it finds 2 % of the fakes." in failures
    again = with_elsewhere(description + "\n## Registration\n\n- Passed.\n", ["On c.", "On d."])
    failures = section(again, "Known failures")
    assert failures.count("Tested elsewhere") == 2
    assert "On \\*b\\*" not in failures
    assert again.endswith("## Registration\n\n- Passed.\n")
