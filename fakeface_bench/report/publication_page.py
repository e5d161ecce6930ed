"""The page of a published study: what it claims, what it cost, how it was run, how to check it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fakeface_bench.analysis.comparison import Comparison
from fakeface_bench.analysis.results import Results
from fakeface_bench.config import CLASS_NAMES, DIGEST_DIGITS, StudyConfig
from fakeface_bench.records.publication import PublishedStudy
from fakeface_bench.report import comparison_page, drawing
from fakeface_bench.report.format import (
    cost,
    escaped,
    format_weights,
    sentence_end,
    with_interval,
)
from fakeface_bench.report.page import PagePicture, Verdict, page_environment, page_picture
from fakeface_bench.report.publication import PAGE_FILE, SUMS_FILE
from fakeface_bench.report.saved_study import few_images_warning, results_header
from fakeface_bench.report.study_plots import ShownScores, roc_figure
from fakeface_bench.report.study_report import cost_table, main_rows
from fakeface_bench.report.table import NAME, WORDS, Table

README_FILE = "README.md"
#: What each file of a published study holds, in the order in which they are told.
_FILES = (
    ("metrics.json", "every metric of the study, by its name in MLflow"),
    ("results.csv", "the main metrics with their 95 % intervals"),
    ("test_scores.parquet", "each test image by its SHA-256 (first 32 digits): label and scores"),
    ("valid_scores.parquet", "the same of validation, without digests"),
    ("study.json", "options that won, thresholds, epochs, digests of the splits"),
    ("trials.csv", "every trial of the search"),
    ("cost_ledger.json", "every second, by stage"),
    ("publication.json", "what was asked, versions, digests"),
    ("environment.txt", "every installed package: pip install -r environment.txt"),
    ("model_card.md", "what the model has seen, can do and cannot"),
    ("model/", "the model itself, as MLflow loads it"),
    (SUMS_FILE, "checksums: sha256sum --check SHA256SUMS"),
)
#: Commands that check a folder, and what each of them does.
_CHECKS = (
    ("fakeface-bench verify .", "computes every metric again from the published scores"),
    (
        "fakeface-bench verify . --data FACES",
        "also holds your copy of the dataset against the digests, and scores it with the model, if "
        "that is here",
    ),
    (
        "fakeface-bench verify . --data FACES --retrain",
        "also runs the whole study again and compares it metric by metric",
    ),
)
_ABOUT = "No picture, path or password is among these files."


def write_publication_page(study: PublishedStudy, results: Results, folder: Path) -> None:
    """Write `report.html` and `README.md` of a published study beside its files."""
    picture = folder / ".roc.png"
    try:
        shown = ShownScores(study.compared.identity, study.scores.test, study.scores.valid)
        drawing.save(roc_figure(shown), picture)
        roc = page_picture(picture, f"ROC curve of {study.compared.label}")
    finally:
        picture.unlink(missing_ok=True)
    for name, text in texts_of(study, results, roc).items():
        (folder / name).write_text(text, encoding="utf-8")


def texts_of(study: PublishedStudy, results: Results, roc: PagePicture) -> dict[str, str]:
    """Return what stands in each of the two files."""
    content = {**_content(study, results, _files_of(study)), "roc": roc}
    page = page_environment().get_template("publication.html").render(content)
    readme = _readme(study.name, verdict_of(study, results), list(_files_of(study).items()))
    return {PAGE_FILE: page, README_FILE: readme}


#: In place of a curve, where words alone are looked at.
NO_PICTURE = PagePicture("", "", 0, 0)
_CHART = re.compile(r'<div class="wide"[^>]*><img class="chart"[^>]*></div>')


def without_pictures(text: str) -> str:
    """Return a page without its pictures, which other versions of Matplotlib draw otherwise."""
    return _CHART.sub("", text)


def write_comparison_readme(comparison: Comparison, folder: Path) -> None:
    """Write `README.md` of a published comparison."""
    files = [
        (PAGE_FILE, "the comparison as a page"),
        ("leaderboard.csv, steps.csv", "its tables"),
        ("studies/RUN/", "each study, as if published alone"),
        (SUMS_FILE, "checksums: sha256sum --check SHA256SUMS"),
    ]
    title = f"Comparison of {len(comparison.entries)} studies"
    text = _readme(title, comparison_page.verdict_of(comparison), files)
    (folder / README_FILE).write_text(text, encoding="utf-8")


def verdict_of(study: PublishedStudy, results: Results) -> Verdict:
    """Say what the study claims, and what it cost."""
    roc_auc, accuracy = (with_interval(results.estimates[key]) for key in ("roc_auc", "accuracy"))
    ledger = study.compared.ledger
    return Verdict(
        headline=f"Test ROC AUC {roc_auc}, accuracy {accuracy}",
        paragraph=f"{study.compared.label}, from {format_weights(study.facts.weights)}, on "
        f"{study.facts.dataset}: {cost(ledger, ledger.total_cold_seconds)} from a cold start on "
        f"{study.compared.machine or 'a machine that is not known'}.",
        weight="note",
    )


def _content(study: PublishedStudy, results: Results, files: Mapping[str, str]) -> dict[str, Any]:
    scores, ledger = study.scores, study.compared.ledger
    valid, test = len(scores.valid.y_true), len(scores.test.y_true)
    folds = int(float(study.facts.params.get("folds", 0)))
    warnings = [study.compared.warning, few_images_warning(test)]
    return {
        "title": study.name,
        "verdict": verdict_of(study, results),
        "warnings": [sentence_end(warning) for warning in warnings if warning],
        "key_metrics": _key_metrics(study, results),
        "metrics": Table.of(results_header(valid, test, folds), main_rows(results), name="Metrics"),
        "costs": replace(cost_table(ledger), name="Costs by stage"),
        "asked": Table.of(("option", "value"), _asked(study), NAME, NAME, title="Asked for"),
        "won": Table.of(
            ("option", "value"),
            _params_that_begin(study, "best_"),
            NAME,
            NAME,
            title="Chosen by the search",
        ),
        "images": _images(study),
        "versions": Table.of(
            ("what", "version"), _versions(study), NAME, NAME, title="Versions and machine"
        ),
        "checks": Table.of(("command", "what it does"), _CHECKS, NAME, WORDS, name="Checks"),
        "holds": Table.of(
            ("file", "what it holds"), list(files.items()), NAME, WORDS, name="Files"
        ),
        "files": sorted(files),
    }


def _files_of(study: PublishedStudy) -> dict[str, str]:
    return {name: words for name, words in _FILES if name != "model/" or study.has_model}


def _key_metrics(study: PublishedStudy, results: Results) -> list[tuple[str, str, str]]:
    test, ledger = study.scores.test, study.compared.ledger
    reals, fakes = (int((test.y_true == label).sum()) for label in range(len(CLASS_NAMES)))
    roc_auc, accuracy = results.estimates["roc_auc"], results.estimates["accuracy"]
    seeds = len(study.compared.seeds)
    return [
        (f"{roc_auc.value:.3f}", "test ROC AUC", f"{roc_auc.low:.3f} to {roc_auc.high:.3f}"),
        (f"{accuracy.value:.3f}", "test accuracy", f"{accuracy.low:.3f} to {accuracy.high:.3f}"),
        (
            cost(ledger, ledger.total_cold_seconds, short=True),
            "cost from a cold start",
            f"{study.compared.trials} trials, {seeds} seed{'s' * (seeds > 1)}",
        ),
        (
            f"{len(test.y_true):,}",
            "test images",
            f"{reals:,} {CLASS_NAMES[0]}, {fakes:,} {CLASS_NAMES[1]}",
        ),
    ]


def _asked(study: PublishedStudy) -> list[tuple[str, str]]:
    """Return the options that are not as they come, and what a reader asks for first."""
    usual = {key: str(option.default) for key, option in StudyConfig.options().items()}
    params = study.facts.params
    first = ("model", "data", "trials", "epochs", "seed", "seeds")
    changed = [key for key in usual if key in params and params[key] != usual[key]]
    return [(key, params[key]) for key in dict.fromkeys((*first, *changed)) if key in params]


def _params_that_begin(study: PublishedStudy, begin: str) -> list[tuple[str, str]]:
    """Return params of one kind, by what follows its beginning."""
    params = study.facts.params
    return [(k.removeprefix(begin), v) for k, v in params.items() if k.startswith(begin)]


def _versions(study: PublishedStudy) -> list[tuple[str, str]]:
    machine = study.compared.machine or "not known"
    return [("machine", machine), *_params_that_begin(study, "version_")]


def _images(study: PublishedStudy) -> Table:
    rows = []
    for split in ("train", "valid", "test"):
        counts = (
            f"{study.metrics.get(f'data/{split}_{name}_images', 0):,.0f}" for name in CLASS_NAMES
        )
        digest = study.split_digests.get(split, "")
        rows.append((split, *counts, digest[:DIGEST_DIGITS] or "not known"))
    header = ("split", *CLASS_NAMES, "SHA-256 over contents and labels")
    note = f"The whole dataset: {study.facts.digest[:DIGEST_DIGITS]}."
    return Table.of(header, rows, note=note, name="Images by split and class")


def _readme(title: str, told: Verdict, files: Sequence[tuple[str, str]]) -> str:
    checks = "\n".join(f"- `{command}` {words}." for command, words in _CHECKS)
    table = Table.of(("file", "what it holds"), files, NAME, WORDS)
    return (
        f"# {escaped(title)}\n\n**{escaped(told.headline)}.** {escaped(told.paragraph)}\n\n"
        f"`{PAGE_FILE}` shows it. {_ABOUT}\n\n## Check it\n\n{checks}\n\n"
        "Exit code 0: nothing differs; 5: something does, and is named.\n\n## Files\n\n"
        f"{table.markdown()}\n"
    )
