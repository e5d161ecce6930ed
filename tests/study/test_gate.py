"""What lets a model become the champion: known predictions and costs, and the words for them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fakeface_bench.records.study import ComparedStudy, Finding
from fakeface_bench.study import register
from fakeface_bench.study.register import check_reload, compare_with_champion
from fakeface_bench.support.errors import DataError, ModelError
from tests.report.compared_studies import calls, labels
from tests.report.compared_studies import study as compared_study

IMAGES = 200


def study(wrong: int, seconds: float, machine: str = "this one") -> ComparedStudy:
    """A study that calls its first `wrong` images wrongly, for a price."""
    scores = calls(labels(IMAGES), range(wrong))
    return replace(
        compared_study("vgg16", scores, seconds),
        paths=tuple(f"{n}.png" for n in range(IMAGES)),
        sources=("faces",) * IMAGES,
        machine=machine,
    )


@pytest.mark.parametrize(
    ("challenger", "holds", "says"),
    [
        (study(20, 100), True, "better than the champion: accuracy 90.0% against 75.0%"),
        (study(80, 1), False, "worse than the champion: accuracy 60.0% against 75.0%"),
        (study(50, 20), True, "as accurate as the champion (accuracy 75.0% against 75.0%"),
        (study(50, 54), True, "and cheaper: 54 s from a cold start, 0 trials, against 60 s"),
        (study(50, 55), False, "and not cheaper by 10%: 55 s from a cold start"),
        (study(50, 20, "another"), False, "and costs of two machines do not compare"),
        (study(50, 20, ""), False, "and costs of two machines do not compare"),
        (study(49, 90), False, "and not cheaper by 10%: 90 s from a cold start"),
        # Five images lost and none gained: the exact p is 0.0625, and nothing is shown.
        (study(55, 1), False, "not shown to be better than the champion, nor within 1 point of it"),
    ],
)
def test_a_place_is_deserved_by_being_better_or_equal_and_cheaper(
    challenger: ComparedStudy, holds: bool, says: str
) -> None:
    finding = compare_with_champion(challenger, study(50, 60))
    assert finding.holds is holds
    assert says in finding.reason


def test_p_and_interval_are_told() -> None:
    reason = compare_with_champion(study(20, 100), study(50, 60)).reason
    # 30 images gained and none lost: p = 2 / 2**30.
    assert "ahead by 15.0 points (95 % " in reason
    assert "McNemar's test p = 1.86e-09)" in reason


@pytest.fixture
def on_disk(tmp_path: Path) -> ComparedStudy:
    for number in range(IMAGES):
        (tmp_path / f"{number}.png").touch()
    return replace(study(50, 60), data_folders={"faces": str(tmp_path)})


def answers(
    monkeypatch: pytest.MonkeyPatch, of: ComparedStudy, apart: float = 0.0
) -> list[list[Path]]:
    """Let a reloaded model answer with the logged scores, the last one off by so much."""
    asked: list[list[Path]] = []

    def scores(address: str, files: Sequence[Path]) -> list[float]:
        asked.append(list(files))
        logged = [float(of.kept.y_score[int(file.stem)]) for file in files]
        return [*logged[:-1], logged[-1] + apart]

    monkeypatch.setattr(register, "reloaded_scores", scores)
    return asked


def test_scores_that_come_back_pass(
    on_disk: ComparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answers(monkeypatch, on_disk, 9e-5)
    finding = check_reload("models:/x/1", on_disk)
    assert finding.holds
    assert "its scores on 128 test images, loaded in a new process, equal" in finding.reason
    (files,) = asked
    assert len(set(files)) == 128
    labels = {int(on_disk.y_true[int(file.stem)]) for file in files}
    assert labels == {0, 1}


@pytest.mark.parametrize(("apart", "description"), [(2e-4, "0.0002"), (float("nan"), "nan")])
def test_scores_that_differ_do_not(
    apart: float, description: str, on_disk: ComparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, on_disk, apart)
    finding = check_reload("models:/x/1", on_disk)
    assert not finding.holds
    assert f"are up to {description} off the logged ones (unless" in finding.reason


def test_too_few_images_show_nothing(on_disk: ComparedStudy) -> None:
    few = replace(on_disk, y_true=on_disk.y_true[:63])
    assert check_reload("models:/x/1", few).reason == (
        "its study tested 63 images; its scores are checked on 64"
    )


def test_images_that_are_gone_are_named(on_disk: ComparedStudy) -> None:
    Path(on_disk.data_folders["faces"], "0.png").unlink()
    Path(on_disk.data_folders["faces"], "1.png").unlink()
    finding = check_reload("models:/x/1", on_disk)
    assert not finding.holds
    assert finding.reason.startswith("its test images are not on this machine (")


@pytest.mark.parametrize(
    ("obstacle", "says"),
    [
        (ModelError("no such file"), "it does not load in a new process: no such file"),
        (DataError("3.png: damaged"), "its test images cannot be read any more (3.png: damaged)"),
    ],
)
def test_what_keeps_a_model_from_coming_back_is_told(
    obstacle: Exception, says: str, on_disk: ComparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores(address: str, files: Sequence[Path]) -> list[float]:
        raise obstacle

    monkeypatch.setattr(register, "reloaded_scores", scores)
    assert check_reload("models:/x/1", on_disk) == Finding(False, says)
