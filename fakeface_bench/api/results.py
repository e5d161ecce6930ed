"""What finished jobs left, as tables and figures that one can go on with.

A study is read from its MLflow run, so that one of last year offers what a new one does.
"""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from html import escape
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from fakeface_bench.analysis.transfer import ordered_cells
from fakeface_bench.api.detector import Detector, load_detector
from fakeface_bench.config import StudyConfig
from fakeface_bench.records.ledger import Ledger
from fakeface_bench.records.study import EpochRecord, FitRecord, ScoredSplit, StudyIdentity
from fakeface_bench.report import study_plots
from fakeface_bench.report.audit_checks import audit_rows
from fakeface_bench.report.comparison_page import verdict_of
from fakeface_bench.report.comparison_tables import all_pairs, leaderboard_table
from fakeface_bench.report.plotting import subtitle
from fakeface_bench.report.protocols import time_table, unseen_table
from fakeface_bench.report.publication import check_table
from fakeface_bench.report.robustness_page import means_table, points_table, robustness_verdict
from fakeface_bench.report.saved_study import (
    IDENTITY,
    LEDGER_FILE,
    PREDICTIONS_FILE,
    RESULTS_FILE,
    STUDY_FILE,
    TRIALS_FILE,
)
from fakeface_bench.report.study_plots import learning_curves_figure
from fakeface_bench.report.study_report import history_figure
from fakeface_bench.report.transfer_page import matrix_verdict, transfer_verdict
from fakeface_bench.report.transfer_tables import sets_table
from fakeface_bench.support.disk import draft_folder
from fakeface_bench.support.errors import UsageError
from fakeface_bench.tracking.studies import StudyRun, download_study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fakeface_bench.jobs import JobOutcome
    from fakeface_bench.records.publication import Verification as Found
    from fakeface_bench.report.page import Verdict

_FILES = (STUDY_FILE, RESULTS_FILE, PREDICTIONS_FILE, LEDGER_FILE, TRIALS_FILE)


