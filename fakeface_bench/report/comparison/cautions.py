"""What to mind before costs are set side by side: unlike machines, searches and seeds."""

from collections.abc import Sequence

from fakeface_bench.config import StudyConfig, option_told
from fakeface_bench.report.comparison.comparison import Comparison
from fakeface_bench.report.comparison.units import listed
from fakeface_bench.report.results import few_images_told

ALL_IMAGES = option_told("limit", StudyConfig().limit)


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


def data_cautions(comparison: Comparison) -> list[str]:
    """Say what part of the data was used, and at what sizes, where that is not as usual."""
    found = []
    if few := few_images_told(comparison.images):
        found.append(f"Mind the test images: {few}")
    limits = {study.settings.get("limit", ALL_IMAGES) for study in comparison.studies}
    if limits != {ALL_IMAGES}:
        told = " and ".join(sorted(limits)).replace("limit ", "")
        found.append(
            f"Mind the data: the studies used {told} images of each split and class (limit), not "
            "the whole dataset."
        )
    asked = {study.settings.get("image_size", "") for study in comparison.studies}
    if len(asked) > 1:
        sizes = listed(
            [
                f"{study.label} at {study.settings.get('image_size_px') or '?'} px"
                for study in comparison.studies
            ]
        )
        found.append(f"Mind the sizes: the networks saw the pictures at different ones, {sizes}.")
    return found


def _span(counts: Sequence[int]) -> str:
    """Return the least and the most in brackets; nothing where all are the same."""
    return f"({min(counts)} to {max(counts)})" if len(set(counts)) > 1 else ""
