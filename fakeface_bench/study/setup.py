"""Sets a study up: its network, its images, a reader of their splits, its storage, its task."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from fakeface_bench.config import (
    CLASS_NAMES,
    METRICS_VERSION,
    UNBALANCED,
    StudyConfig,
    listed,
)
from fakeface_bench.data.decode import Equalisation
from fakeface_bench.data.equalising import equalisation_for, more_compressed, unevenly_scaled
from fakeface_bench.data.index import ImageIndex
from fakeface_bench.data.pictures import Pictures
from fakeface_bench.data.selection import MAX_LOSS, loses_unevenly
from fakeface_bench.evaluation.cross_validation import Fold, draw_folds, with_folds
from fakeface_bench.evaluation.metrics import roc_auc
from fakeface_bench.features.engines import engine_label
from fakeface_bench.features.samples import Samples, SplitReader, sample_weights
from fakeface_bench.resolve import Plan
from fakeface_bench.search.options import narrowed
from fakeface_bench.search.space import Space
from fakeface_bench.search.storage import (
    Study,
    open_study,
    save_precision,
    saved_precision,
    study_uid,
)
from fakeface_bench.study.inputs import Inputs, prepare_inputs
from fakeface_bench.study.preparation import PreparedDataset, prepare_dataset
from fakeface_bench.support.disk import cache_folder
from fakeface_bench.support.executor import THIS_PROCESS, Executor
from fakeface_bench.support.machine import hardware_facts
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking import names
from fakeface_bench.tracking.runs import TrackedRun
from fakeface_bench.tracking.store import storage_beside_store
from fakeface_bench.tracking.studies import GENERATORS_DIGEST, NETWORK_DIGEST
from fakeface_bench.training.fit import choose_precision
from fakeface_bench.training.head_fit import HeadRows
from fakeface_bench.training.networks import FitTask, Network


@dataclass(frozen=True, slots=True)
class Setup:
    """A network and its data; the index holds the images of the dataset that are used."""

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
    def held_out_rows(self) -> pd.DataFrame:
        """Rows of the index on which options are judged: validation, with folds train too."""
        if not self.plan.config.folds:
            return self.index.split("valid")
        return pd.concat([self.index.split("train"), self.index.split("valid")], ignore_index=True)

    def images_used(self) -> dict[str, float]:
        """Count the images that this study uses, of all that the audit found usable."""
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
        """Return a training picture as it meets the input, uint8 RGB of shape (size, size, 3)."""
        rows, size = self.index.split("train").head(1), self.plan.image_size
        files, digests = self.index.files(rows), list(rows["digest"])
        return Pictures(files, size, self.plan.config.fit, size, digests=digests).load(0)


def prepare_setup(
    plan: Plan,
    progress: Progress,
    dataset: PreparedDataset | None = None,
    executor: Executor = THIS_PROCESS,
) -> Setup:
    """Read the dataset's index and build the network; splits are read later, when needed."""
    config = plan.config
    if dataset is None:
        dataset = prepare_dataset(config.data, config.seed, progress, config.classes)
    index = dataset.index(config.limit, progress, listed(config.leave_out))
    if plan.equalises:
        plan = replace(plan, equalisation=_equalisation(plan.config, dataset, progress))
    if plan.config.balance == UNBALANCED and loses_unevenly(dataset.files):
        plan = replace(plan, config=replace(plan.config, balance="classes"))
        progress.warn(
            f"copies cost a class more than {MAX_LOSS:.0%} of its training images: the classes are "
            "balanced, as by balance=classes"
        )
    inputs = prepare_inputs(plan, index, progress, executor)
    reader = SplitReader(index, inputs.load, plan.config.balance)
    return Setup(plan, dataset, index, inputs, reader)


def _equalisation(
    config: StudyConfig, dataset: PreparedDataset, progress: Progress
) -> Equalisation:
    """Return what every picture passes first; warn of traces that outlast it, and that it makes."""
    used, side = dataset.audit.used, config.canvas
    equalisation = equalisation_for(side, config.equalise, used)
    if side:
        progress.say(f"the centre of every picture is scaled to {side} × {side} px first")
        if warning := unevenly_scaled(used, side):
            progress.warn(warning)
    quality = equalisation.jpeg_quality
    if not quality:
        return equalisation
    progress.say(f"every picture passes a JPEG of quality {quality} first")
    outlast = used[more_compressed(used, quality)]
    if len(outlast):
        counts = " and ".join(
            f"{(outlast['label'] == label).sum():,} {name}"
            for label, name in enumerate(CLASS_NAMES)
        )
        progress.warn(f"{counts} pictures are JPEGs of a lower quality, whose traces remain")
    return equalisation


