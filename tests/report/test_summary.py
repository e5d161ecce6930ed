"""The short texts say the metrics, the cost, and first of all the warning."""

from dataclasses import replace
from pathlib import Path

import pytest

from fakeface_bench.analysis.results import results_of
from fakeface_bench.evaluation.metrics import METRICS, part_metrics
from fakeface_bench.records.ledger import Ledger
from fakeface_bench.records.study import RepeatRecord, ShortcutFloor, StudyRecord
from fakeface_bench.report.saved_study import (
    few_images_warning,
    parts_table,
    read_results,
    write_results_csv,
)
from fakeface_bench.report.study_report import (
    MAIN_METRICS,
    main_rows,
    results_markdown,
    summary_markdown,
    summary_rows,
)


def rows_of(record: StudyRecord) -> list[tuple[str, str, str]]:
    return summary_rows(record, results_of(record))


def headline_of(text: str) -> str:
    return text.split("\n\n")[0]


def test_headline_names_model_weights_data_and_figures(record: StudyRecord, ledger: Ledger) -> None:
    headline = headline_of(summary_markdown(record, results_of(record), ledger))
    assert headline.startswith(
        "mobilenetv3_small (from file:0123456789ab weights) on 140k_subset: test ROC AUC "
    )
    assert f"ROC AUC {record.test.metrics['roc_auc']:.3f} (95 % 0." in headline
    assert f"accuracy {record.test.metrics['accuracy']:.3f} (95 % 0." in headline
    assert headline.endswith("at threshold 0.470, n = 60 images.")


def test_rows_hold_the_main_metrics_and_the_threshold(record: StudyRecord) -> None:
    rows = summary_rows(record, results_of(record))
    keys = [key for key, _, _ in rows]
    assert keys[: len(MAIN_METRICS)] == list(MAIN_METRICS)
    baseline, gained = rows[len(MAIN_METRICS) :]
    assert baseline[0] == "roc_auc, logistic regression on the same features"
    assert record.baseline
    assert baseline[2] == f"{record.baseline.test.metrics['roc_auc']:.3f}"
    assert gained[0] == "roc_auc, gained over it by 9 trials in 112 s"
    assert " to " in gained[2]
    assert set(MAIN_METRICS) <= {*METRICS, "threshold"}
    assert rows[1][1:] == (
        f"{record.valid.metrics['average_precision']:.3f}",
        f"{record.test.metrics['average_precision']:.3f}",
    )
    assert " to " in rows[0][2]


def test_the_table_says_n_and_at_which_threshold_its_calls_are(
    record: StudyRecord, ledger: Ledger
) -> None:
    text = summary_markdown(record, results_of(record), ledger)
    assert "| metric | validation, optimistic (n = 80) | test (n = 60; 95 % interval) |" in text
    reason = "which is shown to be better than 0.5 on validation"
    assert f"Accuracy and F1 are at threshold 0.470, {reason}; epoch by epoch" in text
    assert "accuracy is at 0.5. Metrics on validation are optimistic: trial, epoch," in text
    test = replace(record.test, threshold=0.5)
    text = summary_markdown(replace(record, test=test), results_of(record), ledger)
    assert "at threshold 0.500, since no other is shown to be better on validation; epoch" in text
    assert "**60 test images are few (under 100): mind how wide the intervals are.**" in text
    assert few_images_warning(99)
    assert not few_images_warning(100)


def test_figures_come_back_from_their_table(record: StudyRecord, tmp_path: Path) -> None:
    write_results_csv(results_of(record), tmp_path / "results.csv")
    back, written = read_results(tmp_path / "results.csv"), results_of(record)
    assert back.keys == written.keys
    assert back.test == pytest.approx(dict(written.test))
    assert back.valid == pytest.approx(dict(written.valid))
    assert back.estimates.keys() == written.estimates.keys()
    alone = replace(record, baseline=None)
    assert main_rows(back) == summary_rows(alone, results_of(alone))


def test_a_metric_that_is_not_defined_is_a_dash(record: StudyRecord) -> None:
    test = replace(record.test, metrics={**record.test.metrics, "f1_fake": float("nan")})
    valid = replace(record.valid, metrics={"roc_auc": 0.9})
    rows = dict((key, rest) for key, *rest in rows_of(replace(record, test=test, valid=valid)))
    assert rows["f1_fake"] == ["-", "-"]
    assert rows["accuracy"][0] == "-"


def test_the_full_table_holds_every_metric(record: StudyRecord, ledger: Ledger) -> None:
    text = results_markdown(record, results_of(record), ledger)
    told = [key for key in METRICS if f"\n| {key} | " in text]
    assert set(told) == set(record.valid.metrics) | set(record.test.metrics)
    assert headline_of(text) == headline_of(summary_markdown(record, results_of(record), ledger))


