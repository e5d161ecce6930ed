"""What a test of robustness says: verdict, warnings, whole tables, one page that needs nothing."""

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
    points_table,
    robustness_markdown,
    robustness_table,
    robustness_verdict,
    robustness_warnings,
    worst_table,
    write_robustness_report,
)
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


def worst_of(record: Robustness) -> dict[str, str]:
    """Return the first model's row of the table of the worst, by heading."""
    table = worst_table(record)
    return dict(zip(table.header, table.rows[0], strict=True))


def remarks_of(record: Robustness) -> dict[str, str]:
    """Return what the page remarks of the first model, by corruption and severity."""
    rows = points_table(record).rows
    return {f"{row[0]} {row[1]}": row[-1] for row in rows if row[-1]}


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


def test_the_costliest_corruption_is_named_with_what_it_costs() -> None:
    record = robustness(corrupted("model", strengths=UNHURT | {"noise": 0.6}))
    paragraph = robustness_verdict(record).paragraph
    assert re.match(r"Costliest corruption: Noise, 0\.\d+ \(95 % 0\.\d+ to 0\.\d+\)", paragraph)
    assert worst_of(record)["costliest corruption"] == "Noise"
    assert worst_of(record)["where"] == "noise of σ 10/255"


def test_where_it_falls_to_chance_is_told_by_the_interval() -> None:
    fallen = robustness(corrupted("model", strengths=UNHURT | {"resize": 1.0}))
    verdict = robustness_verdict(fallen)
    assert verdict.weight == "care"
    assert verdict.paragraph.endswith(f"at chance at 2 of {len(CONDITIONS)} severities.")
    chance = [place for place, remark in remarks_of(fallen).items() if remark == "at chance"]
    assert chance == ["Resizing and back 50 %", "Resizing and back 25 %"]
    steady = robustness(corrupted("model", strengths=UNHURT))
    assert robustness_verdict(steady).weight == "note"
    assert worst_of(steady)["at chance"] == f"0 of {len(CONDITIONS)}"


def test_a_model_that_loses_nothing_is_not_said_to() -> None:
    scored = corrupted("model")
    same = np.repeat(scored.y_score[:, :1], 1 + len(CONDITIONS), axis=1)
    row = worst_of(robustness(replace(scored, y_score=same)))
    assert row["its cost"] == "0.000 (0.000 to 0.000)"


def test_a_model_that_is_at_chance_untouched_has_curves_that_say_nothing() -> None:
    lost = robustness(corrupted("model", 0.0))
    assert robustness_verdict(lost).weight == "bad"
    (line,) = (line for line in robustness_warnings(lost) if "curves say nothing" in line)
    assert line.startswith("Not shown to beat chance on untouched pictures")
    assert line.endswith(": model.")
    both = robustness(corrupted("one", 0.0), corrupted("other", 0.0))
    assert robustness_warnings(both)[0].endswith(": one and other.")


def test_a_threshold_that_does_not_hold_is_told_from_an_order_that_does_not() -> None:
    scored = corrupted("model", strengths=UNHURT)
    moved = scored.y_score.copy()
    moved[:, 4] = 0.5 + moved[:, 4] / 2  # JPEG at quality 30: all is called fake
    record = robustness(replace(scored, y_score=moved))
    assert remarks_of(record) == {"JPEG 30": "accuracy at base rate"}
    assert worst_of(record)["where"] == "JPEG at quality 30"
    assert robustness_warnings(record) == [
        "Accuracy at base rate at some severity, though ROC AUC is above chance: model."
    ]
    assert robustness_warnings(robustness(scored)) == []


def test_a_model_is_called_behind_only_where_that_is_shown(three: Robustness, folder: Path) -> None:
    headline = robustness_verdict(three).headline
    assert headline.startswith("strong has the highest mean ROC AUC: 0.")
    assert "Not shown to be behind the best: <script>" in robustness_warnings(three)[0]
    page = (folder / "report.html").read_text()
    assert len(re.findall(r"<td[^>]*>behind</td>", page)) == 1
    assert len(re.findall(r"<td[^>]*>not shown behind</td>", page)) == 1
    clear = robustness(corrupted("weak", 1.5), corrupted("strong", 3.0))
    assert not any("behind" in line for line in robustness_warnings(clear))


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
