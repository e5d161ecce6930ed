"""What a study examines: a network, the index of its images, and a reader of their splits."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.audit import Audit, make_audit
from fakeface_bench.data.images import load_image
from fakeface_bench.data.index import ImageIndex, build_index
from fakeface_bench.data.selection import select_files
from fakeface_bench.data.sources import prepare_sources
from fakeface_bench.data.survey import survey_sources
from fakeface_bench.evaluation.shortcut import shortcut_floors
from fakeface_bench.features.reader import SplitReader
from fakeface_bench.inputs import prepare_inputs
from fakeface_bench.models.networks import Network
from fakeface_bench.plan import Plan
from fakeface_bench.progress import Progress

_EXAMPLE_IMAGES = 2


@dataclass(frozen=True, slots=True)
class Subject:
    """A network, its data, and what an audit found in them.

    Attributes:
        network: What is trained.
        index: The images.
        audit: What was found in the dataset.
        reader: Reads the splits.
        trained_on: What the training reads each epoch, and where from, in words.
    """

    network: Network
    index: ImageIndex
    audit: Audit
    reader: SplitReader
    trained_on: str

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

    def example(self, plan: Plan) -> npt.NDArray[np.uint8]:
        """Return a few training pictures as the network sees them."""
        files = self.index.files(self.index.split("train").head(_EXAMPLE_IMAGES))
        return np.stack([load_image(path, plan.image_size, plan.config.fit) for path in files])


def prepare_subject(plan: Plan, progress: Progress) -> Subject:
    """Read the dataset's index and build the network; its splits are read when asked for."""
    survey = survey_sources(prepare_sources(plan.config.data, progress), progress)
    files = select_files(survey, plan.config.seed)
    index = build_index(survey, files, plan.config.limit, progress)
    audit = make_audit(survey, files, shortcut_floors(files))
    inputs = prepare_inputs(plan, index, progress)
    reader = SplitReader(index, inputs.load, plan.config.balance)
    return Subject(inputs.network, index, audit, reader, inputs.told)
