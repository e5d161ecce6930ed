"""Names from outside stay text."""

import pytest

from fakeface_bench.report.format import escaped
from fakeface_bench.report.table import Table


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
