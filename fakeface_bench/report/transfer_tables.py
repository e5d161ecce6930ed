"""Every cell, effect and hold-out of a matrix: each column is defined once for text and CSV."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from operator import attrgetter

from fakeface_bench.analysis.transfer import (
    effect_verdict,
    history_verdict,
    hold_out_effect,
    home_of,
    kind_relation,
    ranking_remark,
    remarks,
    residual_floor,
    threshold_fails,
    worst_hold_outs,
)
from fakeface_bench.evaluation.metrics import ESTIMATED
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import is_of_fakes
from fakeface_bench.records.transfer import EqualisedCell, HoldOut, MixtureEffect, SetScores
from fakeface_bench.report.format import (
    UNKNOWN,
    class_counts,
    format_images,
    named,
    part_counts,
    with_interval,
)
from fakeface_bench.report.table import (
    COUNT,
    ESTIMATE,
    NAME,
    WORDS,
    Column,
    Format,
    Table,
    at,
    only_csv,
    only_text,
)
from fakeface_bench.support.text import elided, visible


@dataclass(frozen=True, slots=True)
class ScoredPart:
    """What a model scores on a set, or on one of its parts (`part`, else empty)."""

    cell: SetScores
    part: str = ""
    home: SetScores | None = None

    @property
    def estimates(self) -> Mapping[str, Estimate]:
        """By key; those that are not defined for one class alone are missing."""
        return self.cell.parts[self.part] if self.part else self.cell.estimates

    @property
    def floor(self) -> Estimate | None:
        """What metadata alone score."""
        floor = self.cell.source_floors.get(self.part) if self.part else self.cell.floor
        return None if floor is None else floor.estimate

    @property
    def counts(self) -> tuple[int, int]:
        """Numbers of real and of fake images."""
        return part_counts(self.cell, self.part) if self.part else class_counts(self.cell)

    @property
    def fails(self) -> bool | None:
        """Whether the model's own threshold does not suit the set; None of a part."""
        return None if self.part else threshold_fails(self.cell, self.home)


#: Headings of the metrics that text shows.
HEADINGS = {
    "roc_auc": "ROC AUC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "recall_fake": "recall of fakes",
    "false_alarm_rate": "false alarms",
    "precision_fake": "precision",
    "f1_fake": "F1 of fake",
    "f1_real": "F1 of real",
    "average_precision": "average precision",
    "recall_at_1pct_fpr": "found at 1 % false alarms",
    "recall_at_5pct_fpr": "found at 5 % false alarms",
    "ece": "calibration error",
    "brier": "Brier score",
    "log_loss": "log loss",
}


def _seen(kind: str) -> Callable[[ScoredPart], int | None]:
    """Return how many images of the whole set are left out."""
    return lambda row: None if row.part else getattr(row.cell.overlap, kind)


def set_name(cell: SetScores) -> str:
    """Return the set's name, and whether the model was trained on other images of it."""
    own = " (its own)" if cell.is_own else " (part of its own)" if cell.is_part else ""
    return f"{named(cell.data)}{own}"


def _images(row: ScoredPart) -> str:
    if not row.part:
        return format_images(row.cell).removeprefix("n = ")
    reals, fakes = row.counts
    return f"{reals:,} real, {fakes:,} fake"


def part_name(part: str) -> str:
    """Return a source's name, or `generator` or `tier` and its name."""
    column, _, name = part.partition("/")
    return f"{column} {named(name)}" if is_of_fakes(part) else named(part)


def _kinds(kinds: Mapping[str, str]) -> str:
    return "; ".join(
        f"{visible(name)}: {visible(kind) or 'not known'}" for name, kind in kinds.items()
    )