class Study:
    """A finished study.

    Attributes:
        run_id: Of its MLflow run.
    """

    def __init__(self, run: StudyRun, files: Mapping[str, bytes]) -> None:
        self._run, self._files = run, files
        self.run_id = run.run_id

    @classmethod
    def read(cls, run: StudyRun) -> Self:
        """Read the files of a finished run."""
        with draft_folder() as folder:
            download_study(run, _FILES, folder)
            return cls(run, {name: (folder / name).read_bytes() for name in _FILES})

    @property
    def name(self) -> str:
        """Network and dataset, with what is not as usual."""
        return f"{self._run.name} on {self._run.dataset}"

    @property
    def config(self) -> StudyConfig:
        """What was asked for; what earlier versions did not know is at its default."""
        return StudyConfig.from_texts(self._run.params)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """By metric: `validation`, `test`, and the ends of their 95 % intervals where known.

        Those of validation are optimistic: options and threshold were chosen there.
        """
        return pd.read_csv(self._file(RESULTS_FILE), index_col="metric")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """A row a test image: file, source, generator, `y_true` (1 for fake), `y_score` (0 to 1).

        `predicted` is 1 from the study's threshold on. Further seeds have columns of their own.
        """
        rows = pd.read_parquet(self._file(PREDICTIONS_FILE))
        threshold = _number(self.metrics, "threshold", "test")
        return rows.assign(predicted=(rows["y_score"] >= threshold).astype(np.uint8))

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row a trial, the best first: state, validation ROC AUC (`value`), seconds, options."""
        return pd.read_csv(self._file(TRIALS_FILE))

    @cached_property
    def history(self) -> pd.DataFrame:
        """A row an epoch of the last fit, counted from 0, by stage: losses, accuracies, seconds."""
        return pd.DataFrame(self._told["epochs"])

    @cached_property
    def costs(self) -> pd.DataFrame:
        """A row a stage: seconds spent now, seconds of earlier processes, images, seconds in all.

        `seconds` add up to the cost from a cold start.
        """
        ledger = Ledger.from_json(json.load(self._file(LEDGER_FILE)))
        rows = {
            cost.stage: {
                "spent_seconds": cost.spent_seconds,
                "amortised_seconds": cost.amortised_seconds,
                "elsewhere_seconds": cost.elsewhere_seconds,
                "seconds": cost.seconds,
                "images": cost.images,
            }
            for cost in ledger.stages
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("stage")

    @cached_property
    def detector(self) -> Detector:
        """Its model, loaded."""
        return load_detector(self.run_id)

    def plot(self, name: str) -> "Figure":
        """Return a picture of the study as a matplotlib figure; nothing is shown or written.

        Args:
            name: `learning_curves`, `roc_curve`, `precision_recall_curve`, `scores`,
                `confusion_matrix` or `search`.

        Raises:
            UsageError: If there is no such picture.
        """
        if name not in _PLOTS:
            raise UsageError(f"there is no plot {name!r}; there is {', '.join(_PLOTS)}.")
        return _shown_in_notebooks(_PLOTS[name](self))

    def _repr_html_(self) -> str:
        shown = ("roc_auc", "accuracy", "f1_fake", "average_precision")
        table = self.metrics
        rows = {key: _with_interval(table, key) for key in shown if key in table.index}
        cold = self.costs["seconds"].sum()
        return card(self.name, {**rows, "cost, cold": f"{cold:.0f} s"}, self.run_id)

    def __repr__(self) -> str:
        return f"<Study {self.name}, run {self.run_id}>"

    @cached_property
    def _told(self) -> Mapping[str, Any]:
        told: Mapping[str, Any] = json.load(self._file(STUDY_FILE))
        return told

    def _file(self, name: str) -> io.BytesIO:
        return io.BytesIO(self._files[name])

    @cached_property
    def _identity(self) -> StudyIdentity:
        told = self._told
        return StudyIdentity(self.run_id, *(told[name] for name in IDENTITY))

    @property
    def _test(self) -> ScoredSplit:
        rows = self.predictions
        return ScoredSplit(
            y_true=rows["y_true"].to_numpy(np.uint8),
            y_score=rows["y_score"].to_numpy(),
            paths=tuple(rows["path"]),
            sources=tuple(rows["source"]),
            tiers=tuple(rows["tier"]),
            threshold=_number(self.metrics, "threshold", "test"),
            metrics={},
        )


def _shown_in_notebooks(figure: "Figure") -> "Figure":
    """Let a figure be what a cell shows, also where pyplot was not imported."""
    figure._repr_png_ = partial(_png, figure)  # type: ignore[attr-defined]
    return figure


def _png(figure: "Figure") -> bytes:
    written = io.BytesIO()
    figure.savefig(written, format="png")
    return written.getvalue()


def _learning_curves(study: Study) -> "Figure":
    epochs = tuple(EpochRecord(**epoch) for epoch in study._told["epochs"])
    fit = FitRecord(epochs, study._told["best_epoch"])
    words = subtitle(study._identity, "validation, optimistic")
    return learning_curves_figure(fit, words)


def _of_scores(name: str) -> Callable[[Study], "Figure"]:
    def figure(study: Study) -> "Figure":
        shown = study_plots.ShownScores(study._identity, study._test)
        made: Figure = getattr(study_plots, name)(shown)
        return made

    return figure


def _search(study: Study) -> "Figure":
    table = study.trials[["number", "state", "value"]].astype({"value": object})
    rows = table.where(table.notna(), None).to_dict("records")
    ranked = [_Trial(**{str(key): value for key, value in row.items()}) for row in rows]
    words = subtitle(study._identity, f"{len(ranked)} trials")
    return history_figure(sorted(ranked), ranked[0], words)


@dataclass(frozen=True, slots=True, order=True)
class _Trial:
    """A row of the table of trials."""

    number: int
    state: str
    value: float | None


_PLOTS: Mapping[str, Callable[[Study], "Figure"]] = {
    "learning_curves": _learning_curves,
    "roc_curve": _of_scores("roc_figure"),
    "precision_recall_curve": _of_scores("precision_recall_figure"),
    "scores": _of_scores("histogram_figure"),
    "confusion_matrix": _of_scores("confusion_figure"),
    "search": _search,
}


class _Job:
    """What the job of an MLflow run left.

    Attributes:
        run_id: Of its MLflow run.
        folder: Where its page and tables are; None where `output` was empty.
        result: All of it, as the job returned it.
    """

    def __init__(self, outcome: "JobOutcome[Any]") -> None:
        self.run_id, self.folder, self.result = outcome.run_id, outcome.folder, outcome.result

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, run {self.run_id}>"

    def _card(self, title: str, verdict: "Verdict", table: pd.DataFrame) -> str:
        shown = {"": f"{verdict.headline}."} if verdict.headline else {}
        rows = table.to_html(max_rows=20, border=0, float_format="{:.3f}".format)
        return card(title, shown, self.run_id) + rows


class Comparison(_Job):
    """Finished studies on the same test images, side by side."""

    @cached_property
    def leaderboard(self) -> pd.DataFrame:
        """A row a study, the most accurate first: metrics with their 95 % intervals, and costs."""
        return leaderboard_table(self.result).frame()

    @cached_property
    def steps(self) -> pd.DataFrame:
        """A row a pair of studies: what accuracy gains, whether that is shown, what it costs.

        First the steps along the front, then every cheaper study against the best (`family`).
        """
        return all_pairs(self.result)

    @cached_property
    def front(self) -> pd.DataFrame:
        """The rows of `leaderboard` that no other beats in cost and accuracy at once."""
        table = self.leaderboard
        return table[table["on_front"].astype(bool)]

    def _repr_html_(self) -> str:
        columns = ["label", "accuracy", "roc_auc", "total_cold_seconds"]
        return self._card("What accuracy costs", verdict_of(self.result), self.leaderboard[columns])


class Matrix(_Job):
    """Models of several training sets, each on several test sets."""

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row a cell, and one for each part of its test set: metrics with their intervals."""
        return sets_table(ordered_cells(self.result)).frame()

    @cached_property
    def heat_map(self) -> pd.DataFrame:
        """ROC AUC: a row a model and training set, a column a test set."""
        found = [
            {
                "model": cell.model.label,
                "trained_on": cell.model.data,
                "tested_on": cell.data,
                "roc_auc": cell.estimates["roc_auc"].value,
            }
            for cell in self.result.cells
            if "roc_auc" in cell.estimates
        ]
        table = pd.DataFrame(found, columns=["model", "trained_on", "tested_on", "roc_auc"])
        return table.pivot(index=["model", "trained_on"], columns="tested_on", values="roc_auc")

    @cached_property
    def unseen(self) -> pd.DataFrame:
        """A row a generator that was left out of training (`hold_out="generator"`)."""
        return unseen_table(self.result).frame()

    @cached_property
    def in_time(self) -> pd.DataFrame:
        """A row a date up to which models were trained (`order="released"`)."""
        return time_table(self.result).frame()

    def _repr_html_(self) -> str:
        return self._card("Does it generalise?", matrix_verdict(self.result), self.heat_map)


