"""Trains layers under the head: unfrozen ones of a backbone after the head, or all from scratch."""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras

from fakeface_bench.config import TrialConfig, TuningConfig
from fakeface_bench.errors import StudyError
from fakeface_bench.features.epochs import EpochPlan, Epochs
from fakeface_bench.models.networks import TrainedNetwork
from fakeface_bench.records import FitRecord
from fakeface_bench.runtime import out_of_memory, replicas
from fakeface_bench.training.batches import Batches, forward_of, predict_batch
from fakeface_bench.training.checkpoint import Checkpoint
from fakeface_bench.training.epochs import Course, Stage, run_epochs
from fakeface_bench.training.head import fit_head, untrained_head
from fakeface_bench.training.losses import LOSSES, accuracy_metric
from fakeface_bench.training.task import FitTask, OnEpoch

#: Share of the epochs after which a warm-up ends at the latest, where there are few.
_LONGEST_WARM_UP = 0.5


def fit_layers(
    task: FitTask, network: TrainedNetwork, config: TrialConfig, on_epoch: OnEpoch | None
) -> tuple[keras.Model, FitRecord]:
    """Train the head, then the layers under it together with it; or everything from scratch.

    A fit that was killed goes on after its last finished epoch and ends as if it had not been;
    one that was finished is not run again. A batch that does not fit into memory is halved.

    Raises:
        StudyError: If not even a single image fits into memory.
    """
    gc.collect()  # models are cycles of references: that of the trial before still holds memory
    checkpoint = Checkpoint(task, config)
    course = checkpoint.course()
    if on_epoch is not None:
        for record in course.epochs:
            on_epoch(record)
    start = _head_before(task, network, config, course, on_epoch)
    batch_size = checkpoint.batch_size or step_settings(config).batch_size
    while True:
        try:
            model = _trained(_Fit(task, network, config, start), batch_size, checkpoint, on_epoch)
            return model, checkpoint.course().record()
        except out_of_memory() as error:
            if batch_size == 1:
                raise StudyError(
                    "not even one image a step fits into memory; choose a smaller image_size, a "
                    "smaller model, or train fewer layers (fine_tune)."
                ) from error
        batch_size //= 2
        gc.collect()  # likewise what failed
        task.warn(f"out of memory: going on with {batch_size} images a step")


def step_settings(config: TrialConfig) -> TuningConfig:
    """Return rate, decay and batch size of the trained layers; from scratch, those of the head."""
    head = config.head
    return config.tuning or TuningConfig(head.learning_rate, head.weight_decay, head.batch_size)


def untrained_start(
    task: FitTask, network: TrainedNetwork, config: TrialConfig
) -> keras.Model | None:
    """Return the head before its fit; None where everything starts from scratch."""
    if network.head_network is None:
        return None
    return untrained_head(task, network.head_network, config.head)


def training_epochs(
    task: FitTask, network: TrainedNetwork, config: TrialConfig, batch_size: int
) -> Epochs:
    """Return the training split as the layers of a trial see it."""
    plan = EpochPlan(
        parts=network.parts(config.head),
        batch_size=batch_size,
        seed=task.seed,
        augment=config.augment,
        image_size=network.image_size,
        crops=network.crops,
    )
    return Epochs(task.train, plan)


def compiled_layers(
    task: FitTask,
    network: TrainedNetwork,
    config: TrialConfig,
    start: keras.Model | None,
    steps: int,
) -> keras.Model:
    """Return what is trained, compiled for a number of steps an epoch, on every GPU there is.

    The learning rate rises over the first epoch and falls to 0 as a cosine over the others.
    """
    settings = step_settings(config)
    loss = LOSSES[config.head.loss]
    total = task.epochs * steps
    warm_up = max(1, min(steps, int(total * _LONGEST_WARM_UP)))
    keras.utils.set_random_seed(task.seed)
    with replicas():
        model = network.trainable(start, config.head, loss.outputs, task.precision)
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            decay_steps=max(1, total - warm_up),
            warmup_target=settings.learning_rate,
            warmup_steps=warm_up,
        )
        optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)
        if task.precision == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        model.compile(optimizer=optimizer, loss=loss.build(), metrics=[accuracy_metric(loss)])
        optimizer.build(model.trainable_variables)
    return model


def float32_twin(
    task: FitTask, network: TrainedNetwork, config: TrialConfig, model: keras.Model
) -> keras.Model:
    """Return a fitted model with the same values, computing in float32."""
    outputs = LOSSES[config.head.loss].outputs
    start = untrained_start(task, network, config)
    twin = network.trainable(start, config.head, outputs, "float32")
    twin.set_weights(model.get_weights())
    return twin


@dataclass(frozen=True, slots=True)
class _Fit:
    """What stays the same when a batch is halved."""

    task: FitTask
    network: TrainedNetwork
    config: TrialConfig
    start: keras.Model | None


def _head_before(
    task: FitTask,
    network: TrainedNetwork,
    config: TrialConfig,
    course: Course,
    on_epoch: OnEpoch | None,
) -> keras.Model | None:
    """Fit the head on frozen features, unless a checkpoint holds all that came of it."""
    if network.head_network is None or course.epochs:
        return untrained_start(task, network, config)
    head, record = fit_head(task, network.head_network, config.head, on_epoch)
    course.epochs.extend(record.epochs)
    return head


def _trained(
    fit: _Fit, batch_size: int, checkpoint: Checkpoint, on_epoch: OnEpoch | None
) -> keras.Model:
    task, network, config = fit.task, fit.network, fit.config
    parts = network.parts(config.head)
    epochs = training_epochs(task, network, config, batch_size)
    model = compiled_layers(task, network, config, fit.start, len(epochs))
    checkpoint.restore(model, batch_size, len(epochs))
    stage = Stage(
        name=network.stages[-1],
        model=model,
        batch_size=batch_size,
        train_epoch=_train_epoch(model, epochs),
        forward=forward_of(network, model),
        valid=Batches(task.valid, parts, min(batch_size, predict_batch(network))),
    )
    run_epochs(
        task,
        stage,
        checkpoint.course(),
        on_epoch,
        keep=lambda: checkpoint.keep(model, batch_size),
    )
    return model


def _train_epoch(model: keras.Model, epochs: Epochs) -> Callable[[int], Mapping[str, float]]:
    def train(number: int) -> Mapping[str, float]:
        with epochs.epoch(number) as batches:
            history = model.fit(batches, epochs=1, shuffle=False, verbose=0).history
        return {name: float(values[-1]) for name, values in history.items()}

    return train
