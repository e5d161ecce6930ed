"""Fits a head on cached features: seconds, even for a hundred thousand pictures."""

import keras

from fakeface_bench.config import HeadConfig
from fakeface_bench.models.networks import HEAD_STAGE, FrozenNetwork
from fakeface_bench.records import FitRecord
from fakeface_bench.training.batches import Batches, forward_of, predict_batch
from fakeface_bench.training.epochs import Course, Stage, run_epochs
from fakeface_bench.training.losses import LOSSES, accuracy_metric
from fakeface_bench.training.task import FitTask, OnEpoch


def fit_head(
    task: FitTask, network: FrozenNetwork, head: HeadConfig, on_epoch: OnEpoch | None
) -> tuple[keras.Model, FitRecord]:
    """Train a head and return it with the weights of its best epoch."""
    model = untrained_head(task, network, head)
    loss = LOSSES[head.loss]
    model.compile(
        optimizer=keras.optimizers.AdamW(head.learning_rate, weight_decay=head.weight_decay),
        loss=loss.build(),
        metrics=[accuracy_metric(loss)],
    )
    train = Batches(task.train, network.parts(head), head.batch_size, task.seed)
    stage = Stage(
        name=HEAD_STAGE,
        model=model,
        batch_size=head.batch_size,
        train_epoch=lambda number: _train_epoch(model, train),
        forward=forward_of(network, model),
        valid=Batches(task.valid, network.parts(head), predict_batch(network)),
    )
    course = Course()
    run_epochs(task, stage, course, on_epoch)
    return model, course.record()


def untrained_head(task: FitTask, network: FrozenNetwork, head: HeadConfig) -> keras.Model:
    """Return the head as every fit of this task starts from it."""
    keras.utils.set_random_seed(task.seed)
    return network.classifier(task.train, head, LOSSES[head.loss].outputs)


def _train_epoch(model: keras.Model, batches: Batches) -> dict[str, float]:
    """Train one epoch and return its mean loss and accuracy over the images.

    Batch by batch, not by `Model.fit`, whose own set-up costs more than an epoch of a small head.
    """
    images, totals = 0, {"loss": 0.0, "accuracy": 0.0}
    for number in range(len(batches)):
        x, y, weights = batches[number]
        of_batch = model.train_on_batch(x, y, sample_weight=weights, return_dict=True)
        images += len(x)
        totals = {name: total + len(x) * float(of_batch[name]) for name, total in totals.items()}
    batches.shuffle()
    return {name: total / images for name, total in totals.items()}
