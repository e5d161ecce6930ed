"""What is published of studies, and what a check of it found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isclose

from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import ComparedStudy, StudyScores

#: Outcomes of a check, the worst last.
STATED = "stated"
EQUAL = "equal"
WITHIN = "within tolerance"
DIFFERS = "differs"
#: Two numbers that agree to so many digits are equal: sums round otherwise on other machines.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class PublishedFacts:
    """What tells a published study from another.

    Attributes:
        weights: Label of the weights that it started from.
        dataset: Name; `digest` is SHA-256 over its contents and labels, `test_digest` that of its
            test split.
        began: Unix time in milliseconds.
        params: As MLflow holds them, without what names a place on the author's machine.
    """

    run_id: str
    model: str
    fine_tune: str
    weights: str
    dataset: str
    digest: str
    test_digest: str
    began: int
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PublishedStudy:
    """A study, read back from what was published of it.

    Attributes:
        metrics: As MLflow holds them.
        results: The cells of `results.csv` by metric and column.
        scores: What metrics are computed from; those in it are computed anew.
        compared: What a comparison reads; digests stand for the images' paths.
        split_digests: SHA-256 over contents and labels of each split, by its name.
        has_model: Whether the model was published too.
    """

    facts: PublishedFacts
    metrics: Mapping[str, float]
    results: Mapping[tuple[str, str], float]
    scores: StudyScores
    compared: ComparedStudy
    split_digests: Mapping[str, str] = field(default_factory=dict)
    has_model: bool = False

    @property
    def name(self) -> str:
        """What it is called among others."""
        return f"{self.compared.label} on {self.facts.dataset}"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was published, held against what it must be.

    Attributes:
        of: The study, file or table that it belongs to.
        name: Of the metric, cell or file.
        published: A number or a text; None where there is none.
        found: What was found in its place.
        outcome: One of the four above; `stated` where the scores do not tell.
    """

    of: str
    name: str
    published: float | str | None
    found: float | str | None
    outcome: str


def check(
    of: str,
    name: str,
    published: float | str | None,
    found: float | str | None,
    tolerance: float = 0.0,
    interval: Estimate | None = None,
) -> Check:
    """Hold a published value against one that was found.

    Args:
        tolerance: By how much a number may differ.
        interval: Within which it may lie; then the tolerance does not count.
    """
    outcome = DIFFERS
    if isinstance(published, (int, float)) and isinstance(found, (int, float)):
        allowed = isclose(published, found, rel_tol=0.0, abs_tol=tolerance)
        if interval:
            allowed = interval.low <= found <= interval.high
        if isclose(published, found, rel_tol=_ROUNDING, abs_tol=_ROUNDING) or (
            published != published and found != found
        ):
            outcome = EQUAL
        elif allowed:
            outcome = WITHIN
    elif published == found:
        outcome = EQUAL
    return Check(of, name, published, found, outcome)


@dataclass(frozen=True, slots=True)
class Verification:
    """What checking a published folder found.

    Attributes:
        title: Of what was published.
        checks: In the order in which they were made.
        notes: What a reader must know of them, a sentence each.
    """

    title: str
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether nothing differs."""
        return not any(self.with_outcome(DIFFERS))

    def with_outcome(self, outcome: str) -> Iterator[Check]:
        """Yield the checks that ended so."""
        return (each for each in self.checks if each.outcome == outcome)

    def count(self, outcome: str) -> int:
        """Count the checks that ended so."""
        return sum(1 for _ in self.with_outcome(outcome))
