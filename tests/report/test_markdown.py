"""Names from outside stay text."""

import pytest

from fakeface_bench.records.estimate import Estimate
from fakeface_bench.report.format import escaped
from fakeface_bench.report.table import ESTIMATE, Column, Table, only_csv, only_text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("140k_subset", "140k_subset"),
        ("a|b\nc\r\nd", "a\\|b c d"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ("[x](http://y)", "\\[x\\](http&#58;//y)"),
        ("__bold__ *it*", "\\_\\_bold\\_\\_ \\*it\\*"),
        ("`code` # $x$", "\\`code\\` \\# \\$x\\$"),
        ("C:\\data", "C:\\\\data"),
    ],
)
def test_escaped(raw: str, expected: str) -> None:
    assert escaped(raw) == expected


def test_table_keeps_its_columns_whatever_the_cells_hold() -> None:
    lines = Table.of(("name", "value"), [("a|b", "1\n2")]).markdown().splitlines()
    assert lines == ["| name | value |", "| --- | ---: |", "| a\\|b | 1 2 |"]


def test_a_column_says_once_how_it_reads_everywhere() -> None:
    columns = (
        Column("name", "model", lambda row: row[0]),
        Column("auc", "ROC AUC (95 %)", lambda row: row[1], ESTIMATE),
        only_csv("threshold", lambda row: 0.123456789),
        only_text("images", "images", lambda row: "1,000"),
    )
    table = Table(columns, [("a", Estimate(0.81234567, 0.7, 0.9)), ("b", None)])
    assert table.header == ("model", "ROC AUC (95 %)", "images")
    assert [column.head for column in table.shown] == ["Model", "ROC AUC (95\xa0%)", "Images"]
    assert table.rows == [("a", "0.812 (0.700 to 0.900)", "1,000"), ("b", "–", "1,000")]
    assert table.page_rows[1] == [("b", ""), ("–", "number"), ("1,000", "number")]
    frame = table.frame()
    assert list(frame) == ["name", "auc", "auc_low_95", "auc_high_95", "threshold"]
    assert frame["auc"][0] == 0.81234567
    assert frame["auc"].isna()[1]
    assert table.pick("images", "name").header == ("images", "model")
    assert table.cut(1, "all.csv")[1] == "1 more in all.csv."