def open_setup(
    plan: Plan,
    run: TrackedRun,
    progress: Progress,
    dataset: PreparedDataset | None = None,
    executor: Executor = THIS_PROCESS,
) -> tuple[Setup, dict[str, str]]:
    """Prepare network and data, and log them in the run; return them with the tags of trials."""
    run.log_params(hardware_facts() | {"version_figures": METRICS_VERSION})
    if plan.weights.warning:
        progress.warn(plan.weights.warning)
    tags = {
        names.MODEL: plan.architecture.key,
        names.DATASET: plan.data_name,
        names.WEIGHTS: plan.weights.label,
        names.FINE_TUNE: plan.unfrozen.label,
        names.WEIGHTS_WARNING: plan.weights.warning,
    }
    run.tag(tags)  # before the data are read, so that a run that fails there has them
    setup = prepare_setup(plan, progress, dataset, executor)
    index = setup.index
    tags |= {
        names.DATASET_DIGEST: index.digest,
        names.TEST_DIGEST: index.split_digest("test"),
        names.STUDY: setup.plan.study_name(index),
    }
    run.tag(tags)
    inputs = {"image_size_px": plan.image_size, "trained_on": setup.inputs.description}
    if setup.inputs.engine:
        inputs["extracted_on"] = engine_label(setup.inputs.engine)
    if plan.architecture.file:
        inputs |= {"network": setup.inputs.found, NETWORK_DIGEST: plan.architecture.file.digest}
    if index.generators_digest:
        inputs[GENERATORS_DIGEST] = index.generators_digest
    if quality := setup.plan.equalisation.jpeg_quality:
        inputs["jpeg_quality"] = quality
    if setup.plan.config.balance != plan.config.balance:
        inputs["balanced"] = setup.plan.config.balance
    run.log_params(inputs | setup.images_by_source())
    run.log_dataset(index.name, index.digest, index.frame, index.folders)
    return setup, tags


def open_study_of(plan: Plan, setup: Setup, experiment_id: str, seed: int | None = None) -> Study:
    """Open the study's storage, which may refuse it, before anything long is done.

    Args:
        seed: Of one of its further searches, which holds trials of its own; None for the first.
    """
    storage = storage_beside_store(plan.config.storage, experiment_id)
    name, definition = plan.study_name(setup.index), plan.definition(setup.index)
    if seed is not None:
        name, definition = f"{name}.seed-{seed}", definition | {"search_seed": seed}
    return open_study(storage, name, definition)


def fit_task(
    plan: Plan, setup: Setup, study: Study, run: TrackedRun, progress: Progress
) -> FitTask:
    """Read train and validation, and choose the precision in which trained layers compute."""
    config = plan.config
    folds: list[Fold] = []
    if config.folds:  # refused before anything is extracted
        folds = draw_folds(setup.held_out_rows, config.folds, config.seed)
    train = setup.reader.read("train")
    valid = setup.reader.read("valid")
    task = FitTask(
        network=setup.network,
        train=train,
        valid=valid,
        epochs=config.epochs,
        seed=config.seed,
        patience=config.search.patience,
        objective=roc_auc,
        warn=progress.warn,
        heads=HeadRows(train),
    )
    if folds:
        task = _with_folds(task, setup, folds, (train, valid))
    if not plan.unfrozen.anything:
        return task
    asked = saved_precision(study) or config.precision
    measured = choose_precision(asked, task, space_of(plan, setup.network).plain())
    precision = save_precision(study, measured.name)
    progress.say(f"trained on {setup.inputs.description}, in {precision}")
    run.log_params({"trained_in": precision})
    run.log_metrics(measured.as_metrics())
    return task.changed(precision=precision, checkpoints=cache_folder("fits") / study_uid(study))


def _with_folds(
    task: FitTask, setup: Setup, folds: Sequence[Fold], read: tuple[Samples, Samples]
) -> FitTask:
    """Join train and validation, as each of both reads them, and divide them into folds."""
    (train, valid), rows, reader = read, setup.held_out_rows, setup.reader
    balance = setup.plan.config.balance
    weights = sample_weights(rows, balance)
    if setup.inputs.training_reads_more:
        joined = train.followed_by(reader.read("valid", read_as="train"), weights)
        left_out = reader.read("train", read_as="valid").followed_by(valid, None)
    else:
        left_out = joined = train.followed_by(valid, weights)
    task = replace(task, train=joined)
    return with_folds(task, left_out, rows, folds, balance)


def space_of(plan: Plan, network: Network) -> Space:
    """Return what the trials draw from."""
    config = plan.config
    return Space(network, config.batch_size, config.augment, narrowed(config.search))
