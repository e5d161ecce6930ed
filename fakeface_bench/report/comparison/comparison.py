"""All numbers of a comparison, computed once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fakeface_bench.evaluation.paired import RESAMPLED, figures_of, resampled_figures
from fakeface_bench.records import ComparedStudy, FloatArray, LeftOut
from fakeface_bench.report.comparison.agreement import Agreement, agreement_of
from fakeface_bench.report.comparison.front import on_front
from fakeface_bench.report.comparison.labels import unique_labels
from fakeface_bench.report.comparison.standing import Standing, figures_with_intervals
from fakeface_bench.report.comparison.steps import Step, compare_standings


@dataclass(frozen=True, slots=True)
class Comparison:
    """Finished studies on the same test images, side by side.

    Attributes:
        standings: At least one, the most accurate first; of equals the cheaper.
        steps: Between neighbours along the front, from cheap to dear.
        rivals: Every study cheaper than the best against it, from cheap to dear.
        agreement: What the kept models call alike, in the order of `standings`.
        left_out: What is not compared.
    """

    standings: tuple[Standing, ...]
    steps: tuple[Step, ...]
    rivals: tuple[Step, ...]
    agreement: Agreement
    left_out: tuple[LeftOut, ...]

    @property
    def best(self) -> Standing:
        """The most accurate study; of equals the cheapest."""
        return self.standings[0]

    @property
    def nearest(self) -> Step | None:
        """The best against the cheapest study not shown to be less accurate, where there is one."""
        return next((step for step in self.rivals if not step.is_shown), None)

    @property
    def recommended(self) -> Standing:
        """The cheapest study whose accuracy is not shown to be worse than that of the best."""
        return self.best if self.nearest is None else self.nearest.lower

    @property
    def studies(self) -> tuple[ComparedStudy, ...]:
        """What is compared, in the order of `standings`."""
        return tuple(standing.study for standing in self.standings)

    @property
    def images(self) -> int:
        """Number of test images."""
        return len(self.studies[0].y_true)


def compare_studies(
    studies: Sequence[ComparedStudy], left_out: Sequence[LeftOut] = ()
) -> Comparison:
    """Compare finished studies; the order in which they come is of no effect.

    Args:
        studies: At least one, all of the same test images in the same order.
        left_out: What is to be named as not compared.

    Raises:
        ValueError: If there is no study, or two differ in their test images or labels.
    """
    _check(studies)
    ranked = _ranked(studies)
    standings = [standing for standing, _ in ranked]
    resampled = {standing.label: values for standing, values in ranked}
    steps, rivals = compare_standings(standings, resampled)
    return Comparison(
        standings=tuple(standings),
        steps=steps,
        rivals=rivals,
        agreement=agreement_of([standing.study for standing in standings]),
        left_out=tuple(left_out),
    )


def _check(studies: Sequence[ComparedStudy]) -> None:
    if not studies:
        raise ValueError("no study to compare; at least one is needed")
    first = studies[0]
    for other in studies[1:]:
        for what in ("paths", "sources"):
            if getattr(first, what) != getattr(other, what):
                raise ValueError(
                    f"{_names(first, other)} differ in the {what} of their test images"
                )
        if not np.array_equal(first.y_true, other.y_true):
            raise ValueError(f"{_names(first, other)} differ in the labels of their test images")


def _names(first: ComparedStudy, other: ComparedStudy) -> str:
    return f"{first.label!r} and {other.label!r}"


def _ranked(studies: Sequence[ComparedStudy]) -> list[tuple[Standing, dict[str, FloatArray]]]:
    """Return where each study stands, the most accurate first, with its resampled figures."""
    y_true = studies[0].y_true
    scored = [[figures_of(y_true, scores) for scores in study.seeds] for study in studies]
    figures = [
        {key: tuple(of_seed[key] for of_seed in of_study) for key in RESAMPLED}
        for of_study in scored
    ]
    # Rounded, since means over seeds are not exact and equals must be equal.
    accuracies = [round(float(np.mean(of_study["accuracy"])), 12) for of_study in figures]
    costs = [study.ledger.total_cold_seconds for study in studies]
    order = sorted(
        range(len(studies)),
        key=lambda n: (-accuracies[n], costs[n], studies[n].label, studies[n].identity.run_id),
    )
    chosen = [studies[n] for n in order]
    leading = on_front([costs[n] for n in order], [accuracies[n] for n in order])
    resampled = resampled_figures(y_true, [study.seeds for study in chosen])
    joined = [
        figures_with_intervals(studies[n], figures[n], values)
        for n, values in zip(order, resampled, strict=True)
    ]
    rows = zip(chosen, unique_labels(chosen), joined, leading, resampled, strict=True)
    return [
        (Standing(study, label, rank, own, leads), values)
        for rank, (study, label, own, leads, values) in enumerate(rows, start=1)
    ]
