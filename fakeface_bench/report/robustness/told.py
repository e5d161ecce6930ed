"""Estimates, test sets and models of a test of robustness, as a reader takes them in."""

from fakeface_bench.records import Estimate
from fakeface_bench.records.robustness import ModelRobustness, Robustness
from fakeface_bench.report.comparison.units import signed
from fakeface_bench.report.wording import counted
from fakeface_bench.visible import elided

LONGEST_LABEL = 44
_LONGEST_DATA = 44


def estimate(figure: Estimate) -> str:
    """Write a figure with its interval: `0.912 (0.894 to 0.930)`."""
    return f"{signed(figure.value, 3)} ({signed(figure.low, 3)} to {signed(figure.high, 3)})"


def estimate_told(figure: Estimate) -> str:
    """Write the same in a sentence: `0.912 (95 % 0.894 to 0.930)`."""
    return estimate(figure).replace("(", "(95 % ")


def label_of(model: ModelRobustness) -> str:
    """Return a model's name, short and visible."""
    return elided(model.model.label, LONGEST_LABEL)


def data_of(robustness: Robustness) -> str:
    """Return the name of the test set, short and visible."""
    return elided(robustness.data, _LONGEST_DATA)


def images_told(robustness: Robustness) -> str:
    """Say how many images of which test set: `400 images of faces (its test split; …)`."""
    return (
        f"{counted(robustness.images, 'image')} of {data_of(robustness)} ({robustness.chosen}; "
        f"{robustness.real:,} real, {robustness.fake:,} fake)"
    )


def described(robustness: Robustness) -> str:
    """Say in two lines what a picture is of."""
    count = len(robustness.models)
    which = label_of(robustness.models[0]) if count == 1 else f"{count} models"
    return f"{which} on {data_of(robustness)}\n{_numbers(robustness)}"


def _numbers(robustness: Robustness) -> str:
    return f"n = {robustness.images:,} test images, with 95 % intervals"
