"""The cheapest study not shown to be worse than the best, beside the best, in words.

A tie is said only where the paired interval has room for no difference.
"""

from fakeface_bench.report.comparison.standing import Standing
from fakeface_bench.report.comparison.steps import SIGNIFICANT, Step
from fakeface_bench.report.comparison.units import cost, p_told, percent_right, points, points_range


def beside_the_best(step: Step) -> str:
    """Tell in a few words how near it comes, and how much could hide."""
    if not step.is_tie:
        return "not shown to be worse than the best, though it may well be"
    room = f" (it could be ahead by up to {points(step.could_be_ahead)} points)"
    return f"a tie with the best{room * (step.could_be_ahead > 0)}, and cheaper"


def not_shown(step: Step, images: str) -> list[str]:
    """Tell of the cheapest study that is not shown to be worse than the best."""
    lower, upper = step.lower, step.upper
    adjusted = f", {p_told(step.adjusted_p)} adjusted for {step.tests} tests" * (step.tests > 1)
    return [
        f"{lower.label} is the cheapest study whose accuracy is not shown to be worse than that of "
        f"the best, {upper.label}{_how_sure(step)}.",
        f"Of {images} {lower.label} is right on {percent_right(lower.accuracy.value)} and cost "
        f"{cost_told(lower)} from a cold start; {upper.label} is right on "
        f"{percent_right(upper.accuracy.value)} and cost {cost_told(upper)}.",
        f"{upper.label} is ahead by {points(step.accuracy.value)} points (95 % "
        f"{points_range(step.accuracy.interval)}; McNemar's test {p_told(step.test.p)}{adjusted}).",
        *_hidden(step, images),
        *_off_the_front(lower, upper),
    ]


def _how_sure(step: Step) -> str:
    if step.is_tie:
        return ": the two are a tie"
    beside = " once adjusted" if step.test.p < SIGNIFICANT <= step.adjusted_p else ""
    return (
        ", though it may well be: the interval leaves 0 out, and the test"
        f"{beside} does not confirm it"
    )


def _off_the_front(chosen: Standing, best: Standing) -> list[str]:
    """Tell of the odd case in which a study shown to be worse is as cheap and as accurate."""
    if chosen.on_front:
        return []
    return [
        f"{chosen.label} is not on the front: a study as cheap and as accurate, or better, is "
        f"itself shown to be less accurate than {best.label}."
    ]


def _hidden(step: Step, images: str) -> list[str]:
    """Tell what difference there is still room for."""
    name, most = step.upper.label, points(step.could_be_ahead)
    if not step.test.only_first + step.test.only_second:
        return [
            f"The two kept models are right on exactly the same images; with {images}, a true "
            f"difference of up to {most} points is still not ruled out."
        ]
    room = (
        f"Not shown is not the same as equal: that {name} is ahead by up to {most} points is not "
        "ruled out."
        if step.could_be_ahead > 0
        else f"The interval has no room for {name} being ahead."
    )
    luck = f"{name}'s kept model alone is shown to be ahead; its mean over seeds is not."
    return [room, luck] if step.is_kept_shown else [room]


def cost_told(standing: Standing) -> str:
    """Write what a study cost from a cold start, in a sentence."""
    return cost(standing.study.ledger, standing.cold_seconds)
