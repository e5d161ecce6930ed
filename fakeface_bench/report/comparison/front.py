"""The accuracy-cost front: the studies that are worth their cost."""

from collections.abc import Sequence


def on_front(costs: Sequence[float], values: Sequence[float]) -> list[bool]:
    """Return which of some points no other dominates.

    A point dominates another that costs at least as much and is worth no more, unless both are
    equal in cost and worth: then neither does, and both stay.

    Args:
        costs: The lower the better.
        values: The higher the better.
    """
    points = list(zip(costs, values, strict=True))
    return [
        not any(
            other != point and other[0] <= point[0] and other[1] >= point[1] for other in points
        )
        for point in points
    ]
