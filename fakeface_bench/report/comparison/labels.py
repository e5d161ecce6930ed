"""Names of compared studies: short, visible, and no two alike."""

from collections import Counter
from collections.abc import Sequence

from fakeface_bench.records import ComparedStudy
from fakeface_bench.report.wording import shortened

LONGEST_LABEL = 44


def unique_labels(studies: Sequence[ComparedStudy]) -> list[str]:
    """Name each study by its label; those alike get their weights too, then a number."""
    labels = [shortened(study.label, LONGEST_LABEL) for study in studies]
    alike = Counter(labels)
    labels = [
        shortened(f"{label}, {study.identity.weights}", LONGEST_LABEL)
        if alike[label] > 1
        else label
        for label, study in zip(labels, studies, strict=True)
    ]
    return _numbered(labels)


def _numbered(labels: Sequence[str]) -> list[str]:
    alike, taken, names = Counter(labels), set(labels), []
    for label in labels:
        name, number = label, 1
        while alike[label] > 1 and name in taken:
            name, number = f"{label}, {number}", number + 1
        taken.add(name)
        names.append(name)
    return names
