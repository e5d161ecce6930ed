"""What a study examines: a network, the index of its images, and a reader of their splits."""

from dataclasses import dataclass
from pathlib import Path

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.audit import Audit
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
        dataset: The dataset, made ready.
        index: The images of it that are used.
        inputs: What the network reads of them.
        reader: Reads the splits.
    """

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

    def example(self) -> Path:
        """Return the file of a training picture."""
        return self.index.files(self.index.split("train").head(1))[0]


def prepare_subject(plan: Plan, progress: Progress) -> Subject:
    """Read the dataset's index and build the network; its splits are read when asked for."""
    dataset = prepare_dataset(plan.config.data, plan.config.seed, progress)
    index = dataset.index(plan.config.limit, progress)
    inputs = prepare_inputs(plan, index, progress)
    return Subject(dataset, index, inputs, SplitReader(index, inputs.load, plan.config.balance))
