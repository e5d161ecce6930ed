"""Writes docs/reference: options, metrics, architectures, datasets, files, from the code's tables.

python docs/reference.py
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

FOLDER = ROOT / "docs" / "reference"
FROZEN = ROOT / "tests" / "frozen" / "runs"
MADE = "\n*Made by `python docs/reference.py`.*\n"
#: What each job leaves in MLflow, by a pattern of its artifacts' names.
FILES: Mapping[str, str] = {
    "study": "A study (`run`)",
    "comparison": "A comparison (`compare`, `suite`)",
    "evaluation": "An evaluation (`evaluate`)",
    "generalisation": "A matrix (`generalise`)",
    "robustness": "A robustness test (`robustness`)",
    "audit": "An audit (`audit`)",
}
#: What a file holds, by its name; of pictures the page beside them says it.
HOLDS: Mapping[str, str] = {
    "audit.html": "the page",
    "audit.md": "the same to read",
    "balance.csv": "images by split and class",
    "corruptions.csv": "a row a model and corruption: the mean over severities",
    "duplicates.csv": "copies, pair by pair, and what was done with them",
    "evaluation.csv": "a row a dataset and part: metrics with intervals",
    "evaluation.md": "the same to read",
    "file_sizes.csv": "sizes of files by class",
    "files.parquet": "every file: what it is, its split, why it is left out",
    "formats.csv": "formats and sizes by class",
    "generalisation.md": "the matrix to read",
    "left_out.csv": "files that studies do not use, and why",
    "matrix.csv": "a row a cell and part: metrics with intervals",
    "mixtures.csv": "what a mixture gained and lost, paired",
    "problems.csv": "files that are broken, or not what they say",
    "quantisation.csv": "JPEG quantisation tables by class",
    "robustness.csv": "a row a model, corruption and severity",
    "robustness.md": "the same to read",
    "shortcut.csv": "what each group of a file's facts alone scores",
    "agreement.csv": "what each two models predict alike",
    "agreement.png": "the same as a picture",
    "audit.json": "every finding",
    "confusion_matrices.png": "confusion matrices of all models",
    "cost_ledger.json": "every second, by stage, spent and amortised",
    "detectors.csv": "detectors of others, on the same images",
    "environment.txt": "every installed package, as `pip install -r` reads it",
    "equalised.csv": "what was processing history",
    "explain/explanation.json": "what spoke for real and fake, by picture",
    "front.html": "accuracy against cost, to hover over",
    "front.png": "the same as a picture",
    "hold_outs.csv": "a row a source or tier that was left out of training",
    "in_time.csv": "a row a date up to which models were trained",
    "leaderboard.csv": "a row a study: metrics with intervals, costs",
    "leaderboard.md": "the same to read",
    "made_by.csv": "files by generator and source",
    "model_card.md": "what the model has seen, can do and cannot",
    "anytime.csv": "the best so far at each moment of each search, as means over seeds",
    "time_to_target.csv": "a row a network: its time to the target, over seeds",
    "portfolio.csv": "a row a budget: what to take, what to expect, what more would buy",
    "prices.csv": "what searching, one training and 1,000 predictions take, by study",
    "predictions.parquet": "every image with each model's score",
    "report.html": "the page",
    "results.csv": "every metric with its interval",
    "results.md": "the same to read, with costs and options",
    "search/trials.csv": "every trial, the best first",
    "steps.csv": "a row a pair of studies: what accuracy gains, whether that is shown, its cost",
    "study.json": "what the study is: options, thresholds, epochs, split digests",
    "test/classification_report.csv": "precision, recall and F1 by class",
    "test/classification_report.json": "the same",
    "test/confusion_matrix.json": "counts and shares",
    "test/predictions.parquet": "every test image: path, SHA-256, label, score of each seed and of "
    "the baseline",
    "unseen_generators.csv": "a row a generator that training never saw",
    "valid/predictions.parquet": "the same of validation",
    "wrong_by_all.csv": "images that every model predicts wrongly",
}
#: Files of jobs that were asked for more than the usual.
WHERE_ASKED: Mapping[str, Sequence[str]] = {
    "comparison": ("detectors.csv", "time_to_target.csv"),
    "generalisation": ("hold_outs.csv", "unseen_generators.csv", "in_time.csv", "equalised.csv"),
    "audit": ("made_by.csv",),
}
#: What a tag says.
TAGS: Mapping[str, str] = {
    "fakeface.kind": "`study`, `trial`, `comparison`, `evaluation`, `generalisation`, "
    "`robustness` or `audit`",
    "fakeface.model": "architecture",
    "fakeface.dataset": "dataset, by name",
    "fakeface.dataset_digest": "SHA-256 over its contents and labels",
    "fakeface.test_digest": "the same of its test split",
    "fakeface.weights": "`imagenet`, `pretrained`, `random`, or `file:` and digits of its SHA-256",
    "fakeface.weights_warning": "what a reader must know of them",
    "fakeface.fine_tune": "layers trained under the head",
    "fakeface.study": "name of the study",
    "fakeface.failure": "why a run failed",
    "fakeface.compared": "runs that a comparison compares",
    "fakeface.best_run": "the most accurate of them",
    "fakeface.recommended_run": "the one to take",
    "fakeface.registered": "versions of a study's model",
    "fakeface.evaluated_run": "study whose model was evaluated",
    "fakeface.untouched_run": "of an equalised study: the same on pictures as they are",
}
#: How an interval is made that is not of bootstrap resamples.
INTERVALS: Mapping[str, str] = {
    "accuracy": "Wilson's",
    "recall_fake": "Wilson's",
    "roc_auc": "the wider of DeLong's, on the logit's scale, and Newcombe's",
    "recall_at_1pct_fpr": "Wilson's of fakes and the binomial of real images, added as squares",
    "recall_at_5pct_fpr": "the same",
    "ece": "1,000 stratified bootstrap resamples, mirrored at the value",
}
USUAL_INTERVAL = "1,000 stratified bootstrap resamples"
#: What families of metrics in MLflow hold, by how their names begin.
FAMILIES = (
    ("`test/…`", "the test split; `test/SOURCE/…`, `test/generator/NAME/…`, `test/tier/NAME/…` "
     "its parts; `…_mean`, `…_std` over seeds"),
    ("`val/…`", "validation, optimistic; by step also each epoch of the last fit"),
    ("`baseline/…`", "test, of logistic regression on the same features, or of the first trial"),
    ("`search/gain_roc_auc`", "what the search gained over it, with `_low` and `_high`"),
    ("`test_without_twins/…`", "test without images that have a twin in training"),
    ("`bias/…`", "what equalising took off the score"),
    ("`calibration/…`, `unsure/…`", "scale and offset of the calibration; ends of the unsure band"),
    ("`cost/…_seconds`", "each stage; `total_cold`, `total_warm`; `to_roc_auc_TARGET`"),
    ("`cost/…`", "parameters, multiply-adds, memory, energy, dollars"),
    ("`data/…`", "what the audit of the dataset found; `shortcut_auc` with its interval"),
    ("`evaluate/SET/…`", "an evaluation's metrics with `_low` and `_high`"),
    ("`explain/head_dependence`", "how alike evidence is with the head shuffled"),
)  # fmt: skip


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in row)} |" for row in lines
    )


def options() -> str:
    """Return every option of every command."""
    from fakeface_bench import config

    requests = {
        "run": config.StudyConfig,
        "suite": config.SuiteConfig,
        "compare": config.CompareConfig,
        "generalise": config.GeneraliseConfig,
        "evaluate": config.EvaluateConfig,
        "robustness": config.RobustnessConfig,
        "audit": config.AuditConfig,
        "register": config.RegisterConfig,
        "publish": config.PublishConfig,
        "verify": config.VerifyConfig,
        "predict": config.PredictConfig,
        "explain": config.ExplainConfig,
    }
    shared = set(config.StudyConfig.options())
    parts = [
        "# Options\n\n`mlflow run . --env-manager uv -P image_size=96` and `fakeface-bench run "
        "--image-size 96` are the same. `mlflow run . --env-manager uv -e NAME` runs the command "
        "of that name; without `-e` it is `run`. In Python each is a keyword argument.\n",
        "`fetch DATA` takes the dataset, `sync` a `--folder` of unsent records (empty: all of this "
        "machine); `list`, `datasets` and `doctor` take nothing.\n",
    ]
    for name, request in requests.items():
        rows = request.options().values()
        note = ""
        if name in ("suite", "generalise"):
            rows = [row for row in rows if row.name not in shared or row.name == "data"]
            rows = [row for row in rows if row.name != "data" or name == "suite"]
            own = ("model", "study", "register", "again")
            own += ("data", "leave_out") if name == "generalise" else ()
            note = f"\nAnd every option of `run` but {', '.join(f'`{key}`' for key in own)}.\n"
        told = table(("option", "default", "values", "meaning"), map(_option, rows))
        parts.append(f"## {name}\n\n{told}\n{note}")
    return "\n".join(parts)


def _option(row: Any) -> tuple[str, str, str, str]:
    default = "needed" if row.required else "empty" if row.default == "" else f"`{row.default}`"
    if isinstance(row.default, float):
        default = f"`{row.default:g}`"
    values = ", ".join(f"`{choice}`" for choice in row.choices)
    if row.minimum is not None:
        values = (
            f"{row.minimum} to {row.maximum}" if row.maximum is not None else f"≥ {row.minimum}"
        )
    return f"`{row.name}`", default, values, row.help


def metrics() -> str:
    """Return every metric, its formula and its interval."""
    from fakeface_bench.evaluation.metrics import METRICS

    rows = [
        (
            f"`{key}`",
            row.title,
            row.formula,
            "higher" if row.greater_is_better else "lower",
            INTERVALS.get(key, USUAL_INTERVAL),
        )
        for key, row in METRICS.items()
    ]
    header = ("metric", "what it is", "formula", "better", "95 % interval, where told")
    families = table(("in MLflow", "what it is of"), FAMILIES)
    return (
        "# Metrics\n\nFake is the positive class; *s* is the probability of fake, *t* the "
        "threshold, TP fakes predicted fake, FP real images predicted fake, and so on. Intervals "
        "are over the draw of test images; `evaluation/intervals.py` has them, and [how often they "
        "hold](../method.md#how-often-claims-hold) was simulated.\n\n"
        f"{table(header, rows)}\n\n`false_alarm_rate` is FP / (FP + TN), the share of real images "
        f"predicted fake; Wilson's interval.\n\n## Names in MLflow\n\n{families}\n"
    )


def architectures() -> str:
    """Return every architecture."""
    from fakeface_bench.backbones.catalogue import ARCHITECTURES
    from fakeface_bench.backbones.weights import origin_of

    rows = [
        (
            ", ".join(f"`{key}`" for key in (row.key, *row.aliases)),
            f"{row.parameters:,}",
            f"{row.mmacs:,}",
            row.image_size,
            len(row.frozen_ends) + 1 if row.pretrained else "",
            origin_of(row),
            row.licence,
        )
        for row in ARCHITECTURES
    ]
    header = (
        *("key", "parameters", "million MACs", "px", "blocks"),
        *("weights of", "licence of the weights"),
    )
    return (
        "# Architectures\n\nWithout the head. Blocks are what `fine_tune` counts; *scratch*: all "
        "of it is trained. Or [a network of your own](../train_more.md#your-own-network).\n\n"
        f"{table(header, rows)}\n"
    )


def datasets() -> str:
    """Return every dataset."""
    from fakeface_bench.data.catalogue import DATASETS

    rows = [
        (
            f"`{row.key}`",
            f"[{row.title}]({row.url})" if row.url else row.title,
            f"{row.images:,}",
            row.kind,
            row.layout,
            row.licence,
            row.unchecked,
        )
        for row in DATASETS
    ]
    header = ("data", "what it is", "images", "fakes made by", "layout", "licence", "unchecked")
    return (
        "# Datasets\n\nBy name, fetched once: [how](../faces.md#known-datasets). *Unchecked* says "
        "what could not be looked at where this was built; what differs is told when it is "
        f"fetched.\n\n{table(header, rows)}\n"
    )


def files() -> str:
    """Return the artifacts of every job, and the tags."""
    parts = ["# Files and tags\n\nWhat each job leaves in its MLflow run, and in `output`.\n"]
    for name, title in FILES.items():
        frozen = json.loads((FROZEN / f"{name}.json").read_text(encoding="utf-8"))
        artifacts = frozen.get("run", frozen)["artifacts"]
        told = [(f"`{file}`", HOLDS[file]) for file in artifacts if file in HOLDS]
        pictures = [f"`{file}`" for file in artifacts if file not in HOLDS]
        parts.append(f"## {title}\n\n{table(('file', 'what it holds'), told)}\n")
        if name in WHERE_ASKED:
            told = ((f"`{file}`", HOLDS[file]) for file in WHERE_ASKED[name])
            parts.append(f"Where it was asked for:\n\n{table(('file', 'what it holds'), told)}\n")
        if pictures:
            parts.append(f"Pictures: {', '.join(pictures)}.\n")
    rows = [(f"`{tag}`", words) for tag, words in TAGS.items()]
    parts.append(f"## Tags\n\n{table(('tag', 'what it says'), rows)}\n")
    return "\n".join(parts)


PAGES = {
    "options.md": options,
    "metrics.md": metrics,
    "architectures.md": architectures,
    "datasets.md": datasets,
    "files.md": files,
}


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page() + MADE, encoding="utf-8")


if __name__ == "__main__":
    main()
