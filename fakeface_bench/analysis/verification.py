"""What was published of a study, computed again from its scores, value by value."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from fakeface_bench.analysis.results import Results, results_of, twin_metrics
from fakeface_bench.config import StudyConfig
from fakeface_bench.evaluation.decisions import choose_threshold, choose_unsure
from fakeface_bench.evaluation.metrics import estimates, with_metrics
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.publication import DIFFERS, STATED, Check, PublishedStudy, check
from fakeface_bench.records.study import StudyScores

#: Scores are published whole, so that metrics differ by rounding alone.
RECOMPUTED = 1e-6
#: Another machine's arithmetic moves scores by so much, and metrics by so much.
SCORED_AGAIN, METRICS_AGAIN = 1e-3, 5e-3
#: Of a metric without an interval, where the whole study was run again.
RETRAINED = 0.02
#: Begin the names of metrics that no score tells: what lies in the data, what was measured beside.
_NOT_OF_SCORES = ("data/", "cost/", "calibration/", "explain/", "bias/")
#: And of those that follow from scores alone.
_OF_SCORES = ("test/", "val/", "baseline/", "search/", "test_without_twins/", "unsure/")
#: Of a study that is run again, metrics that a machine, or another winner, moves.
_NOT_REPEATED = (
    *("cost/", "train/", "data/shortcut"),
    *("unsure/", "calibration/", "explain/", "bias/"),
)


def scored_again(scores: StudyScores) -> StudyScores:
    """Return the scores of a study with all metrics that follow from them."""
    baseline = scores.baseline
    return StudyScores(
        valid=with_metrics(scores.valid),
        test=with_metrics(scores.test),
        further=tuple(with_metrics(split) for split in scores.further),
        baseline=baseline
        and replace(baseline, valid=with_metrics(baseline.valid), test=with_metrics(baseline.test)),
    )


def metrics_again(study: PublishedStudy, results: Results) -> dict[str, float]:
    """Return all metrics that follow from scores, epochs and ledger, under their MLflow names."""
    last, band = study.compared.epochs[-1], study.scores.valid.unsure
    return {
        **(band.as_metrics() if band else {}),
        **last.as_metrics(),
        **study.scores.metrics(),
        **twin_metrics(study.scores.test),
        **results.metrics(),
        **study.compared.ledger.as_metrics(),
    }


def checks_of_scores(study: PublishedStudy, results: Results) -> Iterator[Check]:
    """Compute every published value again from the published scores.

    What the scores do not tell (how long, how much, how many) is `stated`; a metric of scores that
    they do not give, or that was left out, differs.

    Args:
        results: Of the study's scores.
    """
    yield from _checks_of_decisions(study)
    found = metrics_again(study, results)
    for name in sorted(study.metrics.keys() | found.keys()):
        published = study.metrics.get(name)
        if name in found and (published is not None or name.startswith(_OF_SCORES)):
            yield check(study.name, name, published, found[name], RECOMPUTED)
        elif name not in found:
            stated = name.startswith(_NOT_OF_SCORES)
            yield Check(study.name, name, published, None, STATED if stated else DIFFERS)
    cells = cells_of(results)
    for metric, column in sorted(study.results.keys() | cells.keys()):
        key = (metric, column)
        name = f"results.csv: {metric}, {column}"
        yield check(study.name, name, study.results.get(key), cells.get(key), RECOMPUTED)
    yield from _checks_of_baseline(study, results)


def _checks_of_decisions(study: PublishedStudy) -> Iterator[Check]:
    """Choose threshold and band again on the validation scores, as the study did.

    Of further seeds no validation scores are published, so their thresholds are stated.
    """
    valid, baseline = study.scores.valid, study.scores.baseline
    threshold = choose_threshold(valid.y_true, valid.y_score)
    of = f"{study.name}, decisions"
    yield check(of, "threshold", valid.threshold, threshold, RECOMPUTED)
    error = float(study.facts.params.get("unsure_error", StudyConfig().unsure_error))
    band = choose_unsure(valid.y_true, valid.y_score, valid.threshold, error)
    for end in ("low", "high"):
        told = getattr(valid.unsure, end, None)
        yield check(of, f"unsure, {end}", told, getattr(band, end, None), RECOMPUTED)
    if baseline:
        chosen = choose_threshold(baseline.valid.y_true, baseline.valid.y_score)
        yield check(of, "threshold of the baseline", baseline.valid.threshold, chosen, RECOMPUTED)
    for scores in study.compared.seeds[1:]:
        yield Check(of, f"threshold of seed {scores.seed}", scores.threshold, None, STATED)


def _checks_of_baseline(study: PublishedStudy, results: Results) -> Iterator[Check]:
    """Hold what a comparison reads of the baseline against what follows from the scores."""
    baseline, told = study.scores.baseline, study.compared.search_gain
    roc_auc = baseline.test.metrics["roc_auc"] if baseline else None
    name = "study.json: baseline"
    yield check(study.name, f"{name} roc_auc", study.compared.baseline_roc_auc, roc_auc, RECOMPUTED)
    for end in ("value", "low", "high"):
        gain = getattr(results.search_gain, end, None)
        published = getattr(told, end, None)
        yield check(study.name, f"{name} search_gain, {end}", published, gain, RECOMPUTED)


def cells_of(results: Results) -> dict[tuple[str, str], float]:
    """Return the table of a study's results by metric and column, without what is not known."""
    return {
        (metric, column): value
        for column, of in results.columns().items()
        for metric, value in of.items()
    }


def checks_of_metrics(
    published: PublishedStudy,
    found: Mapping[str, float],
    tolerance: float,
    intervals: Mapping[str, Estimate] | None = None,
) -> Iterator[Check]:
    """Hold the published metrics of the test split, or of a whole study, against others.

    Those that tell of a machine are `stated`.

    Args:
        intervals: By a metric's name, within which another study's may lie.
    """
    within = intervals or {}
    for name in sorted(published.metrics.keys() & found.keys()):
        value, other = published.metrics[name], found[name]
        if name.startswith(_NOT_REPEATED) or name.endswith("_std"):
            yield Check(published.name, name, value, other, STATED)
            continue
        yield check(published.name, name, value, other, tolerance, within.get(name))


def intervals_of(study: PublishedStudy) -> dict[str, Estimate]:
    """Return the 95 % intervals of a published study's metrics, by MLflow's names.

    The mean over seeds has that of the kept model.
    """
    splits = {"test": study.scores.test, "val": study.scores.valid}
    if study.scores.baseline:
        splits["baseline"] = study.scores.baseline.test
    found = {
        f"{place}/{key}": estimate
        for place, split in splits.items()
        for key, estimate in estimates(split.y_true, split.y_score, split.threshold).items()
    }
    found |= {f"{name}_mean": of for name, of in found.items() if name.startswith("test/")}
    if gain := results_of(study.scores).search_gain:
        found["search/gain_roc_auc"] = gain
    return found
