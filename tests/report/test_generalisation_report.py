"""The report of a matrix: each rule's remark, inert names, failed and one-class cells, sizes."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.analysis.transfer import (
    effect_verdict,
    hold_out_effect,
    ordered_cells,
    remarks,
    threshold_fails,
    worst_hold_outs,
)
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import LeftOut
from fakeface_bench.records.transfer import Generalisation, Overlap, SetScores
from fakeface_bench.report import plotting
from fakeface_bench.report.saved_study import few_images_warning
from fakeface_bench.report.transfer_page import (
    generalisation_markdown,
    matrix_verdict,
    matrix_warnings,
    transfer_warnings,
    write_generalisation_report,
)
from fakeface_bench.report.transfer_plots import HEAT_MAPS, recall_square, roc_auc_square
from fakeface_bench.report.transfer_tables import hold_outs, mixtures, set_name, table_of
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
ROC_AUC, RECALL = HEAT_MAPS


def with_auc(value: float, low: float, high: float, **given: object) -> SetScores:
    """Make a transfer to ciplab of a given ROC AUC."""
    made = cell(model(), "ciplab", **given)  # type: ignore[arg-type]
    return replace(made, estimates={**made.estimates, "roc_auc": Estimate(value, low, high)})


# Rules and tables


def row_of(one: SetScores, home: SetScores | None = None) -> dict[str, str]:
    """Return the row of a cell in the table of a terminal, by heading."""
    table = table_of("evaluation, short", [one, home] if home else [one])
    return dict(zip(table.header, table.rows[0], strict=True))


@pytest.mark.parametrize(
    ("auc", "remark"),
    [
        ((0.51, 0.44, 0.58), "at chance"),
        ((0.58, 0.5, 0.66), "at chance"),
        ((0.60, 0.51, 0.70), ""),
        ((0.30, 0.22, 0.40), "reversed"),
    ],
)
def test_chance_is_told_by_the_interval(auc: tuple[float, float, float], remark: str) -> None:
    row = row_of(with_auc(*auc))
    assert row["remark"] == remark
    assert row["ROC AUC"] == f"{auc[0]:.3f} ({auc[1]:.3f} to {auc[2]:.3f})"


@pytest.mark.parametrize(
    ("trained", "tested", "relation", "fakes"),
    [
        ("140k", "ciplab", "another kind", "ciplab: composite (Photoshop)"),
        ("140k", "hardfakevsreal", "same kind", "hardfakevsreal: GAN (StyleGAN2)"),
        ("140k", "ciplab+hardfakevsreal", "partly another kind", None),
        ("140k+ciplab", "ciplab", "–", "ciplab: composite (Photoshop)"),
        ("140k", "holiday", "–", "holiday: not known"),
        ("holiday", "140k", "–", "140k: GAN (StyleGAN)"),
        ("140k+holiday", "ciplab", "–", "ciplab: composite (Photoshop)"),
        ("140k+holiday", "hardfakevsreal", "same kind", "hardfakevsreal: GAN (StyleGAN2)"),
    ],
)
def test_a_kind_is_told_where_it_is_known(
    trained: str, tested: str, relation: str, fakes: str | None
) -> None:
    table = table_of("images", [cell(model(trained), tested)])
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert row["kind"] == relation
    assert fakes is None or row["its fakes"] == fakes


def test_a_part_of_the_training_set_is_named_as_such() -> None:
    assert set_name(HOME) == "140k (its own)"
    assert set_name(cell(model("140k+ciplab"), "ciplab")) == "ciplab (part of its own)"
    assert set_name(cell(model(), "ciplab")) == "ciplab"


def test_a_difference_to_home_is_remarked_where_it_is_shown() -> None:
    assert remarks(with_auc(0.7, 0.6, 0.8), HOME) == ("below home",)
    assert remarks(with_auc(0.985, 0.96, 1.0), HOME) == ()
    assert remarks(with_auc(0.7, 0.6, 0.8), None) == ()
    poor = replace(HOME, estimates={**HOME.estimates, "roc_auc": Estimate(0.6, 0.55, 0.65)})
    assert remarks(with_auc(0.9, 0.85, 0.95), poor) == ("above home",)


def test_a_difference_is_shown_by_the_interval_of_the_difference() -> None:
    one, near, far = (
        Estimate(0.9, 0.85, 0.95),
        Estimate(0.84, 0.79, 0.89),
        Estimate(0.8, 0.75, 0.85),
    )
    assert not one.is_shown_above(near)
    assert one.is_shown_above(far)  # 0.1 apart, half widths of 0.05 make 0.071
    assert not far.is_shown_above(one)


def test_a_threshold_that_does_not_carry_over_is_named() -> None:
    moved = cell(model(), "hardfakevsreal", 2.6, shift=-4.0)
    assert row_of(moved, HOME)["remark"] == "threshold off"
    assert row_of(moved)["remark"] == ""
    assert not threshold_fails(cell(model(), "ciplab", 2.6), HOME)
    assert not threshold_fails(cell(model(), "ciplab", 0.0, shift=-4.0), HOME)


def test_a_poor_ranking_is_not_blamed_on_the_threshold() -> None:
    """Recall is far from home, but no other threshold would do much better."""
    assert not threshold_fails(cell(model(), "ciplab", 0.8, images=400), HOME)


def test_what_metadata_alone_would_score_is_named() -> None:
    beaten, beating = (cell(model(), "ciplab", 1.0, floor=floor(value)) for value in (0.9, 0.6))
    assert row_of(beaten)["metadata alone"] == "0.900 (0.850 to 0.950)"
    assert "within metadata" in remarks(beaten, HOME)
    telling_nothing = cell(model(), "ciplab", 0.0, floor=floor(0.5, 0.3))
    for other in (beating, telling_nothing, cell(model(), "ciplab", floor=None)):
        assert "within metadata" not in remarks(other, HOME)


@pytest.mark.parametrize("only", [1, 0])
def test_one_class_says_what_it_cannot_tell(only: int) -> None:
    row = row_of(cell(model(), "ciplab", only=only), HOME)
    assert row["remark"] == "one class only"
    assert row["ROC AUC"] == "–"
    assert (row["recall of fakes"] == "–", row["false alarms"] == "–") == (only == 0, only == 1)


def test_images_left_out_are_told() -> None:
    assert transfer_warnings([HOME]) == []
    (line,) = transfer_warnings([replace(HOME, overlap=Overlap(1, 0))])
    assert line == "Left out, seen in training or copies of such: 1 test image."
    few = Overlap(0, 3, {"real": 0.0, "fake": 0.02})
    assert len(transfer_warnings([replace(HOME, overlap=few)])) == 1
    many = Overlap(0, 70, {"real": 0.0, "fake": 0.46})
    _, line = transfer_warnings([replace(HOME, overlap=many)] * 2)
    assert "46.0% of its fake images look like one that the model saw" in line
    table = table_of("images", [replace(HOME, overlap=Overlap(3, 2))])
    assert table.rows[0][-2:] == ("3", "2")


def test_few_images_are_warned_of() -> None:
    few = cell(model(), "ciplab", 2.0, images=40)
    assert transfer_warnings([few, few]) == [f"ciplab: {few_images_warning(40)}"]


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
    nothing = Estimate(np.nan, np.nan, np.nan)
    effects = [effect(good, poor), effect(poor, good), effect(good, poor, roc_auc=nothing)]
    gained, lost, undefined = mixtures(effects).rows
    assert gained[1:5] == ("140k+ciplab", "140k", "ciplab", "200")
    assert re.fullmatch(r"gained: 0\.\d{3} \(0\.\d{3} to 0\.\d{3}\)", gained[5])
    assert re.fullmatch(r"lost: −0\.\d{3} \(−0\.\d{3} to −0\.\d{3}\)", lost[5])
    assert undefined[5] == "–"


def test_the_worst_hold_out_is_named() -> None:
    outs = three_by_three().hold_outs
    assert [row[-1] for row in hold_outs(outs).rows] == ["", "", "worst"]
    assert hold_outs(outs).rows[2][0] == "tier hard"
    assert [row[-1] for row in hold_outs(outs[:1]).rows] == [""]
    effects = [hold_out_effect(out) for out in outs]
    assert all(effect is not None and effect.high < 0 for effect in effects[1:])
    other = hold_out("hard", 0.4)
    strangers = replace(
        other.seen, scored=replace(other.seen.scored, digests=("a",) * other.seen.images)
    )
    assert hold_out_effect(replace(other, seen=strangers)) is None


def test_the_worst_hold_out_of_real_images_has_the_most_false_alarms() -> None:
    calm, loud = (
        replace(hold_out(name, 2.0), without=cell(model(), "ciplab", shift=shift, only=0))
        for name, shift in (("calm", -3.0), ("loud", 3.0))
    )
    (worst,) = worst_hold_outs([calm, loud])
    assert worst is loud


def test_the_verdict_follows_from_the_transfers() -> None:
    assert matrix_verdict(matrix(["140k"], ["140k"])).headline.startswith("No other dataset")
    bad = matrix_verdict(matrix(["140k"], ["140k", "ciplab"]))
    assert (bad.headline, bad.weight) == (
        "Shown above chance in 0 of 1 transfers to other datasets, below home in 1",
        "bad",
    )
    mixed = matrix_verdict(matrix(["140k"], ["140k", "ciplab", "hardfakevsreal"]))
    assert mixed.headline.startswith("Shown above chance in 1 of 2 transfers")
    assert mixed.weight == "care"
    lower = matrix_verdict(matrix(["140k"], ["140k", "hardfakevsreal"]))
    assert lower.headline.startswith("Shown above chance in 1 of 1 transfers")
    assert lower.headline.endswith("below home in 1")
    good = Generalisation(
        *(("small",), ("140k",), ("140k", "ciplab")), (HOME, with_auc(0.985, 0.96, 1.0))
    )
    assert matrix_verdict(good).weight == "good"
    assert matrix_verdict(good).headline.endswith("below home in 0")
    failed = replace(good, left_out=(LeftOut("a", "", "b"),))
    assert matrix_verdict(failed).weight == "care"
    assert matrix_warnings(failed) == ["Failed or not scored: a."]
    alone = Generalisation(("small",), ("140k",), ("ciplab",), good.cells[1:])
    assert "home" not in matrix_verdict(alone).headline


# Squares and pictures


def test_squares_say_what_colour_alone_would_not() -> None:
    record = matrix(["140k", "140k+ciplab"], ["140k", "ciplab", "holiday"])
    cells = [c for c in record.cells if (c.model.data, c.data) != ("140k+ciplab", "holiday")]
    cells[2] = cell(model(), "holiday", only=1)
    record = replace(record, cells=tuple(cells))
    (first, second) = ROC_AUC.panels(record)[0].squares
    assert first[0].frame == "own"
    assert (first[1].mark, first[1].is_hatched) == ("at chance", True)
    assert (first[2].mark, first[2].value) == ("recall only", None)
    assert second[0].frame == "part"
    assert second[2].big == "not scored"
    alone = replace(record, cells=record.cells[:2])
    assert ROC_AUC.panels(alone)[0].squares[1][0].big == "failed"
    assert RECALL.panels(record)[0].squares[0][2].small[1] == "no real image"
    reals = recall_square(cell(model(), "ciplab", only=0), None)
    assert (reals.big, reals.value) == ("–", None)
    assert roc_auc_square(with_auc(0.3, 0.2, 0.4), None).mark == "reversed"
    assert recall_square(cell(model(), "ciplab", 2.6, shift=-4.0), HOME).mark == "threshold off"


@pytest.mark.parametrize(
    "name", ["140k", "140k+ciplab+hardfakevsreal", "a" * 90, "a b c d e f g h i"]
)
def test_a_long_name_is_broken_into_lines(name: str) -> None:
    lines = plotting.broken(name, 13, 3).split("\n")
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
    for key in ("roc_auc", "recall_fake", "false_alarm_rate", "recall_at_5pct_fpr", "ece"):
        assert (whole[f"{key}_low_95"] <= whole[key]).all()
    tiers = table[table["part"] == "tier/hard"].iloc[0]
    assert (tiers["n_real"], tiers["n_fake"]) == (100, 33)
    assert pd.read_csv(written / "mixtures.csv")["roc_auc_verdict"].tolist() == ["gained", "lost"]
    outs = pd.read_csv(written / "hold_outs.csv").set_index("value")
    assert outs.loc["hard", "difference"] < 0


def test_the_page_tells_everything_and_loads_nothing(written: Path) -> None:
    page = (written / "report.html").read_text(encoding="utf-8")
    for words in (
        *(
            "failed",
            "seen in training or copies of such: 12 test images",
            "What joined training sets change",
        ),
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
    table = table_of("matrix, short", ordered_cells(record))
    header, rows = table.header, table.rows
    assert header[:2] == ("model", "trained on")
    assert [len(row) for row in rows] == [len(header)] * len(rows)
    assert all("\n" not in text for row in rows for text in row)
    assert len(pd.read_csv(tmp_path / "matrix.csv")) == 25
