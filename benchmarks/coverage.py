"""How often intervals hold what they are to hold: claim, before, after, by simulation.

    python benchmarks/coverage.py --output RESULT.json

Scores are drawn from distributions whose true metrics are known, many times over, and given to the
project's own functions. "Before" is what stood here first, kept in this file. A coverage of 0.95 is
claimed; of 1,000 draws one standard error is 0.007.
"""

import sys
from collections.abc import Callable, Mapping
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


def as_it_is(y_true: Labels, y_score: Scores) -> Interval:
    """Return the interval that a study shows of ROC AUC."""
    from fakeface_bench.evaluation.intervals import roc_auc_estimate

    found = roc_auc_estimate(y_true, y_score)
    return found.low, found.high


@dataclass(frozen=True)
class Cell:
    """One distribution and one number of images, half of them fake."""

    shape: str
    true: float
    images: int

    @property
    def title(self) -> str:
        """What it is, in words."""
        return f"{self.shape} scores, ROC AUC {self.true:g}, n = {self.images:,}"


CELLS = [
    Cell(*of)
    for of in product(
        ("normal", "unequal", "skewed", "mixed"), (0.7, 0.9, 0.99, 0.999), (37, 100, 400, 1600)
    )
]
METHODS: Mapping[str, Callable[[Labels, Scores], Interval]] = {
    "before": by_percentiles,
    "after": as_it_is,
}


def coverage(cell: Cell, replicates: int, seed: int) -> dict[str, Any]:
    """Return of each method how often it holds the true ROC AUC, and its mean width."""
    rng = np.random.default_rng((seed, CELLS.index(cell)))
    y_true = (np.arange(cell.images) % 2).astype(np.uint8)
    ends: dict[str, list[Interval]] = {name: [] for name in METHODS}
    for _ in range(replicates):
        y_score = drawn_scores(rng, cell.shape, y_true, cell.true)
        for name, method in METHODS.items():
            ends[name].append(method(y_true, y_score))
    return {
        "cell": cell.title,
        **{
            name: {
                "coverage": sum(low <= cell.true <= high for low, high in of) / replicates,
                "mean_width": sum(high - low for low, high in of) / replicates,
            }
            for name, of in ends.items()
        },
    }


@click.command()
@click.option("--replicates", default=1000, show_default=True, help="Draws of each row.")
@click.option("--seed", default=0, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(replicates: int, seed: int, output: Path | None) -> None:
    """Simulate."""
    rows = []
    with ProcessPoolExecutor() as processes:
        asked = [processes.submit(coverage, cell, replicates, seed) for cell in CELLS]
        for row in (each.result() for each in asked):
            rows.append(row)
            parts = [
                f"{name} {row[name]['coverage']:.3f} (width {row[name]['mean_width']:.4f})"
                for name in METHODS
            ]
            click.echo(f"{row['cell']}: {', '.join(parts)}")
    for name in METHODS:
        found = [row[name]["coverage"] for row in rows]
        low = sum(value < 0.93 for value in found)
        click.echo(f"{name}: least {min(found):.3f}, below 0.93 in {low} of {len(found)} rows")
    facts = {"machine": machine("numpy", "scipy"), "replicates": replicates, "seed": seed}
    keep({**facts, "roc_auc": rows}, output)


if __name__ == "__main__":
    main()
