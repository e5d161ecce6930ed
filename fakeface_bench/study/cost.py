"""The cost of a study by stages; what belongs to no other stage is overhead."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np

from fakeface_bench.analysis.time_to_target import times_to_targets
from fakeface_bench.backbones.building import count_macs, count_parameters
from fakeface_bench.features.engine import graph_macs
from fakeface_bench.features.source import Speed
from fakeface_bench.records.ledger import Ledger, StageCost
from fakeface_bench.study.final_fit import Conclusion
from fakeface_bench.study.search import SeedSearch
from fakeface_bench.study.setup import Setup
from fakeface_bench.support.executor import NO_CLUSTER
from fakeface_bench.support.machine import Clock, EnergyMeter, peak_gpu_memory_gb, peak_memory_gb


@dataclass(frozen=True, slots=True)
class Expenses:
    """What a study has spent besides overhead, and what its other costs follow from.

    `search` is that of the first seed, whose winner is kept.
    """

    setup: Setup
    search: SeedSearch
    conclusion: Conclusion


def study_metrics(expenses: Expenses, speed: Speed) -> dict[str, float]:
    """Return the costs that are no stage; `speed` is from a picture's file to an epoch's input."""
    detector, fit = expenses.conclusion.detector, expenses.conclusion.final_fit
    trained = sum(np.prod(weight.shape) for weight in detector.classifier.trainable_weights)
    epochs = [epoch.seconds for epoch in fit.last_stage]
    # The first epoch compiles; where it is the only one, it is all there is to know.
    steady = median(epochs[1:] or epochs)
    per_image = speed.seconds_per_image
    trained_on = len(expenses.setup.index.split("train"))
    if expenses.setup.plan.config.folds:
        trained_on = len(expenses.setup.held_out_rows)
    test = expenses.conclusion.test
    network = expenses.setup.plan.architecture
    by_graph = network.preset or (network.file and not network.file.is_onnx)
    macs = (graph_macs if by_graph else count_macs)(detector.complete)
    metrics = {
        "first_epoch_seconds": epochs[0],
        "steady_epoch_seconds": steady,
        "epoch_end_to_end_seconds": steady + per_image * trained_on,
        "predict_images_per_second": 1 / (per_image + test.seconds / len(test.y_true)),
        "extracted_images": float(expenses.setup.reader.images_made),
        "mmacs_per_image": macs / 1e6,
        "parameters": float(count_parameters(detector.complete)),
        "parameters_trained": float(trained),
    }
    gpu = peak_gpu_memory_gb()
    return metrics | ({"peak_gpu_memory_gb": gpu} if gpu else {})


#: Parts of the clock before anything of a study is done: libraries, and MLflow's database.
_STARTUP = ("imports", "store", "cluster")


def close_ledger(
    expenses: Expenses, dollars_per_hour: float, clock: Clock, meter: EnergyMeter
) -> Ledger:
    """Return the ledger; what the process does after this call is not in it.

    A speed that was never measured on this machine is measured first.
    """
    speed = expenses.setup.inputs.speed()
    metrics = study_metrics(expenses, speed)
    kwh, obstacle = meter.read()
    processors = {
        "processor_seconds": clock.processor_seconds(),
        "others_share": clock.others_share(),
    }
    if expenses.setup.plan.config.workers.cluster != NO_CLUSTER:
        obstacle = "it ran on a cluster, whose power is not measured"
        processors = {}  # those of workers are none of this process's, and no others' either
    stages = [
        StageCost("startup", sum(clock.parts.get(name, 0.0) for name in _STARTUP)),
        expenses.setup.dataset.cost,
        extraction_cost(expenses.setup),
        *_search_costs(expenses),
        *expenses.conclusion.costs,
    ]
    images = sum(stage.images for stage in stages)
    spent = sum(stage.spent_seconds for stage in stages)
    targets = times_to_targets(
        expenses.search.record.trials,
        before_epochs(expenses.setup),
        expenses.setup.plan.config.folds or 1,
    )
    overhead = StageCost("overhead", clock.seconds() - spent, speed.amortised_seconds)
    parts = {
        f"{'startup' if name in _STARTUP else 'overhead'}_{name}_seconds": seconds
        for name, seconds in clock.parts.items()
    }
    return Ledger(
        stages=(*stages, overhead),
        other={
            **metrics,
            **parts,
            **({} if obstacle else {"energy_kwh": kwh}),
            "peak_memory_gb": peak_memory_gb(),
            **processors,
            "processed_images": float(images),
        },
        targets={key: middle for key, (_, middle, _) in targets.items()},
        target_quartiles={key: (low, high) for key, (low, _, high) in targets.items()},
        dollars_per_hour=dollars_per_hour,
        unmeasured={"energy_kwh": obstacle} if obstacle else {},
    )


def extraction_cost(setup: Setup, *splits: str) -> StageCost:
    """Return the cost of reading some splits; of all that were read where none is named."""
    costs = setup.reader.costs
    wanted = [costs[split] for split in splits or costs]
    return StageCost(
        "extraction",
        sum(cost.spent_seconds for cost in wanted),
        sum(cost.amortised_seconds for cost in wanted),
        sum(cost.images for cost in wanted),
        sum(cost.elsewhere_seconds for cost in wanted),
    )


def before_epochs(setup: Setup) -> float:
    """Return the cold seconds before any fit: preparing the dataset, reading train and valid."""
    return setup.dataset.cost.seconds + extraction_cost(setup, "train", "valid").seconds


def _search_costs(expenses: Expenses) -> Iterator[StageCost]:
    index = expenses.setup.index
    an_epoch = len(index.split("train")) + len(index.split("valid"))
    search = expenses.search
    for state in ("complete", "pruned", "failed"):
        trials = [trial for trial in search.record.trials if trial.state == state]
        now = sum(trial.seconds for trial in trials if trial.uid not in search.earlier)
        before = sum(trial.seconds for trial in trials if trial.uid in search.earlier)
        images = an_epoch * sum(len(trial.epochs) * trial.folds for trial in trials)
        here = now * search.share_of_wall_clock
        yield StageCost(f"search_{state}", here, before, images, now - here)
