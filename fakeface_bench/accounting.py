"""The cost of a study, closed when all of it is known but what is left: that is overhead."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np

from fakeface_bench.architectures.macs import count_macs
from fakeface_bench.clock import Clock
from fakeface_bench.conclusion import Conclusion
from fakeface_bench.energy import EnergyMeter
from fakeface_bench.records import (
    Ledger,
    SearchRecord,
    StageCost,
    TrialRecord,
    first_reached,
)
from fakeface_bench.runtime import peak_gpu_memory_gb, peak_memory_gb
from fakeface_bench.subject import Subject


@dataclass(frozen=True, slots=True)
class Expenses:
    """What a study has spent besides overhead, and what its other costs follow from.

    Attributes:
        subject: Data and network, read by now.
        search: All trials.
        earlier: Their uids of those that earlier processes ran.
        search_began: Seconds of the process when the search began.
        conclusion: How the study ended.
    """

    subject: Subject
    search: SearchRecord
    earlier: frozenset[str]
    search_began: float
    conclusion: Conclusion


def study_figures(expenses: Expenses) -> dict[str, float]:
    """Return the costs that are no stage of time; speeds not measured before are measured now."""
    detector, fit = expenses.conclusion.detector, expenses.conclusion.final_fit
    trained = sum(np.prod(weight.shape) for weight in detector.classifier.trainable_weights)
    epochs = [epoch.seconds for epoch in fit.last_stage]
    # The first epoch compiles; where it is the only one, it is all there is to know.
    steady = median(epochs[1:] or epochs)
    per_image = expenses.subject.inputs.seconds_per_image()
    test = expenses.conclusion.test
    figures = {
        "first_epoch_seconds": epochs[0],
        "steady_epoch_seconds": steady,
        "epoch_end_to_end_seconds": steady + per_image * len(expenses.subject.index.split("train")),
        "predict_images_per_second": 1 / (per_image + test.seconds / len(test.y_true)),
        "extracted_images": float(expenses.subject.reader.images_made),
        "mmacs_per_image": count_macs(detector.complete) / 1e6,
        "parameters": float(detector.complete.count_params()),
        "parameters_trained": float(trained),
    }
    gpu = peak_gpu_memory_gb()
    return figures | ({"peak_gpu_memory_gb": gpu} if gpu else {})


def close_ledger(
    expenses: Expenses,
    figures: dict[str, float],
    dollars_per_hour: float,
    clock: Clock,
    meter: EnergyMeter,
) -> Ledger:
    """Return the ledger; what the process does after this call is not in it.

    Args:
        expenses: Of the stages.
        figures: As `study_figures` returned them.
        dollars_per_hour: Price of the machine; 0 where none was given.
        clock: Of the process.
        meter: Of its energy.
    """
    kwh, obstacle = meter.read()
    stages = [
        expenses.subject.dataset.cost,
        extraction_cost(expenses.subject),
        *_search_costs(expenses),
        *expenses.conclusion.costs,
    ]
    images = sum(stage.images for stage in stages)
    spent = sum(stage.spent_seconds for stage in stages)
    overhead = StageCost("overhead", clock.seconds() - spent)
    return Ledger(
        stages=(*stages, overhead),
        figures={
            **figures,
            **({} if obstacle else {"energy_kwh": kwh}),
            "peak_memory_gb": peak_memory_gb(),
            "processed_images": float(images),
        },
        targets=first_reached(list(_epoch_ends(expenses))),
        dollars_per_hour=dollars_per_hour,
        unmeasured={"energy_kwh": obstacle} if obstacle else {},
    )


def extraction_cost(subject: Subject, *splits: str) -> StageCost:
    """Return what reading some splits took; all that were read where none is named."""
    costs = subject.reader.costs
    wanted = [costs[split] for split in splits or costs]
    return StageCost(
        "extraction",
        sum(cost.spent_seconds for cost in wanted),
        sum(cost.amortised_seconds for cost in wanted),
        sum(cost.images for cost in wanted),
    )


def before_epochs(subject: Subject) -> float:
    """Return the cold seconds that any fit waits for: the dataset, and what it reads of it."""
    return subject.dataset.cost.seconds + extraction_cost(subject, "train", "valid").seconds


def _search_costs(expenses: Expenses) -> Iterator[StageCost]:
    index = expenses.subject.index
    an_epoch = len(index.split("train")) + len(index.split("valid"))
    for state in ("complete", "pruned", "failed"):
        trials = [trial for trial in expenses.search.trials if trial.state == state]
        now = [trial.seconds for trial in trials if trial.uid not in expenses.earlier]
        before = [trial.seconds for trial in trials if trial.uid in expenses.earlier]
        images = an_epoch * sum(len(trial.epochs) for trial in trials)
        yield StageCost(f"search_{state}", sum(now), sum(before), images)


def _epoch_ends(expenses: Expenses) -> Iterator[tuple[float, float]]:
    """Yield when each epoch of the search ended, from a cold start, and its validation ROC AUC.

    Trials stand one after another. What one spent outside its epochs counts as spent before the
    first, so that nothing is reached too early; an epoch of its killed forerunner is not dated
    before its own begin.
    """
    subject = expenses.subject
    earlier = extraction_cost(subject, "train", "valid").amortised_seconds
    clock = expenses.search_began + subject.dataset.cost.amortised_seconds + earlier
    for trial in expenses.search.trials:
        yield from _ends_of(trial, clock)
        clock += trial.seconds


def _ends_of(trial: TrialRecord, began: float) -> Iterator[tuple[float, float]]:
    end = began + trial.seconds
    for epoch in reversed(trial.epochs):
        yield max(began, end), epoch.val_roc_auc
        end -= epoch.seconds + epoch.val_seconds
