"""How the fakes of a dataset were made, as far as its row or its files' names tell."""

from fakeface_bench.data.catalogue import DATASETS
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.data.sources import source_names, split_data

#: What names such as `mid_161_0110` are made for: parts of a face replaced by hand.
COMPOSITE = "composite (Photoshop)"


def fake_kinds(data: str, index: ImageIndex) -> dict[str, str]:
    """Return how the fakes of each source were made, by its name; empty where that is not known.

    Args:
        data: As in `StudyConfig`: a folder may bear a known dataset's name and be something else.
        index: Of its images.
    """
    rows = {row.key: row.kind for row in DATASETS}
    named = {
        name: rows[part]
        for name, part in zip(source_names(data), split_data(data), strict=True)
        if part in rows
    }
    tiered = set(index.frame.loc[index.frame["tier"] != "", "source"])
    return {
        source: named.get(source) or (COMPOSITE if source in tiered else "")
        for source in map(str, index.frame["source"].unique())
    }
