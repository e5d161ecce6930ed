"""What a model must show to become the champion: that it comes back as logged, and is better."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeface_bench.errors import DataError, ModelError
from fakeface_bench.evaluation.intervals import Interval, roc_auc_interval
from fakeface_bench.evaluation.paired import difference_interval, mcnemar, resampled_figures
from fakeface_bench.records import ComparedStudy, Finding
from fakeface_bench.report.comparison.steps import SIGNIFICANT
from fakeface_bench.tracking.reload import reloaded_scores

#: Most that a reloaded model's score may differ from the logged one: features are rounded to
#: float16, and one at a tie falls to the other side in another batch.
TOLERANCE = 1e-4
FEWEST_IMAGES = 64
CHECKED_IMAGES = 128
#: As accurate is what is behind by less than this, shown by the paired 95 % interval: else a row of
#: cheaper models, each a little worse, would lead down to chance.
MARGIN = 0.01
#: Clearly better than chance is a model whose whole 95 % interval of ROC AUC lies above this. Not
#: above 0.5: next to nothing does as soon as the test images are many, and luck does now and then
#: where the best of several studies is taken.
CLEAR_ROC_AUC = 0.55
#: Cheaper is what saves at least this share: seconds vary from run to run.
SAVING = 0.1


def comes_back(address: str, study: ComparedStudy) -> Finding:
    """Whether the model, loaded in a new process, gives the scores that its study logged.

    Args:
        address: Of the model.
        study: That logged it.
    """
    images = len(study.y_true)
    if images < FEWEST_IMAGES:
        return Finding(
            False, f"its study tested {images} images; its scores are checked on {FEWEST_IMAGES}"
        )
    chosen = _spread(study.kept.y_score, CHECKED_IMAGES)
    files = [Path(study.data_folders[study.sources[n]]) / study.paths[n] for n in chosen]
    missing = [file for file in files if not file.exists()]
    if missing:
        return Finding(False, f"its test images are not on this machine ({missing[0]})")
    try:
        scores = np.array(reloaded_scores(address, files))
    except DataError as error:
        return Finding(False, f"its test images cannot be read any more ({error})")
    except ModelError as error:
        return Finding(False, f"it does not load in a new process: {error}")
    furthest = float(np.max(np.abs(scores - study.kept.y_score[chosen])))
    told = f"its scores on {len(files)} test images, loaded in a new process,"
    if not furthest <= TOLERANCE:
        return Finding(
            False,
            f"{told} are up to {furthest:.2g} off the logged ones (unless the images have changed "
            "since)",
        )
    return Finding(True, f"{told} equal the logged ones ({furthest:.0e} apart at most)")


def clearly_beats_chance(roc_auc: Interval) -> bool:
    """Whether a 95 % interval of ROC AUC lies clearly above 0.5."""
    return roc_auc.low > CLEAR_ROC_AUC


def can_lead(study: ComparedStudy) -> Finding:
    """Whether a model may be a first champion, with none before it to be compared with."""
    interval = roc_auc_interval(study.y_true, study.kept.y_score)
    beats = clearly_beats_chance(interval)
    told = f"95 % {interval.low:.3f} to {interval.high:.3f}, n = {len(study.y_true):,} test images"
    if beats:
        return Finding(True, f"clearly better than chance, whose ROC AUC is 0.5: {told}")
    return Finding(
        False,
        f"not shown to be clearly better than chance: of its ROC AUC all that interval ({told}) "
        f"must lie above {CLEAR_ROC_AUC:g}",
    )


def deserves(challenger: ComparedStudy, champion: ComparedStudy) -> Finding:
    """Whether a study is more accurate than the champion's, or as accurate and cheaper.

    More accurate by McNemar's test of the kept models on the same test images; as accurate where
    the paired 95 % interval of the difference lies above -`MARGIN`. The test split is the same for
    every challenger, and no p is adjusted for their number.

    Args:
        challenger: The new one.
        champion: Of the same test split, row by row.
    """
    test = mcnemar(champion.right, challenger.right)
    new, old = resampled_figures(challenger.y_true, [[challenger.kept], [champion.kept]])
    interval = difference_interval(new["accuracy"], old["accuracy"])
    lead = float(np.mean(challenger.right)) - float(np.mean(champion.right))
    told = (
        f"accuracy {np.mean(challenger.right):.1%} against {np.mean(champion.right):.1%} on the "
        f"same n = {len(challenger.y_true):,} test images; {_ahead(lead)} (95 % "
        f"{100 * interval.low:.1f} to {100 * interval.high:.1f}; McNemar's test p = {test.p:.3g})"
    )
    if test.p < SIGNIFICANT:
        return Finding(lead > 0, f"{'better' if lead > 0 else 'worse'} than the champion: {told}")
    if interval.low <= -MARGIN:
        short = f"not shown to be better than the champion, nor within {100 * MARGIN:g} point of it"
        return Finding(False, f"{short}: {told}")
    return _cheaper(challenger, champion, f"as accurate as the champion ({told})")


def _cheaper(challenger: ComparedStudy, champion: ComparedStudy, told: str) -> Finding:
    seconds, before = (s.ledger.total_cold_seconds for s in (challenger, champion))
    costs = (
        f"{seconds:,.0f} s from a cold start, {challenger.trials} trials, against {before:,.0f} s, "
        f"{champion.trials} trials"
    )
    if not challenger.machine or challenger.machine != champion.machine:
        return Finding(False, f"{told}, and costs of two machines do not compare ({costs})")
    if seconds <= (1 - SAVING) * before:
        return Finding(True, f"{told}, and cheaper: {costs}")
    return Finding(False, f"{told}, and not cheaper by {SAVING:.0%}: {costs}")


def _ahead(lead: float) -> str:
    return f"{'ahead' if lead >= 0 else 'behind'} by {100 * abs(lead):.1f} points"


def _spread(scores: npt.NDArray[np.float64], count: int) -> Sequence[int]:
    """Choose images whose scores spread over all there are."""
    order = np.argsort(scores, kind="stable")
    places = np.linspace(0, len(scores) - 1, min(count, len(scores))).round().astype(int)
    return [int(n) for n in order[places]]
