"""What to mind before costs are set side by side: unlike machines, searches and seeds."""

from collections.abc import Sequence

from fakeface_bench.report.comparison.comparison import Comparison


def cost_cautions(comparison: Comparison) -> list[str]:
    """Say in what the studies differ that moves costs; what is not known is no difference."""
    studies = comparison.studies
    trials = _span([study.trials for study in studies if study.trials])
    seeds = _span([len(study.seeds) for study in studies])
    found = []
    if len({study.machine for study in studies if study.machine}) > 1:
        found.append("the studies ran on different machines.")
    if trials:
        found.append(f"the searches hold different numbers of trials {trials}.")
    if seeds:
        found.append(
            f"the studies have different numbers of seeds {seeds}, and each is charged its own."
        )
    return [
        f"Mind the costs: {sentence}" if place == 0 else f"{sentence[0].upper()}{sentence[1:]}"
        for place, sentence in enumerate(found)
    ]


def _span(counts: Sequence[int]) -> str:
    """Return the least and the most in brackets; nothing where all are the same."""
    return f"({min(counts)} to {max(counts)})" if len(set(counts)) > 1 else ""
