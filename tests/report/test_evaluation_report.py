"""The report of one model on several sets: files, tables, one class, inert names."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.records.transfer import SetScores
from fakeface_bench.report.transfer_page import (
    elsewhere_lines,
    evaluation_markdown,
    write_evaluation_report,
)
from fakeface_bench.report.transfer_tables import table_of
from tests.report.transferred_models import cell, model, several

FILES = {"report.html", "evaluation.csv", "evaluation.md", "reliability.png", "roc_auc_by_set.png"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation") / "new"
    write_evaluation_report(several(), folder)
    return folder


def test_all_files_are_written(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == FILES
    for name in ("reliability.png", "roc_auc_by_set.png"):
        with Image.open(written / name) as picture:
            assert picture.width == 864
            assert np.asarray(picture.convert("L")).std() > 4


def test_the_table_holds_each_set_and_its_parts(written: Path) -> None:
    table = pd.read_csv(written / "evaluation.csv", keep_default_na=False, na_values=[""])
    whole = table[table["part"].isna()].set_index("tested_on")
    assert list(whole.index) == [scores.data for scores in several()]
    assert whole.loc["fakes alone", ["n_real", "n_fake"]].tolist() == [0, 100]
    assert np.isnan(whole.loc["fakes alone", "roc_auc"])
    assert np.isnan(whole.loc["reals alone", "recall_fake"])
    assert whole.loc["hardfakevsreal", "threshold_fails"]
    parts = table[table["part"].notna()].set_index("part")
    assert list(parts.index) == ["140k", "ciplab", "tier/easy", "tier/hard", "tier/mid"]
    assert parts.loc["140k", "shortcut_floor"] == pytest.approx(0.7)
    assert parts.loc["tier/hard", "n_real"] == 100


def test_the_page_tells_each_set(written: Path) -> None:
    page = (written / "report.html").read_text(encoding="utf-8")
    for words in (
        *(
            "seen in training or copies of such: 5 test images",
            "Whatever the threshold",
            "Brier score",
        ),
        *("By source, generator and tier", "tier hard", "threshold off", "one class only"),
        *("Shown above chance in 2 of 3 transfers", "models:/small@champion"),
    ):
        assert words in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "<script" not in page


def test_a_terminal_gets_a_row_a_set() -> None:
    table = table_of("evaluation, short", several())
    header, rows = table.header, table.rows
    assert header[-3:] == ("recall of fakes", "false alarms", "remark")
    assert len(rows) == 6
    assert all(len(row) == len(header) for row in rows)
    assert rows[4][1] == "–"
    assert rows[5][-3] == "–"
    assert rows[5][-2] != "–"


def test_a_registered_model_gets_a_line_for_each_other_set() -> None:
    lines = elsewhere_lines(several())
    assert len(lines) == 5
    start = "Trained on 140k, tested on ciplab (all images, n = 100 real, 100 fake): ROC AUC 0.5"
    assert lines[0].startswith(start)
    assert lines[0].endswith("; at chance; below home.")
    assert lines[3].count(";") == 1  # recall, and that there is one class only


@pytest.mark.parametrize("scores", [several()[4:5], several()[1:2], several()[:1]])
def test_one_set_will_do(scores: list[SetScores], tmp_path: Path) -> None:
    write_evaluation_report(scores, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert "nan" not in evaluation_markdown(scores)


def test_names_stay_text(tmp_path: Path) -> None:
    name = "<b>x</b>|$y$\n# z\u202e" + "w" * 2000
    of = replace(model(name, name), address=name, run_id=name, kinds={name: name})
    scores = [
        replace(cell(of, data, 1.0, images=40), chosen=name, kinds={data: name}, parts={})
        for data in (name, f"{name}2")
    ]
    write_evaluation_report(scores, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<b>x" not in page
    assert "\u202e" not in page
    text = evaluation_markdown(scores)
    assert len(text) < 5000
    assert "<b>" not in text
    assert "\n# z" not in text
    assert len(pd.read_csv(tmp_path / "evaluation.csv")) == 2


def test_many_sets_still_fit_a_description() -> None:
    of = model()
    scores = [cell(of, f"set_number_{n}", 1.0, images=40, seed=n) for n in range(30)]
    text = evaluation_markdown(scores)
    assert len(text) < 5000
    assert "more in evaluation.csv." in text
