"""What lets a model become the champion: known predictions and costs, and the words for them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fakeface_bench.evaluation.paired import mcnemar
from fakeface_bench.records.registration import Finding
from fakeface_bench.records.study import ComparedStudy
from fakeface_bench.study import register
from fakeface_bench.study.register import check_reload, compare_with_champion, level_of
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
        (study(50, 54), True, "and cheaper: 54 s against 60 s for extraction, search and last fit"),
        (study(50, 55), False, "and not cheaper by 10%: 55 s against 60 s"),
        (study(50, 20, "another"), False, "and costs of two machines do not compare"),
        (study(50, 20, ""), False, "and costs of two machines do not compare"),
        (study(49, 90), False, "and not cheaper by 10%: 90 s against 60 s"),
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
    assert "McNemar's test p = 1.86e-09, below 0.03 asked)" in reason


def test_every_further_try_on_the_same_images_asks_for_more() -> None:
    tries = [level_of(number) for number in range(1, 2000)]
    assert tries == sorted(tries, reverse=True)
    assert 0.0499 < sum(tries) < 0.05
    better = study(43, 100)  # seven images gained and none lost: p = 0.016
    assert compare_with_champion(better, study(50, 60)).holds
    found = compare_with_champion(better, study(50, 60), tries=2)
    assert not found.holds
    assert "p = 0.0156, below 0.0076 asked of try 2 on these images" in found.reason


def test_equal_challengers_rarely_replace_the_champion() -> None:
    """Twenty of one true accuracy: a level that none shares lets one in five series through."""
    rng, replaced = np.random.default_rng(0), [0, 0]
    for _ in range(200):
        rights = rng.random((21, 400)) < 0.8
        ps = [mcnemar(rights[0], right) for right in rights[1:]]
        better = [test.p if test.only_second > test.only_first else 1.0 for test in ps]
        replaced[0] += any(p < 0.05 for p in better)
        replaced[1] += any(p < level_of(number) for number, p in enumerate(better, start=1))
    assert replaced[0] / 200 > 0.15
    assert replaced[1] / 200 < 0.06


def test_costs_are_compared_at_equal_trials() -> None:
    """Of 60 s the champion's search took 30 for 20 trials: of five it had cost 37.5."""
    champion = replace(study(50, 60), trials=20)
    found = compare_with_champion(replace(study(50, 40), trials=5), champion)
    assert not found.holds
    costs = "40 s against 38 s for extraction, 5 trials and last fit"
    assert f"not cheaper by 10%: {costs}" in found.reason
    assert compare_with_champion(replace(study(50, 33), trials=5), champion).holds


def test_of_an_unknown_number_of_trials_the_whole_cost_counts() -> None:
    champion = replace(study(50, 60), trials=20)
    found = compare_with_champion(replace(study(50, 40), trials=0), champion)
    assert found.holds
    assert "and cheaper: 40 s against 60 s for extraction, search and last fit" in found.reason


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