class Evaluation(_Job):
    """One model on datasets that nothing of it was selected on."""

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row a dataset, and one for each of its parts: metrics with their 95 % intervals."""
        return sets_table(self.result).frame()

    def _repr_html_(self) -> str:
        columns = ["tested_on", "part", "roc_auc", "recall_fake", "false_alarm_rate"]
        title = f"{self.result[0].model.label}, elsewhere"
        return self._card(title, transfer_verdict(self.result), self.table[columns])


class Robustness(_Job):
    """Models on test pictures that were made worse."""

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row a model, corruption and severity: ROC AUC and accuracy with their intervals."""
        return points_table(self.result).frame()

    @cached_property
    def means(self) -> pd.DataFrame:
        """A row a model and corruption: the mean over severities, and over all corruptions."""
        return means_table(self.result).frame()

    def _repr_html_(self) -> str:
        return self._card("Robustness", robustness_verdict(self.result), self.means)


class Audit(_Job):
    """What would make results on a dataset worthless."""

    @cached_property
    def findings(self) -> pd.DataFrame:
        """A row a check: what was looked at, and what was found."""
        return pd.DataFrame(audit_rows(self.result.findings), columns=["check", "found"])

    @property
    def files(self) -> pd.DataFrame:
        """A row a file: what it is, its split, and why it is left out, if it is."""
        found: pd.DataFrame = self.result.audit.files
        return found

    def _repr_html_(self) -> str:
        title = f"Audit of {self.result.audit.name}"
        with pd.option_context("display.max_colwidth", None):  # whole sentences
            return card(title, {}, self.run_id) + self.findings.to_html(index=False, border=0)


class Verification:
    """What checking a published folder found.

    Attributes:
        passed: Whether nothing differs.
        notes: What a reader must know of the checks, a sentence each.
    """

    def __init__(self, found: "Found") -> None:
        self._found = found
        self.passed, self.notes = found.passed, found.notes

    @cached_property
    def checks(self) -> pd.DataFrame:
        """A row a check: `of` and `name`, what was `published` and `found`, and the `outcome`."""
        return check_table(self._found)

    def __repr__(self) -> str:
        return f"<Verification of {self._found.title}, {'passed' if self.passed else 'failed'}>"

    def _repr_html_(self) -> str:
        counts = self.checks.groupby(["of", "outcome"], sort=False).size().unstack(fill_value=0)
        shown = {"": "nothing differs" if self.passed else "something differs"}
        title = f"Check of {self._found.title}"
        apart = self.checks[~self.checks["outcome"].isin(["equal", "stated"])]
        tables = [counts.to_html(border=0), apart.to_html(max_rows=20, border=0, index=False)]
        return card(title, shown) + tables[0] + tables[1] * (len(apart) > 0)


def _with_interval(table: pd.DataFrame, key: str) -> str:
    value, low, high = (_number(table, key, column) for column in _TEST)
    return f"{value:.3f}" if np.isnan(low) else f"{value:.3f} ({low:.3f} to {high:.3f})"


_TEST = ("test", "test_low_95", "test_high_95")


def _number(table: pd.DataFrame, row: str, column: str) -> float:
    return float(table[column].to_dict()[row])


#: Colours are the notebook's own, light or dark.
_CARD = (
    '<div style="border:1px solid currentColor;border-radius:6px;padding:0.6em 1em;'
    'display:inline-block;margin-bottom:0.5em"><b>{title}</b><table style="margin:0.4em 0">'
    '{rows}</table><span style="opacity:0.65">{run}</span></div>'
)


def card(title: str, rows: Mapping[str, str], run_id: str = "") -> str:
    """Return a small card of names and values for a notebook, in its own colours."""
    run = f"MLflow run {run_id}" if run_id else ""
    shown = "".join(
        f'<tr><td style="text-align:left">{escape(name)}</td>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    return _CARD.format(title=escape(title), rows=shown, run=escape(run))