_OF_SETS = (
    Column("model", "model", "cell.model.label", NAME),
    Column("trained_on", "trained on", "cell.model.data", NAME),
    Column("tested_on", "tested on", "cell.data", NAME),
    only_text("tested_on_own", "tested on", lambda row: set_name(row.cell), WORDS),
    only_csv("part", "part", NAME),
    only_text("part_name", "part", lambda row: part_name(row.part), WORDS),
    Column("chosen", "which images", "cell.chosen", NAME),
    only_csv("is_own", "cell.is_own"),
    only_csv("threshold", "cell.scored.threshold"),
    Column("left_out_identical", "seen in training", _seen("identical"), COUNT),
    Column("left_out_similar", "look like one seen", _seen("similar"), COUNT),
    only_csv("trained_on_kinds", lambda row: _kinds(row.cell.model.kinds)),
    only_csv("tested_on_kinds", lambda row: _kinds(row.cell.kinds)),
    only_csv("run_id", "cell.model.run_id", NAME),
    only_text("images", "images", _images),
    only_csv("n_real", lambda row: row.counts[0]),
    only_csv("n_fake", lambda row: row.counts[1]),
    only_csv("threshold_fails", "fails"),
    only_csv("seconds_per_1000", "cell.seconds_per_1000"),
    *(Column(key, HEADINGS.get(key, ""), at("estimates", key), ESTIMATE) for key in ESTIMATED),
    Column("shortcut_floor", "metadata alone", "floor", ESTIMATE),
    only_text("left_out", "left out", "cell.overlap.images", COUNT),
    only_text("fakes", "its fakes", lambda row: elided(_kinds(row.cell.kinds), 120), WORDS),
    only_text("kind", "kind", lambda row: kind_relation(row.cell) or UNKNOWN, WORDS),
    only_text("remark", "remark", lambda row: "; ".join(remarks(row.cell, row.home)), WORDS),
    only_text("part_remark", "remark", lambda row: ranking_remark(row.estimates), WORDS),
)
_RANKING = ("tested_on_own", "images", "roc_auc", "shortcut_floor")
_RATES = ("recall_fake", "false_alarm_rate")
#: The columns of each table of whole sets; the model comes first where there are several.
_VIEWS = {
    "matrix": ("trained_on", *_RANKING, *_RATES, "left_out", "remark"),
    "matrix, short": ("trained_on", "tested_on_own", "roc_auc", *_RATES, "remark"),
    "evaluation, short": ("tested_on_own", "roc_auc", "shortcut_floor", *_RATES, "remark"),
    # What no threshold changes, the shortcut floor beside ROC AUC.
    "ranking": (
        *(*_RANKING, "average_precision", "recall_at_1pct_fpr", "recall_at_5pct_fpr", "remark"),
    ),
    "at threshold": (
        *("tested_on_own", "accuracy", "balanced_accuracy", *_RATES),
        *("precision_fake", "f1_fake", "f1_real"),
    ),
    "calibration": ("tested_on_own", "ece", "brier", "log_loss"),
    "images": (
        *("trained_on", "tested_on_own", "chosen", "images", "fakes", "kind"),
        *("left_out_identical", "left_out_similar"),
    ),
}


def table_of(view: str, cells: Sequence[SetScores]) -> Table:
    """Return a row a set, with the columns of one of `_VIEWS`; the short ones fit a terminal."""
    rows = [ScoredPart(cell, home=home_of(cell, cells)) for cell in cells]
    model = ("model",) if len({cell.model.label for cell in cells}) > 1 else ()
    table = Table(_OF_SETS, rows, name="Metrics")
    return table.pick(*model, *_VIEWS[view])


def sets_table(cells: Sequence[SetScores]) -> Table:
    """Return a row a set, and below it one for each of its parts (`part`)."""
    rows = [
        row
        for cell in cells
        for row in (
            ScoredPart(cell, home=home_of(cell, cells)),
            *(ScoredPart(cell, part) for part in cell.parts),
        )
    ]
    return Table(_OF_SETS, rows)


def parts(cells: Sequence[SetScores]) -> Table:
    """Return the metrics of each source, generator and tier of each set."""
    rows = [ScoredPart(cell, part) for cell in cells for part in cell.parts]
    columns = (
        *("tested_on", "part_name", "images", "roc_auc", "shortcut_floor", *_RATES),
        "part_remark",
    )
    return Table(_OF_SETS, rows, name="Metrics of parts").pick(*columns)


def _change(estimate: Estimate) -> str:
    if isnan(estimate.value):
        return UNKNOWN
    return f"{effect_verdict(estimate)}: {with_interval(estimate)}"


def _verdict(estimate: Estimate) -> str:
    return "" if isnan(estimate.value) else effect_verdict(estimate)


