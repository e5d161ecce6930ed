"""How often the project's claims hold: claim, before, after, by simulation.

    python benchmarks/coverage.py --output RESULT.json

Scores are drawn from distributions whose truth is known, many times over, and given to the
project's own functions. "Before" is what stood here first, kept in this file. Of 1,000 draws one
standard error of 0.95 is 0.007.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from math import sqrt
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from scipy.stats import norm

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402

Interval = tuple[float, float]
Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint8]
#: Of one draw: whether the claim came true, or how far off it was, before and after; None where
#: nothing was claimed.
Draw = Mapping[str, float | None]
#: What the scores of two fits share of their variance: images that are hard for all.
SHARED = 0.7


@dataclass(frozen=True)
class Claim:
    """What is claimed, and what its share or mean over draws has to be."""

    title: str
    wanted: str
    draw: Callable[[np.random.Generator, tuple[Any, ...]], Draw]
    cells: Mapping[str, tuple[Any, ...]]
    replicates: int = 0  # fewer than asked for, where a draw takes long; 0: as asked


def labels(images: int) -> Labels:
    """Label every second image a fake."""
    return (np.arange(images) % 2).astype(np.uint8)


def inside(interval: Interval, truth: float) -> float:
    """Return 1 where an interval holds the truth."""
    return float(interval[0] <= truth <= interval[1])


# ROC AUC of one fit


def drawn_scores(rng: np.random.Generator, shape: str, y_true: Labels, roc_auc: float) -> Scores:
    """Draw scores whose true ROC AUC is known.

    Args:
        shape: `normal`: both classes alike; `unequal`: fakes spread 2.5 times as wide; `skewed`:
            both exponential; `mixed`: most fakes far off, the rest scored like real images.
    """
    fake, n = y_true == 1, len(y_true)
    if shape == "skewed":
        return rng.exponential(np.where(fake, roc_auc / (1 - roc_auc), 1.0))
    if shape == "mixed":
        return rng.normal(np.where(fake & (rng.random(n) > 2 * (1 - roc_auc)), 40.0, 0.0))
    spread = np.where(fake, 2.5 if shape == "unequal" else 1.0, 1.0)
    apart = sqrt(1 + spread.max() ** 2) * norm.ppf(roc_auc)
    return rng.normal(apart * fake, spread)


def by_percentiles(y_true: Labels, y_score: Scores) -> Interval:
    """Return the middle 95 % of ROC AUC in 1000 stratified bootstrap resamples."""
    from fakeface_bench.evaluation.bootstrap import Ranks, stratified_resamples
    from fakeface_bench.evaluation.intervals import percentile

    ranks = Ranks(y_true, y_score)
    resampled = [ranks.roc_auc(drawn.counts) for drawn in stratified_resamples(y_true, 0)]
    found = percentile(0.5, np.concatenate(resampled))
    return found.low, found.high


def roc_auc_of_a_fit(rng: np.random.Generator, cell: tuple[Any, ...]) -> Draw:
    """Say whether the interval of a study's ROC AUC holds the true one."""
    from fakeface_bench.evaluation.intervals import roc_auc_estimate

    shape, true, images = cell
    y_true = labels(images)
    y_score = drawn_scores(rng, shape, y_true, true)
    found = roc_auc_estimate(y_true, y_score)
    return {
        "before": inside(by_percentiles(y_true, y_score), true),
        "after": inside((found.low, found.high), true),
    }


# Networks: several seeds of each


def drawn_fits(
    rng: np.random.Generator, images: int, accuracies: Sequence[float]
) -> tuple[Labels, list[Any]]:
    """Draw fits whose true accuracies at threshold 0.5 are known, on the same images."""
    from fakeface_bench.records.study import SeedScores

    y_true = labels(images)
    hard = sqrt(SHARED) * rng.normal(size=images)
    fits = []
    for seed, accuracy in enumerate(accuracies):
        noise = hard + sqrt(1 - SHARED) * rng.normal(size=images)
        y_score = norm.cdf(noise + norm.ppf(accuracy) * (2.0 * y_true - 1))
        fits.append(SeedScores(seed, y_score, 0.5))
    return y_true, fits


def accuracies_of(y_true: Labels, fits: Sequence[Any]) -> tuple[float, ...]:
    """Return the accuracy of each fit on the images."""
    return tuple(float(np.mean(fit.predicted_fake == (y_true == 1))) for fit in fits)


def over_seeds(y_true: Labels, fits: Sequence[Any]) -> Any:
    """Return the accuracy of a network by seed, as a comparison has it."""
    from fakeface_bench.evaluation.over_seeds import seed_metrics

    return seed_metrics(y_true, fits, {"accuracy": accuracies_of(y_true, fits)})["accuracy"]


