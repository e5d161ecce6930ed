"""Made-up models on made-up sets, as a matrix and an evaluation read them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from fakeface_bench.evaluation.metrics import estimates, part_estimates
from fakeface_bench.evaluation.paired import paired_effect
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import LeftOut, ScoredSplit, SeedScores, ShortcutFloor
from fakeface_bench.records.transfer import (
    Generalisation,
    HoldOut,
    MixtureEffect,
    Overlap,
    SetScores,
    TrainedModel,
)

GAN, OTHER_GAN, COMPOSITE = "GAN (StyleGAN)", "GAN (StyleGAN2)", "composite (Photoshop)"
KINDS = {"140k": GAN, "ciplab": COMPOSITE, "hardfakevsreal": OTHER_GAN}

#: Of the 200 images of a joined set.
TIERS = tuple(("easy", "mid", "hard")[n % 3] if n % 2 else "" for n in range(200))
SOURCES = tuple("140k" if n % 4 < 2 else "ciplab" for n in range(200))


def kinds_of(data: str) -> dict[str, str]:
    """Return how the fakes of each joined dataset were made."""
    return {name: KINDS.get(name, "") for name in data.split("+")}


def model(data: str = "140k", label: str = "small", **given: Any) -> TrainedModel:
    """Make a finished model."""
    fields: dict[str, Any] = {
        "label": label,
        "address": f"models:/{label}@champion",
        "run_id": f"run-{label}-{data}",
        "data": data,
        "kinds": kinds_of(data),
        "threshold": 0.5,
        "images_seen": 1_800,
    }
    return TrainedModel(**(fields | given))


def floor(roc_auc: float = 0.52, half: float = 0.05) -> ShortcutFloor:
    """Make what metadata alone score."""
    return ShortcutFloor(roc_auc, roc_auc - half, roc_auc + half, 200, {"file size": roc_auc})


@cache
def scores(
    separation: float, shift: float, images: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels, every second a fake, and scores; `shift` moves all of them (logits)."""
    rng = np.random.default_rng(seed)
    y_true = (np.arange(images) % 2).astype(np.uint8)
    logit = 1.6 * (rng.normal(size=images) + separation * (y_true - 0.5)) + shift
    return y_true, 1 / (1 + np.exp(-logit))


def cell(
    of: TrainedModel,
    data: str,
    separation: float = 2.0,
    shift: float = 0.0,
    images: int = 200,
    **given: Any,
) -> SetScores:
    """Make a model's scores on a set; `only` keeps one class of it."""
    y_true, y_score = scores(separation, shift, images, given.pop("seed", 0))
    only = given.pop("only", None)
    if only is not None:
        y_true, y_score = y_true[y_true == only], y_score[y_true == only]
    sources = given.pop("sources", (data,) * len(y_true))
    tiers = given.pop("tiers", ("",) * len(y_true))
    generators = given.pop("generators", ())
    estimates = _cached(y_true.tobytes(), y_score.tobytes(), of.threshold)
    paths = tuple(f"{n}.jpg" for n in range(len(y_true)))
    scored = ScoredSplit(
        *(y_true, y_score, paths, sources, tiers, of.threshold, {}),
        generators=generators,
        digests=given.pop("digests", tuple(f"{data}-{n:04}" for n in range(len(y_true)))),
    )
    is_own = data == of.data
    fields: dict[str, Any] = {
        "model": of,
        "data": data,
        "chosen": "its test split" if is_own else "all images",
        "is_own": is_own,
        "is_part": not is_own and data in of.data.split("+"),
        "kinds": kinds_of(data),
        "scored": scored,
        "estimates": estimates,
        "parts": part_estimates(y_true, y_score, of.threshold, scored.described),
        "floor": floor(),
    }
    return SetScores(**(fields | given))


@cache
def _cached(y_true: bytes, y_score: bytes, threshold: float) -> Mapping[str, Estimate]:
    labels, values = np.frombuffer(y_true, np.uint8), np.frombuffer(y_score, np.float64)
    return estimates(labels, values, threshold)


