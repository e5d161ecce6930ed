"""Pictures that a second process draws are those that this one would have drawn."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fakeface_bench.report import drawing, plotting


def draw(path: Path, height: float = 3.0) -> None:
    figure = plotting.new_figure("Title", "of a test", height)
    axes = figure.add_subplot()
    axes.plot([0, 1], [1, height], label="a line")
    plotting.dress(axes, "x", "y")
    plotting.legend(axes)
    drawing.save(figure, path)


def apart(*work: Callable[[], object]) -> None:
    with drawing.drawn_apart():
        for each in work:
            each()


def test_bytes_are_the_same_and_all_are_there_after_the_block(tmp_path: Path) -> None:
    heights = (2.0, 3.0, 4.0)
    with drawing.drawn_apart():
        for height in heights:
            draw(tmp_path / "apart" / f"{height}.png", height)
    for height in heights:
        draw(tmp_path / "here" / f"{height}.png", height)
        name = f"{height}.png"
        assert (tmp_path / "apart" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_a_picture_is_drawn_as_it_was_when_it_was_saved(tmp_path: Path) -> None:
    figure = plotting.new_figure("Title", "of a test")
    with drawing.drawn_apart():
        drawing.save(figure, tmp_path / "before.png")
        figure.text(0.5, 0.5, "more")
        drawing.save(figure, tmp_path / "after.png")
    assert (tmp_path / "before.png").read_bytes() != (tmp_path / "after.png").read_bytes()


def test_what_keeps_a_picture_from_being_written_is_raised_here(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(IsADirectoryError):
        apart(lambda: draw(tmp_path / "a.png"), lambda: draw(tmp_path / "b.png"))


def test_an_error_of_the_block_is_the_one_that_is_raised(tmp_path: Path) -> None:
    def fail() -> None:
        raise KeyError("of the block")

    with pytest.raises(KeyError, match="of the block"):
        apart(lambda: draw(tmp_path / "a.png"), fail)
    draw(tmp_path / "b.png")  # here again
    assert (tmp_path / "b.png").is_file()


def test_a_process_that_was_killed_is_told(tmp_path: Path) -> None:
    def kill() -> None:
        helper = drawing._HELPER.get()
        assert helper is not None
        helper._process.kill()
        helper._process.wait()

    with pytest.raises(RuntimeError, match=r"draws a\.png has ended"):
        apart(kill, lambda: draw(tmp_path / "a.png"))