_CHANGE = Format(
    _change, {f"_difference{end}": of for end, of in ESTIMATE.csv.items()} | {"_verdict": _verdict}
)
_OF_MIXTURES = (
    Column("model", "model", "model", NAME),
    Column("mixture", "trained on", "mixture", NAME),
    Column("alone", "in place of", "alone", NAME),
    Column("tested_on", "tested on", "data", NAME),
    Column("images", "images", "images", COUNT),
    *(
        Column(key, HEADINGS[key], attrgetter(key), _CHANGE)
        for key in ("roc_auc", "recall_fake", "accuracy")
    ),
)


def mixtures(effects: Sequence[MixtureEffect]) -> Table:
    """Return a row an effect: what each mixture changed, with a verdict on each metric."""
    return Table(_OF_MIXTURES, effects, name="Effects of mixtures")


def _compared(key: str, without: str = "", seen: str = "") -> tuple[Column, Column]:
    """Return the columns of a metric without a part of the training images, and with it."""
    return (
        Column(f"{key}_without", without, at("without.estimates", key), ESTIMATE),
        Column(f"{key}_seen", seen, lambda out: out.seen and out.seen.estimates.get(key), ESTIMATE),
    )


_OF_EQUALISED = (
    Column("model", "model", "equalised.model.label", NAME),
    Column("trained_on", "trained on", "equalised.model.data", NAME),
    Column("tested_on", "tested on", "equalised.data", NAME),
    Column("images", "images", "images", COUNT),
    Column(
        "roc_auc_untouched", "ROC AUC as they are", at("untouched.estimates", "roc_auc"), ESTIMATE
    ),
    Column("roc_auc_equalised", "equalised", at("equalised.estimates", "roc_auc"), ESTIMATE),
    Column("delta_auc", "difference", "delta_auc", ESTIMATE),
    Column(
        "residual_floor_untouched",
        "residual statistics",
        lambda pair: residual_floor(pair.untouched, False),
        ESTIMATE,
    ),
    Column(
        "residual_floor_equalised",
        "the same, equalised",
        lambda pair: residual_floor(pair.equalised, True),
        ESTIMATE,
    ),
    Column("remark", "remark", history_verdict, WORDS),
)


_VIEWS_OF_EQUALISED = {
    "page": (
        *("trained_on", "tested_on", "roc_auc_untouched", "roc_auc_equalised", "delta_auc"),
        *("remark", "residual_floor_untouched", "residual_floor_equalised"),
    ),
    "short": ("tested_on", "roc_auc_untouched", "roc_auc_equalised", "delta_auc", "remark"),
}


def equalised_table(found: Sequence[EqualisedCell], view: str = "") -> Table:
    """Return a row a model and test set: as pictures are, and equalised, paired.

    All columns without a view.
    """
    table = Table(_OF_EQUALISED, found, name="As they are and equalised")
    model = ("model",) if len({pair.equalised.model.label for pair in found}) > 1 else ()
    return table.pick(*model, *_VIEWS_OF_EQUALISED[view]) if view else table


_OF_HOLD_OUTS = (
    only_text("held_out", "left out", lambda out: f"{out.column} {named(out.value)}", WORDS),
    Column("model", "model", "model", NAME),
    Column("data", "dataset", "data", NAME),
    only_csv("column"),
    only_csv("value", "value", NAME),
    only_text("images", "images", lambda out: _images(ScoredPart(out.without))),
    only_csv("n_real", lambda out: class_counts(out.without)[0]),
    only_csv("n_fake", lambda out: class_counts(out.without)[1]),
    *_compared("roc_auc", "ROC AUC without it", "with it"),
    *_compared("recall_fake", "recall without it", "recall with it"),
    *_compared("false_alarm_rate"),
    Column("difference", "difference", hold_out_effect, ESTIMATE),
)


def hold_outs(found: Sequence[HoldOut]) -> Table:
    """Return a row a hold-out: metrics without it and with it in training."""
    worst = [id(out) for out in worst_hold_outs(found)] if len(found) > 1 else []
    remark = only_text("remark", "remark", lambda out: "worst" if id(out) in worst else "", WORDS)
    return Table((*_OF_HOLD_OUTS, remark), found, name="Hold-outs")