def matrix(
    trained: Sequence[str],
    tested: Sequence[str],
    models: Sequence[str] = ("small",),
    images: int = 200,
    **given: Any,
) -> Generalisation:
    """Make a matrix: good at home, good on parts, near chance on another kind."""
    cells = [
        cell(model(data, label), test, _separation(data, test), images=images, seed=n + 3 * m)
        for label in models
        for n, data in enumerate(trained)
        for m, test in enumerate(tested)
    ]
    return Generalisation(tuple(models), tuple(trained), tuple(tested), tuple(cells), **given)


def _separation(trained: str, tested: str) -> float:
    if trained == tested:
        return 3.0
    if tested in trained.split("+"):
        return 2.4
    known = {KINDS.get(name, "").partition(" ")[0] for name in trained.split("+")}
    return 1.2 if KINDS.get(tested, "-").partition(" ")[0] in known else 0.0


def effect(first: SetScores, second: SetScores, **given: Any) -> MixtureEffect:
    """Make what a mixture (`first`) changed against one set alone (`second`)."""
    pair = [SeedScores(0, one.scored.y_score, one.scored.threshold) for one in (first, second)]
    found = paired_effect(first.scored.y_true, *pair)
    fields: dict[str, Any] = {
        "model": first.model.label,
        "mixture": first.model.data,
        "alone": second.model.data,
        "data": first.data,
        "images": first.images,
    }
    return MixtureEffect(**(fields | found | given))


def hold_out(value: str, without: float, seen: float = 2.0, **given: Any) -> HoldOut:
    """Make a tier of ciplab left out of training: separations without it and with it."""
    of = model("ciplab")
    left, full = (cell(of, "ciplab", separation, images=160) for separation in (without, seen))
    fields = {"model": "small", "data": "ciplab", "column": "tier", "value": value}
    return HoldOut(**(fields | {"without": left, "seen": full} | given))


def three_by_three() -> Generalisation:
    """Make 140k, ciplab and both together, tested on three sets, with everything a report tells."""
    trained = ("140k", "ciplab", "140k+ciplab")
    tested = ("140k", "ciplab", "hardfakevsreal")
    record = matrix(trained, tested)
    cells = list(record.cells)
    cells[1] = replace(cells[1], overlap=Overlap(8, 4), floor=floor(0.8))
    cells[2] = cell(model("140k"), "hardfakevsreal", 2.6, shift=-4.0, images=300)
    tiers = tuple(("easy", "mid", "hard")[n % 3] if n % 2 else "" for n in range(200))
    cells[4] = cell(model("ciplab"), "ciplab", 2.0, tiers=tiers)
    effects = (effect(cells[7], cells[1]), effect(cells[6], cells[0]))
    outs = (hold_out("easy", 1.9), hold_out("mid", 1.0), hold_out("hard", 0.4))
    failed = (LeftOut("small on ciplab", "run-9", "it ran out of memory"),)
    kept = tuple(c for c in cells if (c.model.data, c.data) != ("ciplab", "hardfakevsreal"))
    return replace(record, cells=kept, mixtures=effects, hold_outs=outs, left_out=failed)


def several() -> list[SetScores]:
    """Make a model at home, elsewhere, on a joined set, and on fakes and reals alone."""
    of = model("140k")
    joined = cell(of, "140k+ciplab", 1.0, sources=SOURCES, tiers=TIERS)
    return [
        cell(of, "140k", 3.0),
        replace(cell(of, "ciplab", 0.0, seed=3), overlap=Overlap(3, 2)),
        cell(of, "hardfakevsreal", 2.6, shift=-4.0),
        replace(joined, source_floors={"140k": floor(0.7)}),
        cell(of, "fakes alone", only=1, floor=None),
        cell(of, "reals alone", only=0, floor=None),
    ]
