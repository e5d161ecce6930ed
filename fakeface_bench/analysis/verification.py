"""What was published of a study, computed again from its scores, value by value."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from fakeface_bench.analysis.results import Results, results_of, twin_metrics
from fakeface_bench.evaluation.metrics import part_metrics, score_metrics
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.publication import STATED, Check, PublishedStudy, check
from fakeface_bench.records.study import ScoredSplit, StudyScores

#: Scores are published whole, so that metrics differ by rounding alone.
RECOMPUTED = 1e-6
#: Another machine's arithmetic moves scores by so much, and metrics by so much.
SCORED_AGAIN, METRICS_AGAIN = 1e-3, 5e-3
#: Of a metric without an interval, where the whole study was run again.
RETRAINED = 0.02
#: Begin the names of metrics that say how a machine did, which another one will not repeat.
_OF_MACHINE = ("cost/", "train/", "system/", "data/shortcut")


def with_metrics(split: ScoredSplit) -> ScoredSplit:
    """Return a split with every metric of its scores, its parts' too."""
    y_true, y_score, threshold = split.y_true, split.y_score, split.threshold
    return replace(
        split,
        metrics=score_metrics(y_true, y_score, threshold),
        parts=part_metrics(y_true, y_score, threshold, split.described),
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
    last = study.compared.epochs[-1]
    return {
        **last.as_metrics(),
        **study.scores.metrics(),
        **twin_metrics(study.scores.test),
        **results.metrics(),
        **study.compared.ledger.as_metrics(),
    }


def checks_of_scores(study: PublishedStudy) -> Iterator[Check]:
    """Compute every published value again from the published scores.

    What the scores do not tell (how long, how much, how many) is `stated`.
    """
    results = results_of(study.scores)
    found = metrics_again(study, results)
    for name, published in sorted(study.metrics.items()):
        if name in found:
            yield check(study.name, name, published, found[name], RECOMPUTED)
        else:
            yield Check(study.name, name, published, None, STATED)
    cells = cells_of(results)
    for (metric, column), published in study.results.items():
        name = f"results.csv: {metric}, {column}"
        yield check(study.name, name, published, cells.get((metric, column)), RECOMPUTED)
    baseline, gain = study.scores.baseline, results.search_gain
    if baseline and gain:
        told = study.compared.search_gain or gain
        known = {
            "roc_auc": (study.compared.baseline_roc_auc, baseline.test.metrics["roc_auc"]),
            **{
                f"search_gain, {end}": (getattr(told, end), getattr(gain, end))
                for end in ("value", "low", "high")
            },
        }
        for name, (published_, found_) in known.items():
            yield check(study.name, f"study.json: baseline {name}", published_, found_, RECOMPUTED)


def cells_of(results: Results) -> dict[tuple[str, str], float]:
    """Return the table of a study's results by metric and column, without what is not known."""
    columns: dict[str, Mapping[str, float]] = {
        "validation": results.valid,
        "test": results.test,
    }
    for split, estimates in (("test", results.estimates), ("validation", results.valid_estimates)):
        for end in ("low", "high"):
            ends = {key: getattr(estimate, end) for key, estimate in estimates.items()}
            columns[f"{split}_{end}_95"] = ends
    return {
        (metric, column): value for column, of in columns.items() for metric, value in of.items()
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
        if name.startswith(_OF_MACHINE):
            yield Check(published.name, name, value, other, STATED)
            continue
        yield check(published.name, name, value, other, tolerance, within.get(name))


def intervals_of(study: PublishedStudy) -> dict[str, Estimate]:
    """Return the 95 % intervals of a published study's metrics, by MLflow's names."""
    results = results_of(study.scores)
    found = {f"test/{key}": estimate for key, estimate in results.estimates.items()}
    found |= {f"val/{key}": estimate for key, estimate in results.valid_estimates.items()}
    if results.search_gain:
        found["search/gain_roc_auc"] = results.search_gain
    return found
