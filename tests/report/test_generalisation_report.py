"""The report of a matrix: each rule's sentence, inert names, failed and one-class cells, sizes."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.analysis.transfer import is_shown_higher, threshold_fails
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import LeftOut
from fakeface_bench.records.transfer import Generalisation, Overlap, SetScores
from fakeface_bench.report.transfer_page import (
    generalisation_markdown,
    write_generalisation_report,
)
from fakeface_bench.report.transfer_plots import broken, panels, recall_square, roc_auc_square
from fakeface_bench.report.transfer_tables import square
from fakeface_bench.report.transfer_text import (
    cell_sentence,
    effect_verdict,
    generalisation_sentences,
    matrix_verdict,
    mixture_sentence,
    overlap_sentence,
)
from tests.report.transferred_models import (
    cell,
    effect,
    floor,
    hold_out,
    matrix,
    model,
    three_by_three,
)

HOSTILE = ("<script>alert(1)</script>", "_a_|$x$\n# b", "{{ 7*7 }}", "x" * 3000, "\x1b[31m\u202e顔")
FILES = {"report.html", "generalisation.md", "matrix.csv", "heat_map.png", "recall_map.png"}
HOME = cell(model(), "140k", 3.0)


def with_auc(value: float, low: float, high: float, **given: object) -> SetScores:
    """Make a transfer to ciplab of a given ROC AUC."""
    made = cell(model(), "ciplab", **given)  # type: ignore[arg-type]
    return replace(made, estimates={**made.estimates, "roc_auc": Estimate(value, low, high)})


# Sentences


@pytest.mark.parametrize(
    ("auc", "says"),
    [
        ((0.51, 0.44, 0.58), ", not shown to be better than chance;"),
        ((0.58, 0.5, 0.66), ", not shown to be better than chance;"),
        ((0.60, 0.51, 0.70), " on its own test split, better than chance;"),
        ((0.30, 0.22, 0.40), "below 0.5: it ranks the classes the wrong way round;"),
    ],
)
def test_chance_is_told_by_the_interval(auc: tuple[float, float, float], says: str) -> None:
    sentence = cell_sentence(with_auc(*auc), HOME)
    assert says in sentence
    assert f"ROC AUC {auc[0]:.3f} ({auc[1]:.3f} to {auc[2]:.3f})" in sentence


@pytest.mark.parametrize(
    ("trained", "tested", "says"),
    [
        (
            "140k",
            "ciplab",
            "its fakes are composite (Photoshop), another kind of manipulation than",
        ),
        ("140k", "hardfakevsreal", "of the same kind from another source: GAN (StyleGAN2)"),
        ("140k", "ciplab+hardfakevsreal", "some of its fakes are of another kind"),
        ("140k+ciplab", "ciplab", "held-out images of what it was trained on, a part of them"),
        ("140k", "holiday", None),
        ("holiday", "140k", "its fakes are GAN (StyleGAN); how those it was trained on were made"),
        ("140k+holiday", "ciplab", "its fakes are composite (Photoshop); how those it was trained"),
        ("140k+holiday", "hardfakevsreal", "of the same kind from another source"),
    ],
)
def test_a_kind_is_told_where_it_is_known(trained: str, tested: str, says: str | None) -> None:
    sentence = cell_sentence(cell(model(trained), tested), None)
    if says is None:
        assert ";" not in sentence
    else:
        assert says in sentence


def test_a_drop_is_told_with_both_figures_and_never_called_equal() -> None:
    home = HOME.estimates["roc_auc"]
    there = f"{home.value:.3f} ({home.low:.3f} to {home.high:.3f}) on its own test split"
    assert f"down from {there}" in cell_sentence(with_auc(0.7, 0.6, 0.8), HOME)
    assert f"not shown to differ from {there}" in cell_sentence(with_auc(0.985, 0.96, 1.0), HOME)
    poor = replace(HOME, estimates={**HOME.estimates, "roc_auc": Estimate(0.6, 0.55, 0.65)})
    assert "up from 0.600" in cell_sentence(with_auc(0.9, 0.85, 0.95), poor)
    blind = replace(HOME, estimates={**HOME.estimates, "roc_auc": Estimate(0.5, 0.45, 0.55)})
    assert "not shown to be better than chance on its own" in cell_sentence(
        with_auc(0.9, 0.85, 0.95), blind
    )
    assert "equal" not in cell_sentence(with_auc(0.985, 0.96, 1.0), HOME)


def test_a_difference_is_shown_by_the_interval_of_the_difference() -> None:
    one, near, far = (
        Estimate(0.9, 0.85, 0.95),
        Estimate(0.84, 0.79, 0.89),
        Estimate(0.8, 0.75, 0.85),
    )
    assert not is_shown_higher(one, near)
    assert is_shown_higher(one, far)  # 0.1 apart, half widths of 0.05 make 0.071
    assert not is_shown_higher(far, one)


def test_a_threshold_that_does_not_carry_over_is_named() -> None:
    moved = cell(model(), "hardfakevsreal", 2.6, shift=-4.0)
    sentence = cell_sentence(moved, HOME)
    assert "Its threshold does not carry over: at 0.500 it calls" in sentence
    assert "on its own test split they are 0.980 and 0.060" in sentence
    assert not threshold_fails(cell(model(), "ciplab", 2.6), HOME)
    assert not threshold_fails(cell(model(), "ciplab", 0.0, shift=-4.0), HOME)
    assert "on its own test split they" not in cell_sentence(moved, None)


def test_a_poor_ranking_is_not_blamed_on_the_threshold() -> None:
    """Recall is far from home, but no other threshold would do much better."""
    assert not threshold_fails(cell(model(), "ciplab", 0.8, images=400), HOME)


def test_what_metadata_alone_would_score_is_named() -> None:
    beaten, beating = (cell(model(), "ciplab", 1.0, floor=floor(value)) for value in (0.9, 0.6))
    assert "metadata alone would score 0.900 (0.850 to 0.950)" in cell_sentence(beaten, HOME)
    assert "metadata" not in cell_sentence(beating, HOME)
    telling_nothing = cell(model(), "ciplab", 0.0, floor=floor(0.5, 0.3))
    assert "metadata" not in cell_sentence(telling_nothing, HOME)
    assert "metadata" not in cell_sentence(cell(model(), "ciplab", floor=None), HOME)


@pytest.mark.parametrize(
    ("only", "says"),
    [
        (1, "no real image, so nothing is known of false alarms and ranking"),
        (0, "no fake image, so nothing is known of recall and ranking"),
    ],
)
def test_one_class_says_what_it_cannot_tell(only: int, says: str) -> None:
    sentence = cell_sentence(cell(model(), "ciplab", only=only), HOME)
    assert says in sentence
    assert "ROC AUC" not in sentence


def test_images_left_out_are_told() -> None:
    assert overlap_sentence(HOME) == ""
    description = overlap_sentence(replace(HOME, overlap=Overlap(1, 0)))
    assert description.startswith(
        "1 image of 140k was left out for small trained on 140k: it had seen"
    )
    assert "(1 identical, 0 similar)" in description


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.2, "gained"),
        (-0.2, -0.01, "lost"),
        (-0.1, 0.1, "not shown to change"),
        (0.0, 0.0, "not shown to change"),
    ],
)
def test_a_mixture_gains_or_loses_where_it_is_shown(low: float, high: float, verdict: str) -> None:
    assert effect_verdict(Estimate((low + high) / 2, low, high)) == verdict


def test_a_mixture_is_told_with_intervals_and_images() -> None:
    good, poor = cell(model("140k+ciplab"), "ciplab", 2.4), cell(model("140k"), "ciplab", 0.2)
    sentence = mixture_sentence(effect(good, poor))
    assert (
        "140k+ciplab in place of 140k alone, tested on ciplab (n = 200): ROC AUC gained" in sentence
    )
    assert re.search(
        r"ROC AUC lost 0\.\d{3} \(0\.\d{3} to 0\.\d{3}\)", mixture_sentence(effect(poor, good))
    )
    nothing = Estimate(np.nan, np.nan, np.nan)
    sentence = mixture_sentence(effect(good, poor, roc_auc=nothing))
    assert "ROC AUC" not in sentence
    assert "nan" not in sentence


def test_the_worst_hold_out_is_named() -> None:
    record = replace(matrix(["ciplab"], ["ciplab"]), hold_outs=three_by_three().hold_outs)
    (description,) = (
        line for line in generalisation_sentences(record) if "left out of training" in line
    )
    assert description.startswith(
        "Worst of 3: tier hard of ciplab (n = 80 real, 80 fake): ROC AUC 0.6"
    )
    assert ": lost 0." in description
    other = hold_out("hard", 0.4)
    strangers = replace(other.seen, digests=("a",) * other.seen.images)
    record = replace(record, hold_outs=(replace(other, seen=strangers),))
    (description,) = (
        line for line in generalisation_sentences(record) if "left out of training" in line
    )
    assert description.startswith("tier hard")
    assert description.endswith("when it was in it.")


def test_the_verdict_follows_from_the_transfers() -> None:
    assert "Nothing was tested" in matrix_verdict(matrix(["140k"], ["140k"])).headline
    bad = matrix_verdict(matrix(["140k"], ["140k", "ciplab"]))
    assert (bad.headline, bad.weight) == (
        "Not shown to be better than chance on another dataset",
        "bad",
    )
    mixed = matrix_verdict(matrix(["140k"], ["140k", "ciplab", "hardfakevsreal"]))
    assert mixed.headline == "1 of 2 transfers is not shown to be better than chance"
    assert mixed.weight == "care"
    lower = matrix_verdict(matrix(["140k"], ["140k", "hardfakevsreal"]))
    assert "worse than at home in 1 of 1 transfer" in lower.headline
    good = Generalisation(
        *(("small",), ("140k",), ("140k", "ciplab")), (HOME, with_auc(0.985, 0.96, 1.0))
    )
    assert matrix_verdict(good).weight == "good"
    assert "not shown to be worse than at home" in matrix_verdict(good).headline
    failed = matrix_verdict(replace(good, left_out=(LeftOut("a", "", "b"),)))
    assert failed.weight == "care"
    assert "1 study failed" in failed.paragraph


# Squares and pictures


def test_squares_say_what_colour_alone_would_not() -> None:
    record = matrix(["140k", "140k+ciplab"], ["140k", "ciplab", "holiday"])
    cells = [c for c in record.cells if (c.model.data, c.data) != ("140k+ciplab", "holiday")]
    cells[2] = cell(model(), "holiday", only=1)
    record = replace(record, cells=tuple(cells))
    (first, second) = panels(record, roc_auc_square)[0].rows
    assert first[0].is_own
    assert (first[1].mark, first[1].is_hatched) == ("not > chance", True)
    assert (first[2].mark, first[2].value) == ("recall only", None)
    assert second[0].is_part
    assert second[2].big == "not scored"
    alone = replace(record, cells=record.cells[:2])
    assert panels(alone, roc_auc_square)[0].rows[1][0].big == "failed"
    assert panels(record, recall_square)[0].rows[0][2].small[1] == "no real image"
    reals = recall_square(cell(model(), "ciplab", only=0), None)
    assert (reals.big, reals.value) == ("–", None)
    assert roc_auc_square(with_auc(0.3, 0.2, 0.4), None).mark == "reversed"
    assert recall_square(cell(model(), "ciplab", 2.6, shift=-4.0), HOME).mark == "threshold off"


@pytest.mark.parametrize(
    "name", ["140k", "140k+ciplab+hardfakevsreal", "a" * 90, "a b c d e f g h i"]
)
def test_a_long_name_is_broken_into_lines(name: str) -> None:
    lines = broken(name, 13, 3).split("\n")
    assert len(lines) <= 3
    assert all(len(line) <= 13 for line in lines)


@pytest.mark.parametrize("size", [1, 2, 8])
def test_a_matrix_of_any_size_is_written(size: int, tmp_path: Path) -> None:
    names = [f"dataset_number_{n}_of_faces" for n in range(size)]
    write_generalisation_report(matrix(names, names, images=40), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    with Image.open(tmp_path / "heat_map.png") as picture:
        assert picture.width >= 864
        assert np.asarray(picture.convert("L")).std() > 4
    assert len(pd.read_csv(tmp_path / "matrix.csv")) == size**2
    assert len((tmp_path / "generalisation.md").read_text()) < 5000


# Files


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generalisation") / "new"
    write_generalisation_report(three_by_three(), folder)
    return folder


def test_the_tables_hold_everything(written: Path) -> None:
    assert {p.name for p in written.iterdir()} == FILES | {"mixtures.csv", "hold_outs.csv"}
    table = pd.read_csv(written / "matrix.csv", keep_default_na=False, na_values=[""])
    whole = table[table["part"].isna()]
    assert len(whole) == 8
    assert whole["is_own"].sum() == 2
    row = whole[(whole["trained_on"] == "140k") & (whole["tested_on"] == "ciplab")].iloc[0]
    assert (row["left_out_identical"], row["left_out_similar"]) == (8, 4)
    assert (row["n_real"], row["n_fake"]) == (100, 100)
    assert row["shortcut_floor"] == pytest.approx(0.8)
    for key in ("roc_auc", "recall_fake", "false_alarm_rate", "recall_at_1pct_fpr", "ece"):
        assert (whole[f"{key}_low_95"] <= whole[key]).all()
    tiers = table[table["part"] == "tier/hard"].iloc[0]
    assert (tiers["n_real"], tiers["n_fake"]) == (100, 33)
    assert pd.read_csv(written / "mixtures.csv")["roc_auc_verdict"].tolist() == ["gained", "lost"]
    outs = pd.read_csv(written / "hold_outs.csv").set_index("value")
    assert outs.loc["hard", "difference"] < 0


def test_the_page_tells_everything_and_loads_nothing(written: Path) -> None:
    page = (written / "report.html").read_text(encoding="utf-8")
    for words in (
        *("failed", "12 images of ciplab were left out", "What joined training sets change"),
        *("Left out of training in turn", "threshold off", "How to read this", "ran out of memory"),
    ):
        assert words in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "<script" not in page


def test_the_same_matrix_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    write_generalisation_report(three_by_three(), tmp_path)
    for path in written.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_names_stay_text(tmp_path: Path) -> None:
    cells = tuple(
        replace(
            cell(model(one, one), other, 1.0, images=40, sources=(other,) * 40),
            kinds={other: other},
            chosen=other,
            overlap=Overlap(1, 1),
            parts={},
        )
        for one in HOSTILE
        for other in HOSTILE
    )
    record = Generalisation(HOSTILE, HOSTILE, HOSTILE, cells, left_out=(LeftOut(*HOSTILE[:3]),))
    write_generalisation_report(record, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "49" not in page.split("<h1>")[1].split("</h1>")[0]
    assert "\u202e" not in page
    text = generalisation_markdown(record)
    assert len(text) < 5000
    assert "<script>" not in text
    assert "\n# b" not in text
    header, rows = square(record).header, square(record).rows
    assert header[0] == "trained on ↓, tested on →"
    assert [len(row) for row in rows] == [len(header)] * len(rows)
    assert all("\n" not in text for row in rows for text in row)
    assert len(pd.read_csv(tmp_path / "matrix.csv")) == 25
