"""What commands show in real terminals of two sizes: bars of one line, figures that are whole."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from fakeface_bench.api.progress import rate
from tests.command import ROOT

SIZES = [(80, 24), (120, 40)]
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
#: Moves the cursor up, which a bar does that took more than one line.
_UP = re.compile(r"\x1b\[\d*A")

sized = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def shown(script: str, size: tuple[int, int], folder: Path) -> str:
    """Run a script whose outputs are a terminal of so many columns and lines; return all of it."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    hidden = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=its,
        stdout=its,
        stderr=its,
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"},
        close_fds=True,
    )
    os.close(its)
    read = b""
    while True:
        try:
            some = os.read(ours, 65536)
        except OSError:  # Linux says so at the end
            break
        if not some:
            break
        read += some
    os.close(ours)
    assert process.wait() == 0, read.decode()
    return read.decode()


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in re.split(r"[\r\n]+", _ESCAPES.sub("", text))]


@pytest.mark.parametrize(
    ("per_second", "description"),
    [
        (0.0, ""),
        (0.24, "4.2 s/image"),
        (3.14, "3.1 images/s"),
        (183.2, "183 images/s"),
        (9999.0, "9999 images/s"),
        (25808.0, "26k images/s"),
        (999_400.0, "999k images/s"),
        (12e6, "12M images/s"),
    ],
)
def test_a_speed_has_its_unit_in_whatever_room_a_bar_leaves(
    per_second: float, description: str
) -> None:
    assert rate(per_second, "images") == description
    assert len(description) <= 13


BARS = """
import time
from fakeface_bench.api.progress import ConsoleProgress
from fakeface_bench.support.progress import show_detail
for title, total, unit in (
    ("reading files", 2200, "images"),
    ("extracting features (mobilenetv3_small)", 140000, "images"),
    ("searching", 100, "trials"),
):
    with ConsoleProgress().stage(title, total, unit) as advance:
        for step in range(4):
            time.sleep(0.15)
            advance(min(400, total // 4))
            if unit == "trials":
                show_detail(advance, f"best validation ROC AUC 0.{890 + step}")
"""


@sized
def test_a_bar_takes_one_line_and_cuts_no_figure(size: tuple[int, int], tmp_path: Path) -> None:
    text = shown(BARS, size, tmp_path)
    assert not _UP.search(text), "a bar took more than one line"
    lines = lines_of(text)
    assert all(len(line) <= size[0] for line in lines)
    for total in ("1600/2200", "1600/140000", "100/100"):
        assert any(total in line for line in lines)
    bars = [line for line in lines if re.search(r"\d+/\d+", line)]
    assert any("searching, best validation ROC AUC 0.893" in line for line in bars)
    assert any(re.search(r"/140000 +\d+ images/s", line) for line in bars)
    assert not [line for line in bars if re.search(r"\d/\d*…|image…|images…|tria…", line)]


TABLE = """
from fakeface_bench.api.progress import result_console
from fakeface_bench.cli.output import print_table
from fakeface_bench.report.table import Table
rows = [
    (name, *(f"0.{n}82 (0.{n}39 to 0.{n}95)" for n in range(1, count + 1)))
    for name in ("mobilenetv3_small (last_2_blocks), usual size, 20 trials", "vgg19, 96 px")
]
header = ("model", *(f"figure {n} (95 %)" for n in range(1, count + 1)))
title = "what accuracy costs (n = 400 test images, 95 % intervals)"
print_table(title, Table.of(header, rows), result_console())
"""


@sized
@pytest.mark.parametrize("count", [1, 2, 4, 9])
def test_a_table_keeps_figures_and_intervals_whole(
    size: tuple[int, int], count: int, tmp_path: Path
) -> None:
    lines = lines_of(shown(f"count = {count}\n{TABLE}", size, tmp_path))
    assert all(len(line) <= size[0] for line in lines)
    for n in range(1, count + 1):
        assert sum(line.count(f"(0.{n}39 to 0.{n}95)") for line in lines) == 2, lines
        assert sum(line.count(f"0.{n}82") for line in lines) == 2


COMMAND = """
import sys
sys.argv = ["fakeface-bench", *{arguments!r}]
from fakeface_bench.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


@sized
@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        (["--help"], ["generalise", "robustness"]),
        (["run", "--help"], ["--timeout-minutes", "--dollars-per-hour"]),
        (["list"], ["mobilenetv3_large", "3,480", "categorical_crossentropy"]),
        (["datasets"], ["hardfakevsreal", "140,000"]),
    ],
    ids=["help", "help of run", "list", "datasets"],
)
def test_what_is_known_is_shown_within_the_width(
    arguments: list[str], whole: list[str], size: tuple[int, int], tmp_path: Path
) -> None:
    lines = lines_of(shown(COMMAND.format(arguments=arguments), size, tmp_path))
    assert all(len(line) <= size[0] for line in lines if "http" not in line)
    for word in whole:
        assert any(word in line for line in lines), word