#: True accuracy of every network, and how far its refits vary.
ACCURACY, REFITS_VARY = 0.8, 0.01


def equal_networks(rng: np.random.Generator, cell: tuple[Any, ...]) -> Draw:
    """Say whether two equal networks are called different."""
    from fakeface_bench.evaluation.over_seeds import difference_over_seeds
    from fakeface_bench.evaluation.paired import mcnemar

    images, seeds = cell
    y_true, fits = drawn_fits(rng, images, rng.normal(ACCURACY, REFITS_VARY, 2 * seeds))
    kept = [fits[place].predicted_fake == (y_true == 1) for place in (0, seeds)]
    one, other = over_seeds(y_true, fits[:seeds]), over_seeds(y_true, fits[seeds:])
    return {
        "before": float(mcnemar(*kept).p < 0.05),
        "after": float(difference_over_seeds(one, other).p < 0.05),
    }


def redrawn(rng: np.random.Generator, y_true: Labels, fits: Sequence[Any]) -> Interval:
    """Return the middle 95 % of the mean accuracy over redrawn images and redrawn seeds.

    Images of one class that the same seeds are wrong about are drawn as one: how many of each kind
    is multinomial.
    """
    correct = np.stack([fit.predicted_fake == (y_true == 1) for fit in fits])
    means = np.zeros((1000, len(fits)))
    for label in (0, 1):
        kinds, counts = np.unique(correct[:, y_true == label], axis=1, return_counts=True)
        drawn = rng.multinomial(counts.sum(), counts / counts.sum(), 1000)
        means += drawn @ kinds.T / len(y_true)
    seeds = rng.integers(len(fits), size=means.shape)
    low, high = np.quantile(np.take_along_axis(means, seeds, axis=1).mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def mean_of_a_network(rng: np.random.Generator, cell: tuple[Any, ...]) -> Draw:
    """Say whether the interval of a network's mean accuracy holds the true one."""
    from fakeface_bench.evaluation.over_seeds import mean_over_seeds

    images, seeds = cell
    y_true, fits = drawn_fits(rng, images, rng.normal(ACCURACY, REFITS_VARY, seeds))
    found = mean_over_seeds(over_seeds(y_true, fits))
    return {
        "before": inside(redrawn(rng, y_true, fits), ACCURACY),
        "after": inside((found.low, found.high), ACCURACY),
    }


def difference_of_networks(rng: np.random.Generator, cell: tuple[Any, ...]) -> Draw:
    """Say whether the interval of what one network is ahead by holds the true 0.03."""
    from fakeface_bench.evaluation.over_seeds import difference_over_seeds

    images, seeds = cell
    means = np.repeat([ACCURACY, ACCURACY + 0.03], seeds)
    y_true, fits = drawn_fits(rng, images, rng.normal(means, REFITS_VARY))
    one, other = over_seeds(y_true, fits[:seeds]), over_seeds(y_true, fits[seeds:])
    found = difference_over_seeds(one, other).estimate
    return {"before": None, "after": inside((found.low, found.high), 0.03)}


# What a comparison recommends, and which differences it calls


def compared(rng: np.random.Generator, images: int, accuracies: Sequence[float]) -> Any:
    """Compare one-seed studies of known accuracy, the cheapest first."""
    from fakeface_bench.analysis.comparison import compare_studies
    from tests.report.compared_studies import study

    y_true, fits = drawn_fits(rng, images, accuracies)
    return compare_studies(
        [
            study(f"network {place}", fit.y_score, 100.0 * (place + 1), y_true=y_true)
            for place, fit in enumerate(fits)
        ]
    )


def taken(rng: np.random.Generator, cell: tuple[Any, ...]) -> Draw:
    """Return by how many points the network to take is behind the truly best."""
    images, accuracies = cell
    found = compared(rng, images, accuracies)
    # Before: the cheapest that the test did not show to be less accurate.
    not_worse = next((p.lower for p in found.to_best if p.adjusted_p >= 0.05), found.best)
    return {
        name: 100 * (max(accuracies) - accuracies[int(entry.label.split()[1])])
        for name, entry in (("before", not_worse), ("after", found.recommended))
    }


def false_alarm_of_a_page(rng: np.random.Generator, cell: tuple[Any, ...]) -> Draw:
    """Say whether a page of equal fits calls any of its pairs different."""
    from fakeface_bench.evaluation.paired import holm

    images, count = cell
    found = compared(rng, images, [ACCURACY] * count)
    pairs = {
        (pair.lower.label, pair.upper.label): pair for pair in (*found.along_front, *found.to_best)
    }
    if not pairs:
        return {"before": 0.0, "after": 0.0}
    before = holm([pair.test.p for pair in pairs.values()])
    after = [pair.adjusted_p for pair in pairs.values()]
    return {"before": float(min(before) < 0.05), "after": float(min(after) < 0.05)}


def replaced_champion(rng: np.random.Generator, cell: tuple[Any, ...]) -> Draw:
    """Say whether any of some equal challengers is called better than the champion."""
    from fakeface_bench.evaluation.paired import mcnemar
    from fakeface_bench.study.register import level_of

    images, tries = cell
    rights = rng.random((tries + 1, images)) < ACCURACY
    tests = [mcnemar(rights[0], right) for right in rights[1:]]
    p_values = [test.p if test.only_second > test.only_first else 1.0 for test in tests]
    asked = [level_of(number) for number in range(1, tries + 1)]
    return {
        "before": float(min(p_values) < 0.05),
        "after": float(any(p < level for p, level in zip(p_values, asked, strict=True))),
    }


# Single claims


def recall_of_fakes(rng: np.random.Generator, cell: tuple[Any, ...]) -> Draw:
    """Say whether the interval of recall at a rate of false alarms holds the true one."""
    from fakeface_bench.evaluation.bootstrap import WeightedMetrics, stratified_resamples
    from fakeface_bench.evaluation.intervals import recall_at_estimate
    from fakeface_bench.evaluation.metrics import METRICS

    percent, real, apart = cell
    y_true = labels(2 * real)
    true = float(norm.sf(norm.isf(percent / 100) - apart))
    y_score = norm.cdf(rng.normal(apart * y_true))
    key = f"recall_at_{percent}pct_fpr"
    metrics = WeightedMetrics(y_true, y_score, 0.5)
    resampled = [metrics.metrics(drawn.counts)[key] for drawn in stratified_resamples(y_true, 0)]
    low, high = np.quantile(np.concatenate(resampled), (0.025, 0.975))
    before = inside((float(low), float(high)), true)
    if real < METRICS[key].least_real:
        return {"before": before, "after": None}
    found = recall_at_estimate(y_true, y_score, percent / 100)
    return {"before": before, "after": inside((found.low, found.high), true)}


def threshold_of_a_fit(rng: np.random.Generator, cell: tuple[Any, ...]) -> Draw:
    """Return how far the threshold lies from the true best one, 0.5, of calibrated scores."""
    from fakeface_bench.evaluation.decisions import choose_threshold

    (images,) = cell
    y_true = labels(images)
    margins = rng.normal(1.2 * (2.0 * y_true - 1), 1.5)
    y_score = 1 / (1 + np.exp(-2 * 1.2 / 1.5**2 * margins))
    ahead = [
        float(np.mean(y_score[y_true == 1] >= t) - np.mean(y_score[y_true == 0] >= t))
        for t in y_score
    ]
    best = float(y_score[int(np.argmax(ahead))])
    after = choose_threshold(y_true, y_score)
    return {"before": abs(best - 0.5), "after": abs(after - 0.5)}


def called_free_of_shortcuts(rng: np.random.Generator, cell: tuple[Any, ...]) -> Draw:
    """Say whether a dataset is called free of shortcuts whose files give 0.6 away."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    from fakeface_bench.evaluation.shortcut import fact_high, roc_auc_by_fold, roc_auc_over_folds
    from fakeface_bench.report.audit_checks import NO_SHORTCUT

    (images,) = cell
    y_true = labels(images)
    fact = rng.normal(sqrt(2) * norm.ppf(0.6) * y_true)
    classifier = HistGradientBoostingClassifier(
        max_iter=50, max_leaf_nodes=8, min_samples_leaf=5, early_stopping=False, random_state=0
    )
    found = roc_auc_over_folds(roc_auc_by_fold(classifier, fact[:, None], y_true))
    high = max(found.high, fact_high(y_true, fact))
    return {
        "before": float(found.low <= 0.5),
        "after": float(found.low <= 0.5 and high < NO_SHORTCUT),
    }


def claims() -> Iterator[Claim]:
    """Yield every claim, with what it is tried on."""
    held, rare = "at least 0.93", "at most 0.06"
    shapes, aucs = ("normal", "unequal", "skewed", "mixed"), (0.7, 0.9, 0.99, 0.999)
    cells = product(shapes, aucs, (37, 100, 400, 1600))
    of_fits = {f"{s} scores, {auc:g}, n = {n:,}": (s, auc, n) for s, auc, n in cells}
    yield Claim("ROC AUC of a fit: its interval holds it", held, roc_auc_of_a_fit, of_fits)
    seeds = {f"n = {n:,}, {k} seeds": (n, k) for n, k in product((400, 1600, 20_000), (3, 5))}
    what = "networks of 0.8 whose refits vary by 0.01"
    yield Claim(f"Equal {what}: called different", rare, equal_networks, seeds)
    yield Claim(f"Mean of {what}: its interval holds it", held, mean_of_a_network, seeds)
    title = f"Difference of 0.03 between {what}: its interval holds it"
    yield Claim(title, held, difference_of_networks, seeds)
    four, two = (0.80, 0.82, 0.84, 0.86), (0.82, 0.85)
    networks = {f"{' '.join(f'{a:.2f}' for a in of)}, n = 400": (400, of) for of in (four, two)}
    title = "The study to take: points behind the truly best"
    yield Claim(title, "no more than 1", taken, networks, replicates=500)
    pages = {f"{count} studies, n = 400": (400, count) for count in (3, 6)}
    title = "A page of equal fits: any pair called different"
    yield Claim(title, rare, false_alarm_of_a_page, pages, replicates=500)
    series = {f"{tries} challengers, n = 400": (400, tries) for tries in (1, 20)}
    yield Claim("Equal challengers: the champion replaced", rare, replaced_champion, series)
    rates = {
        f"{percent} %, {real} real images, {found}": (percent, real, apart)
        for apart, found in ((2.0, "few found"), (4.5, "nearly all found"))
        for percent, reals in ((1, (100, 200, 400)), (5, (20, 40, 100)))
        for real in reals
    }
    title = "Recall at a rate of false alarms: its interval holds it"
    yield Claim(title, f"{held}, else not told", recall_of_fakes, rates)
    validation = {f"n = {images:,}": (images,) for images in (100, 400, 1600)}
    title = "Threshold of a fit: distance from the true best, 0.5"
    yield Claim(title, "at most 0.02", threshold_of_a_fit, validation, replicates=300)
    sizes = {f"n = {images:,}": (images,) for images in (400, 1600)}
    title = "Files that give ROC AUC 0.6 away: called free of shortcuts"
    yield Claim(title, "at most 0.06", called_free_of_shortcuts, sizes, replicates=300)


CLAIMS = tuple(claims())


def measured(number: int, cell: str, replicates: int, seed: int) -> dict[str, Any]:
    """Return of one cell of a claim the mean over draws, before and after."""
    claim = CLAIMS[number]
    rng = np.random.default_rng((seed, number, list(claim.cells).index(cell)))
    draws = [claim.draw(rng, claim.cells[cell]) for _ in range(claim.replicates or replicates)]
    found: dict[str, Any] = {"cell": cell, "replicates": len(draws)}
    for name in ("before", "after"):
        told = [value for draw in draws if (value := draw[name]) is not None]
        found[name] = float(np.mean(told)) if told else None
    return found


@click.command()
@click.option("--replicates", default=1000, show_default=True, help="Draws of each row, at most.")
@click.option("--seed", default=0, show_default=True)
@click.option("--only", default="", help="Only claims whose title holds this text.")
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
@click.option(
    "--read", type=click.Path(exists=True, path_type=Path), help="Only show such a file as a table."
)
def main(replicates: int, seed: int, only: str, output: Path | None, read: Path | None) -> None:
    """Simulate."""
    if read:
        click.echo(table(json.loads(read.read_text(encoding="utf-8"))["claims"]))
        return
    found = []
    with ProcessPoolExecutor() as processes:
        asked = [
            (claim, [processes.submit(measured, n, cell, replicates, seed) for cell in claim.cells])
            for n, claim in enumerate(CLAIMS)
            if only.lower() in claim.title.lower()
        ]
        for claim, cells in asked:
            click.echo(f"{claim.title} ({claim.wanted})")
            rows = [cell.result() for cell in cells]
            for row in rows:
                before, after = (_shown(row[name]) for name in ("before", "after"))
                click.echo(f"  {row['cell']}: before {before}, after {after}")
            found.append({"claim": claim.title, "wanted": claim.wanted, "rows": rows})
    keep({"machine": machine("numpy", "scipy"), "seed": seed, "claims": found}, output)


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """Return claims as a Markdown table, of each the least and the most over its rows."""
    lines = [
        "| Claim | asked | before | after | rows | draws each |",
        "|---|---|---|---|---:|---:|",
    ]
    for claim in found:
        rows = claim["rows"]
        draws = max(row["replicates"] for row in rows)
        before, after = (_range([row[name] for row in rows]) for name in ("before", "after"))
        cells = (claim["claim"], claim["wanted"], before, after, str(len(rows)), f"{draws:,}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _range(values: Sequence[float | None]) -> str:
    told = [value for value in values if value is not None]
    if not told:
        return "nothing claimed"
    least, most = (f"{value:.3f}" for value in (min(told), max(told)))
    span = least if least == most else f"{least} to {most}"
    left = len(values) - len(told)
    return f"{span}, {left} not told" if left else span


def _shown(value: float | None) -> str:
    return "not told" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
