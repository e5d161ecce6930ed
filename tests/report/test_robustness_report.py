"""What a test of robustness says: sentences by rule, whole tables, one page that needs nothing."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.data.corruptions import CONDITIONS, CORRUPTIONS
from fakeface_bench.records.transfer import Robustness
from fakeface_bench.report.robustness_page import (
    robustness_markdown,
    robustness_table,
    write_robustness_report,
)
from fakeface_bench.report.robustness_text import robustness_verdict
from tests.report.corrupted_models import STRENGTHS, corrupted, robustness

NASTY = "<script>alert(1)</script> $x_1$ \u202e, all"
UNHURT = dict.fromkeys(STRENGTHS, 0.0)


@pytest.fixture(scope="module")
def three() -> Robustness:
    return robustness(corrupted("weak", 1.5), corrupted("strong", 3.0), corrupted(NASTY, 3.0))


@pytest.fixture(scope="module")
def folder(three: Robustness, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("robustness")
    write_robustness_report(three, folder)
    return folder


def description(record: Robustness) -> str:
    verdict = robustness_verdict(record)
    return " ".join([verdict.headline, *verdict.paragraphs, *verdict.others])


def test_every_file_is_written_and_the_page_names_it(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    tables = {"robustness.csv", "corruptions.csv", "robustness.md"}
    assert names == tables | {"summary.png", "curves.png", "accuracy_curves.png", "report.html"}
    page = (folder / "report.html").read_text()
    assert all(name in page for name in names - {"report.html"})


def test_the_table_holds_every_point_of_every_model(folder: Path, three: Robustness) -> None:
    table = pd.read_csv(folder / "robustness.csv", keep_default_na=False)
    assert len(table) == 3 * (1 + len(CONDITIONS))
    assert (table["images"] == three.images).all()
    assert (table[table["corruption"] == "untouched"]["step"] == 0).all()
    row = table[(table["model"] == "weak") & (table["corruption"] == "blur")].iloc[-1]
    point = three.models[0].curves[4].points[-1]
    assert (str(row["severity"]), row["step"]) == (point.label, point.step) == ("2", 3)
    assert row["roc_auc"] == pytest.approx(point.roc_auc.value, abs=1e-6)
    assert row["accuracy_high_95"] == pytest.approx(point.accuracy.high, abs=1e-6)


def test_the_table_of_means_ends_each_model_with_the_one_figure(
    folder: Path, three: Robustness
) -> None:
    table = pd.read_csv(folder / "corruptions.csv")
    overall = table[table["corruption"] == "all corruptions"]
    assert len(table) == 3 * (1 + len(CORRUPTIONS))
    expected = [model.mean_roc_auc.value for model in three.models]
    assert overall["roc_auc"].tolist() == pytest.approx(expected, abs=1e-6)
    assert overall["behind_best"].isna().tolist() == [False, True, False]


def test_the_page_stands_alone_and_shows_names_as_text(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert page.count('src="data:image/png;base64,') == 3
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_pictures_depend_on_the_figures_alone(
    folder: Path, three: Robustness, tmp_path: Path
) -> None:
    write_robustness_report(three, tmp_path)
    for name in ("summary.png", "curves.png", "accuracy_curves.png"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
        with Image.open(tmp_path / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 10


def test_the_costliest_corruption_is_named_with_its_worst_severity() -> None:
    text = description(robustness(corrupted("model", strengths=UNHURT | {"noise": 0.6})))
    assert re.search(r"What costs it most is noise: 0\.\d+ \(95 % .* of its 3 severities", text)
    assert "noise of σ 10/255 leaves" in text


def test_where_it_falls_to_chance_is_told_by_the_interval() -> None:
    fallen = robustness(corrupted("model", strengths=UNHURT | {"resize": 1.0}))
    verdict = robustness_verdict(fallen)
    assert verdict.weight == "care"
    assert (
        "It falls to chance (an interval down to 0.5) with resized to 50 % and back and resized to "
        "25 % and back." in description(fallen)
    )
    steady = robustness(corrupted("model", strengths=UNHURT))
    assert robustness_verdict(steady).weight == "note"
    assert "Nowhere does an interval reach down to chance" in description(steady)


def test_a_model_that_loses_nothing_is_not_said_to() -> None:
    scored = corrupted("model")
    same = np.repeat(scored.y_score[:, :1], 1 + len(CONDITIONS), axis=1)
    text = description(robustness(replace(scored, y_score=same)))
    assert "No corruption is shown to cost it any" in text
    assert "No corruption lowers its accuracy." in text


def test_a_model_that_is_at_chance_untouched_has_curves_that_say_nothing() -> None:
    lost = robustness(corrupted("model", 0.0))
    assert robustness_verdict(lost).weight == "bad"
    assert "not shown to beat chance on untouched pictures" in description(lost)
    assert "its curves say nothing" in description(lost)
    both = robustness(corrupted("one", 0.0), corrupted("other", 0.0))
    assert robustness_verdict(both).headline.startswith("No model is shown to beat chance")


def test_a_threshold_that_does_not_hold_is_told_from_an_order_that_does_not() -> None:
    scored = corrupted("model", strengths=UNHURT)
    moved = scored.y_score.copy()
    moved[:, 4] = 0.5 + moved[:, 4] / 2  # JPEG at quality 30: all is called fake
    text = description(robustness(replace(scored, y_score=moved)))
    assert re.search(r"with JPEG at quality 30, where ROC AUC is 0\.9\d+: no better than", text)
    assert "The order holds, the threshold does not." in text
    assert "threshold does not" not in description(robustness(scored))


def test_a_model_is_called_behind_only_where_that_is_shown(three: Robustness) -> None:
    verdict = robustness_verdict(three)
    assert verdict.headline.startswith("strong has the highest mean ROC AUC, 0.")
    assert "and is not shown to beat <script>" in verdict.headline
    assert "weak is behind strong" in verdict.paragraphs[-1]
    assert "is not shown to be behind strong: the means differ by 0.000" in verdict.paragraphs[-1]
    assert len(verdict.others) == 2
    clear = robustness(corrupted("weak", 1.5), corrupted("strong", 3.0))
    headline = robustness_verdict(clear).headline
    assert headline.startswith("strong holds up best: mean ROC AUC 0.")


def test_the_text_holds_the_verdict_and_a_table_and_fits_a_note(three: Robustness) -> None:
    text = robustness_markdown(three)
    assert "| mean of all corruptions |" in text
    assert "| Resizing and back, 75 % to 25 % |" in text
    assert "<script>" not in text
    assert len(text) < 5000
    header, rows = robustness_table(three).header, robustness_table(three).rows
    assert len(header) == 4
    assert len(rows) == 2 + len(CORRUPTIONS)


def test_a_perfect_model_and_one_that_is_always_wrong_are_drawn(tmp_path: Path) -> None:
    perfect, wrong = corrupted("perfect", 50.0, UNHURT), corrupted("wrong", -50.0, UNHURT)
    write_robustness_report(robustness(perfect, wrong), tmp_path)
    assert (tmp_path / "summary.png").stat().st_size > 5000
