"""One fit of one trial's options, of a head or of layers with it, and its numerical precision."""

import gc
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import cast

import keras

from fakeface_bench.config import (
    AUTO,
    LOGISTIC_REGRESSION,
    PRECISIONS,
    HeadConfig,
    TrialConfig,
    TuningConfig,
)
from fakeface_bench.features.epochs import EpochPlan, Epochs
from fakeface_bench.records.study import FitRecord
from fakeface_bench.support.errors import StudyError
from fakeface_bench.support.machine import gpus, may_have_bfloat16, out_of_memory, replicas
from fakeface_bench.training.batches import forward_of, predict_batch, validation_batches
from fakeface_bench.training.checkpoint import Checkpoint
from fakeface_bench.training.epochs import Course, Stage, run_epochs
from fakeface_bench.training.head_fit import HeadRows, HeadTraining, Values
from fakeface_bench.training.logistic_regression import fit_logistic_regression
from fakeface_bench.training.losses import LOSSES, accuracy_metric
from fakeface_bench.training.networks import (
    HEAD_STAGE,
    FitTask,
    FrozenNetwork,
    OnEpoch,
    TrainedNetwork,
)


def fit_head(
    task: FitTask, network: FrozenNetwork, head: HeadConfig, on_epoch: OnEpoch | None
) -> tuple[keras.Model, FitRecord]:
    """Train a head and return it with the weights of its best epoch."""
    values, record = _trained_head(task, network, head, on_epoch)
    model = untrained_head(task, network, head)
    model.set_weights(values)
    return model, record


def _trained_head(
    task: FitTask, network: FrozenNetwork, head: HeadConfig, on_epoch: OnEpoch | None
) -> tuple[Values, FitRecord]:
    parts = network.parts(head)
    if head.classifier == LOGISTIC_REGRESSION:
        batch_size = predict_batch(network)
        return fit_logistic_regression(task, _rows(task), parts, head, on_epoch, batch_size)
    training = HeadTraining(_rows(task), parts, head, task.seed)
    stage = Stage(
        name=HEAD_STAGE,
        model=training,
        batch_size=head.batch_size,
        train_epoch=training.train_epoch,
        forward=training.forward,
        valid=validation_batches(task, parts, predict_batch(network)),
    )
    course = Course()
    run_epochs(task, stage, course, on_epoch)
    return training.get_weights(), course.record()


def untrained_head(task: FitTask, network: FrozenNetwork, head: HeadConfig) -> keras.Model:
    """Return a head before its training."""
    keras.utils.set_random_seed(task.seed)
    return network.classifier(_rows(task), head, LOSSES[head.loss].outputs)


def _rows(task: FitTask) -> HeadRows:
    return task.heads or HeadRows(task.train)


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


def _served_copy(
    task: FitTask, network: TrainedNetwork, config: TrialConfig, model: keras.Model
) -> keras.Model:
    """Return a fitted model with the same values, as it is served."""
    outputs = LOSSES[config.head.loss].outputs
    start = untrained_start(task, network, config)
    twin = network.served(start, config.head, outputs)
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
        train_epoch=_train_layers_epoch(model, epochs),
        forward=forward_of(network, model),
        valid=validation_batches(task, parts, min(batch_size, predict_batch(network))),
    )
    run_epochs(
        task,
        stage,
        checkpoint.course(),
        on_epoch,
        keep=lambda: checkpoint.keep(model, batch_size),
    )
    return model


def _train_layers_epoch(model: keras.Model, epochs: Epochs) -> Callable[[int], Mapping[str, float]]:
    def train(number: int) -> Mapping[str, float]:
        with epochs.epoch(number) as batches:
            history = model.fit(batches, epochs=1, shuffle=False, verbose=0).history
        return {name: float(values[-1]) for name, values in history.items()}

    return train


