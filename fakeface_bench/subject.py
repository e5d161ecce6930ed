"""What a study examines: a network, the index of its images, and a reader of their splits."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fakeface_bench.config import CLASS_NAMES, equalising_quality
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.canvases import Pictures
from fakeface_bench.data.compression import common_quality, more_compressed
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.features.reader import SplitReader
from fakeface_bench.inputs import Inputs, prepare_inputs
from fakeface_bench.models.networks import Network
from fakeface_bench.plan import Plan
from fakeface_bench.preparation import PreparedDataset, prepare_dataset
from fakeface_bench.progress import Progress


@dataclass(frozen=True, slots=True)
class Subject:
    """A network, its data, and what an audit found in them.

    Attributes:
        plan: What is asked, with what the dataset decides of it.
        dataset: The dataset, made ready.
        index: The images of it that are used.
        inputs: What the network reads of them.
        reader: Reads the splits.
    """

    plan: Plan
    dataset: PreparedDataset
    index: ImageIndex
    inputs: Inputs
    reader: SplitReader

    @property
    def network(self) -> Network:
        """What is trained."""
        return self.inputs.network

    @property
    def audit(self) -> Audit:
        """What was found in the dataset."""
        return self.dataset.audit

    def images_used(self) -> dict[str, float]:
        """Count what this study itself uses, in place of all that the audit found usable."""
        frame = self.index.frame
        by_class = frame["split"] + "_" + frame["label"].map(dict(enumerate(CLASS_NAMES)))
        counts = frame["split"].value_counts().to_dict() | by_class.value_counts().to_dict()
        used = {f"data/{place}_images": float(images) for place, images in counts.items()}
        return {"data/images": float(len(frame))} | used

    def images_by_source(self) -> dict[str, int]:
        """Return the sizes of each of several datasets, as params."""
        frame = self.index.frame
        if frame["source"].nunique() == 1:
            return {}
        places = "images/" + frame["source"] + "/" + frame["split"]
        return {str(place): int(images) for place, images in places.value_counts().items()}

    def example(self) -> npt.NDArray[np.uint8]:
        """Return a training picture as it meets the input, uint8 RGB of shape (size, size, 3).

        Raises:
            DataError: If it has changed since it was indexed.
        """
        rows, size = self.index.split("train").head(1), self.plan.image_size
        files, digests = self.index.files(rows), list(rows["digest"])
        return Pictures(files, size, self.plan.config.fit, size, digests=digests).load(0)


def prepare_subject(
    plan: Plan, progress: Progress, dataset: PreparedDataset | None = None
) -> Subject:
    """Read the dataset's index and build the network; its splits are read when asked for."""
    config = plan.config
    if dataset is None:
        dataset = prepare_dataset(config.data, config.seed, progress, config.classes)
    index = dataset.index(plan.config.limit, progress, plan.config.left_out)
    if plan.equalises:
        plan = replace(plan, jpeg_quality=_quality(plan, dataset, progress))
    inputs = prepare_inputs(plan, index, progress)
    reader = SplitReader(index, inputs.load, plan.config.balance)
    return Subject(plan, dataset, index, inputs, reader)


def _quality(plan: Plan, dataset: PreparedDataset, progress: Progress) -> int:
    """Return the quality of the JPEG that every picture passes; tell whose traces outlast it."""
    used = dataset.audit.used
    quality = equalising_quality(plan.config.equalise) or common_quality(used)
    progress.say(f"every picture passes a JPEG of quality {quality} first")
    outlast = used[more_compressed(used, quality)]
    if len(outlast):
        by_class = outlast["label"].map(dict(enumerate(CLASS_NAMES))).value_counts()
        told = " and ".join(f"{by_class.get(name, 0):,} {name}" for name in CLASS_NAMES)
        progress.warn(f"{told} pictures are JPEGs of a lower quality, whose traces remain")
    return quality
