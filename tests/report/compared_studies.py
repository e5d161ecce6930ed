"""Made-up finished studies, as a comparison reads them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fakeface_bench.config import FROZEN
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.ledger import (
    STAGES,
    Choice,
    Improvement,
    Ledger,
    SearchCourse,
    StageCost,
)
from fakeface_bench.records.study import ComparedStudy, EpochRecord, SeedScores, StudyIdentity

#: Test images of `five`.
IMAGES = 120


def ledger(cold: float = 100.0, amortised: float = 0.0, **given: Any) -> Ledger:
    """Make a ledger of so many cold seconds, some of which an earlier run spent."""
    parts = {"extraction": (cold / 4, 0.0), "search_complete": (cold / 2 - amortised, amortised)}
    parts |= {"final_fit": (cold / 4, 0.0)}
    stages = tuple(StageCost(stage, *parts.get(stage, (0.0, 0.0))) for stage in STAGES)
    return Ledger(stages, **given)


def epochs(count: int = 6, start: float = 0.6, head: int = 0) -> tuple[EpochRecord, ...]:
    """Make epochs of rising accuracy, of which the first few trained the head alone."""
    return tuple(
        EpochRecord(
            epoch=n,
            train_loss=0.5,
            train_accuracy=0.8,
            val_loss=0.5,
            val_accuracy=start + 0.3 * (1 - 0.7**n),
            val_roc_auc=0.9,
            seconds=2.0,
            val_seconds=0.5,
            stage="head" if n < head or not head else "fine_tune",
        )
        for n in range(count)
    )


def labels(images: int) -> np.ndarray:
    """Label every second image a fake."""
    return (np.arange(images) % 2).astype(np.uint8)


def calls(y_true: np.ndarray, wrong: Sequence[int]) -> np.ndarray:
    """Score 0.9 for a call of fake and 0.1 for one of real, wrong at some positions."""
    called = y_true.astype(bool)
    called[list(wrong)] ^= True
    return np.where(called, 0.9, 0.1)


def study(
    model: str = "small",
    y_score: np.ndarray | Sequence[np.ndarray] = (),
    cost: Ledger | float = 100.0,
    **given: Any,
) -> ComparedStudy:
    """Make a study; `y_score` of one seed, or of each."""
    scores = [y_score] if isinstance(y_score, np.ndarray) else list(y_score)
    images = len(scores[0])
    identity = {
        "run_id": f"run-{model}",
        "model": model,
        "fine_tune": FROZEN,
        "weights": "imagenet",
        "trained": "",
        "study": f"study of {model}",
        "data": "faces",
    }
    names: Mapping[str, Any] = {key: given.pop(key) for key in tuple(identity) if key in given}
    fields: dict[str, Any] = {
        "warning": "",
        "y_true": labels(images),
        "paths": tuple(f"test/{n:04}.jpg" for n in range(images)),
        "sources": ("faces",) * images,
        "data_folders": {"faces": "/nowhere"},
        "epochs": epochs(),
        "epochs_began_seconds": 25.0,
        "seeds": tuple(SeedScores(n, values, 0.5) for n, values in enumerate(scores)),
        "ledger": cost if isinstance(cost, Ledger) else ledger(cost),
    }
    return ComparedStudy(identity=StudyIdentity(**(identity | names)), **(fields | given))


def noisy(y_true: np.ndarray, strength: float, seed: int, shared: np.ndarray) -> np.ndarray:
    """Score images the better the greater `strength`; `shared` is what all models find hard."""
    own = np.random.default_rng(seed).normal(size=len(y_true))
    return 1 / (1 + np.exp(-(strength * (2.0 * y_true - 1) + shared + 0.6 * own)))


def course(seed: int, began: float, *best: float, end: float, test: float = 0.0) -> SearchCourse:
    """Make a search that finds each value after a fifth of its time, and then a further fifth."""
    apart = (end - began) / 5
    found = [Improvement(began + (n + 1) * apart, auc, n) for n, auc in enumerate(best)]
    taken = [Choice(one.seconds + 1.0, one.position, one.val_roc_auc - test) for one in found]
    return SearchCourse(seed, end, tuple(found), tuple(taken) if test else ())


def five(folder: Path) -> list[ComparedStudy]:
    """Make five studies, of which one trained layers, one has seeds, one began at random."""
    y_true = labels(IMAGES)
    shared = np.random.default_rng(3).normal(size=IMAGES)

    def made(model: str, strength: float, cost: Any, **given: Any) -> ComparedStudy:
        count = given.pop("count", 1)
        scores = [noisy(y_true, strength, n + 7, shared) for n in range(count)]
        return study(model, scores, cost, data_folders={"faces": str(folder)}, **given)

    ran = {"machine": "a server, 8 threads", "trials": 12}
    searched = {"baseline_roc_auc": 0.8421, "search_gain": Estimate(0.012, -0.0104, 0.0344)}
    figures = {"parameters": 4.2e6, "mmacs_per_image": 217.0, "predict_images_per_second": 300.0}
    tuned = {"fine_tune": "last_2_blocks", "trained": "last 2 blocks", "epochs": epochs(9, head=3)}
    of_three = [
        course(n, 60.0 + n, 0.7, 0.8 + n / 50, 0.9, end=480.0 - 9 * n, test=0.05) for n in range(3)
    ]
    known = {"small": (course(0, 40.0, 0.66, 0.71, end=190.0),), "large": tuple(of_three)}
    known["tuned"] = (course(0, 900.0, 0.8, 0.93, 0.96, end=6800.0),)
    return [
        made(
            "small",
            0.8,
            ledger(200.0, 60.0, targets={"0.75": 90.0}),
            courses=known["small"],
            **ran,
            **searched,
        ),
        made("large", 1.2, ledger(500.0, other=figures), count=3, courses=known["large"]),
        made("middle", 1.2, ledger(1500.0, dollars_per_hour=2.0)),
        made("middle", 1.8, ledger(7000.0), courses=known["tuned"], **tuned),
        made("unfit", 0.1, ledger(4000.0), weights="random", warning="They are RANDOM."),
    ]