def test_markdown_lists_cost_and_winning_options(record: StudyRecord, ledger: Ledger) -> None:
    text = summary_markdown(record, results_of(record), ledger)
    assert "| search, complete trials | 1,200.5 | 1,000.5 |" in text
    assert "| features (or decoding) | 31.2 | 0.2 |" in text
    assert "| total | 1,311.0 | 1,080.0 |" in text
    assert "At 1.50 dollars an hour: 0.55 dollars cold, 0.45 for this run." in text
    assert f"| units | {record.config.head.units} |" in text
    assert text.startswith("mobilenetv3_small (from file:0123456789ab weights)")


def test_a_warning_comes_first_in_bold(random_weights: StudyRecord, ledger: Ledger) -> None:
    first = summary_markdown(random_weights, results_of(random_weights), ledger).splitlines()[0]
    assert first == "**Random weights: these results say nothing of the model.**"


@pytest.mark.parametrize("name", ["a|b", "x\n\n# heading", "<script>alert(1)</script>"])
def test_names_from_outside_are_inert(record: StudyRecord, ledger: Ledger, name: str) -> None:
    text = summary_markdown(replace(record, data=name), results_of(record), ledger)
    assert name not in text
    assert "<" not in text
    assert text.count("\n") == summary_markdown(record, results_of(record), ledger).count("\n")


def test_the_floor_of_metadata_stands_below_the_test_figures(
    record: StudyRecord, ledger: Ledger
) -> None:
    floor = ShortcutFloor(0.553, 0.47, 0.641, images=1250, alone={})
    with_floor = replace(record, floor=floor)
    row = ("roc_auc, file metadata alone", "n = 1,250", "0.553 (0.470 to 0.641)")
    assert summary_rows(with_floor, results_of(with_floor))[-1] == row
    assert "0.553 (0.470 to 0.641)" in summary_markdown(with_floor, results_of(with_floor), ledger)
    assert "metadata" not in summary_markdown(record, results_of(record), ledger)


def test_parts_of_the_test_split_are_told_with_their_intervals(record: StudyRecord) -> None:
    test = record.test
    sources = tuple("a" if n % 2 else "b" for n in range(len(test.y_true)))
    tiers = tuple("hard" if fake else "" for fake in test.y_true)
    test = replace(test, sources=sources, tiers=tiers)
    parts = part_metrics(test.y_true, test.y_score, test.threshold, test.described)
    mixed = replace(record, test=replace(test, parts=parts))
    rows = parts_table(mixed, results_of(mixed)).rows
    names = [row[0] for row in rows]
    assert names == ["a", "b", "tier/hard"]
    for name, images, roc_auc, accuracy, recall, floor in parts_table(
        mixed, results_of(mixed)
    ).rows:
        assert int(images) == parts[name]["images"]
        assert recall.startswith("0.")
        assert floor == "-"
        assert roc_auc.startswith(f"{parts[name]['roc_auc']:.3f} (")
        if name == "tier/hard":
            assert accuracy == "-"
        else:
            assert accuracy.startswith(f"{parts[name]['accuracy']:.3f} (")
    assert parts_table(record, results_of(record)).rows == []


def test_several_seeds_are_told_by_mean_and_spread(record: StudyRecord, ledger: Ledger) -> None:
    better = replace(record.test, metrics={**record.test.metrics, "roc_auc": 0.9, "accuracy": 0.8})
    first = replace(record.test, metrics={**record.test.metrics, "roc_auc": 0.8, "accuracy": 0.8})
    repeated = replace(record, test=first, repeats=(RepeatRecord(1, better, 4),))
    assert summary_rows(repeated, results_of(repeated))[-2:] == [
        ("roc_auc, mean of 2 fits of the winner ± their deviation", "", "0.850 ± 0.071"),
        ("accuracy, mean of 2 fits of the winner ± their deviation", "", "0.800 ± 0.000"),
    ]
    assert "### Seeds" not in summary_markdown(repeated, results_of(repeated), ledger)
    whole = replace(repeated, repeats=(RepeatRecord(1, better, 4, record.search),))
    told = summary_markdown(whole, results_of(whole), ledger)
    assert "| roc_auc, mean of 2 seeds ± their deviation |" in told
    _, _, seeds = told.partition("### Seeds, each a search and a fit of its own")
    best = record.search.best
    trial = f"{best.number} of {len(record.search.trials)}"
    assert f"| 0 | {trial} | {best.value:.3f} | 0.800 | 0.800 |" in seeds
    assert f"| 1 | {trial} | {best.value:.3f} | 0.900 | 0.800 |" in seeds
    assert "mean of" not in summary_markdown(record, results_of(record), ledger)
    figures = repeated.metrics()
    assert figures["test/roc_auc_mean"] == pytest.approx(0.85)
    assert figures["test/roc_auc_std"] == pytest.approx(0.1 / 2**0.5)
    assert "test/roc_auc_mean" not in record.metrics()
