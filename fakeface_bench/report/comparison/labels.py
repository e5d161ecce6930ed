"""Names of compared studies: short, visible, and no two alike."""

from collections import Counter
from collections.abc import Sequence

from fakeface_bench.config import TOLD_OPTIONS
from fakeface_bench.records import ComparedStudy
from fakeface_bench.records.study import FROM_SCRATCH
from fakeface_bench.visible import elided

LONGEST_LABEL = 44
#: The same with what a study differs by.
LONGEST_APART = 72


def unique_labels(studies: Sequence[ComparedStudy]) -> list[str]:
    """Name each study by its label and by each option that is not the same for all.

    Those alike all the same get their weights too, then a number.
    """
    apart = [key for key in TOLD_OPTIONS if len(_asked(studies, key)) > 1]
    most = LONGEST_APART if apart else LONGEST_LABEL
    labels = [
        elided(", ".join([elided(study.label, LONGEST_LABEL), *_settings(study, apart)]), most)
        for study in studies
    ]
    alike = Counter(labels)
    labels = [
        elided(f"{label}, {study.identity.weights}", most) if alike[label] > 1 else label
        for label, study in zip(labels, studies, strict=True)
    ]
    return _numbered(labels)


def _asked(studies: Sequence[ComparedStudy], key: str) -> set[str]:
    """Return in how many ways an option was asked, of all studies of which that is known."""
    return {told for study in studies for told in _settings(study, [key])}


def _settings(study: ComparedStudy, keys: Sequence[str]) -> list[str]:
    """Return options in words; a network without pretrained weights has no choice of them."""
    if study.identity.trained == FROM_SCRATCH:
        keys = [key for key in keys if key != "weights"]
    return [study.settings[key] for key in keys if key in study.settings]


def _numbered(labels: Sequence[str]) -> list[str]:
    alike, taken, names = Counter(labels), set(labels), []
    for label in labels:
        name, number = label, 1
        while alike[label] > 1 and name in taken:
            name, number = f"{label}, {number}", number + 1
        taken.add(name)
        names.append(name)
    return names