def fit(
    task: FitTask, config: TrialConfig, on_epoch: OnEpoch | None = None
) -> tuple[keras.Model, FitRecord]:
    """Train one classifier and return it with the weights of its best epoch.

    The same task and options give the same weights on the same machine.

    Args:
        on_epoch: Called after each epoch; what it raises ends the fit.
    """
    if isinstance(task.network, FrozenNetwork):
        return fit_head(task, task.network, config.head, on_epoch)
    return fit_layers(task, cast(TrainedNetwork, task.network), config, on_epoch)


def fit_record(task: FitTask, config: TrialConfig, on_epoch: OnEpoch | None = None) -> FitRecord:
    """Train one classifier as `fit` does and return the record alone, which a search needs."""
    if isinstance(task.network, FrozenNetwork):
        return _trained_head(task, task.network, config.head, on_epoch)[1]
    return fit(task, config, on_epoch)[1]


def as_served(task: FitTask, config: TrialConfig, model: keras.Model) -> keras.Model:
    """Return a fitted classifier as it is scored and served: in float32, with the same values.

    Lower precision, quicker layers and the optimizer are for training alone, so that what is served
    depends on neither a device nor this package, and is no larger than its values.
    """
    if isinstance(task.network, FrozenNetwork):
        return model
    return _served_copy(task, cast(TrainedNetwork, task.network), config, model)


#: A lower precision must be at least this many times faster than float32 to be taken: within it
#: machines are noisy, and float32 is what the weights were made in.
WORTH_IT = 1.1
#: The shortest round counts: what else runs on the machine makes rounds longer, none shorter.
_ROUNDS = 3
_ROUND_STEPS = 3


@dataclass(frozen=True, slots=True)
class Precision:
    """What was chosen, and what it was chosen by.

    Attributes:
        name: One of `config.PRECISIONS`.
        step_seconds: Of one training step in each that was tried; empty where nothing was to be
            chosen.
    """

    name: str
    step_seconds: Mapping[str, float]

    def as_metrics(self) -> dict[str, float]:
        """Return the measured steps under their MLflow names."""
        return {
            f"cost/step_seconds_{name}": value
            for name, value in self.step_seconds.items()
            if math.isfinite(value)
        }


def choose_precision(asked: str, task: FitTask, config: TrialConfig) -> Precision:
    """Return the precision asked for; for `auto` the one whose training step is fastest here.

    Args:
        asked: One of `config.PRECISIONS`, or `auto`.
        task: Of a network with trained layers; a few of its train rows are used.
        config: The trial whose batch size and head are measured.
    """
    if asked != AUTO:
        return Precision(asked, {})
    candidates = _in_hardware()
    if len(candidates) == 1:
        return Precision(candidates[0], {})
    seconds = {name: _step_seconds(replace(task, precision=name), config) for name in candidates}
    full = candidates[0]
    fastest = min(seconds, key=lambda name: seconds[name])
    worth_it = seconds[fastest] * WORTH_IT <= seconds[full]
    return Precision(fastest if worth_it else full, seconds)


def _in_hardware() -> tuple[str, ...]:
    """Return what this machine does not merely emulate, which is never worth it."""
    if gpus():
        return PRECISIONS
    return PRECISIONS[:2] if may_have_bfloat16() else PRECISIONS[:1]


def _step_seconds(task: FitTask, config: TrialConfig) -> float:
    """Return the least time of a step, after one that compiles; infinite without the memory."""
    network = cast(TrainedNetwork, task.network)
    start = untrained_start(task, network, config)
    batch_size = min(step_settings(config).batch_size, len(task.train))
    try:
        model = compiled_layers(task, network, config, start, steps=1)
        with training_epochs(task, network, config, batch_size).epoch(0) as batches:
            step = batches.take(1).cache()
            model.fit(step, shuffle=False, verbose=0)
            seconds = []
            for _ in range(_ROUNDS):
                started = time.perf_counter()
                model.fit(step.repeat(_ROUND_STEPS), shuffle=False, verbose=0)
                seconds.append((time.perf_counter() - started) / _ROUND_STEPS)
            return min(seconds)
    except out_of_memory():
        return math.inf
