"""The report of a study, file by file, on a middling study and on degenerate ones."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import metrics

from fakeface_bench.analysis.results import results_of
from fakeface_bench.records.ledger import Ledger
from fakeface_bench.records.study import IMAGE_COLUMNS, FitRecord, StudyRecord
from fakeface_bench.report.saved_study import read_results
from fakeface_bench.report.study_plots import (
    classification_report,
    most_confident,
    write_galleries,
    write_learning_curves,
    write_score_pictures,
)
from fakeface_bench.report.study_report import (
    results_markdown,
    trials_table,
    write_costs,
    write_study_report,
)
from tests.report.conftest import ORIGIN

PICTURES = (
    "search/history.png",
    "search/importances.png",
    "test/confusion_matrix.png",
    "test/gallery_right.png",
    "test/gallery_wrong.png",
    "test/precision_recall_curve.png",
    "test/roc_curve.png",
    "test/score_histogram.png",
    "training/learning_curves.png",
)
TABLES = (
    "cost_ledger.json",
    "model_card.md",
    "results.csv",
    "results.md",
    "search/trials.csv",
    "study.json",
    "test/classification_report.csv",
    "test/classification_report.json",
    "test/confusion_matrix.json",
    "test/predictions.parquet",
    "valid/predictions.parquet",
)


@pytest.mark.parametrize("variant", ["record", "perfect", "short", "single"])
def test_every_file_is_there_and_shows_something(
    variant: str, ledger: Ledger, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    record = request.getfixturevalue(variant)
    write_study_report(record, results_of(record), folder)
    write_costs(record, results_of(record), ledger, ORIGIN, folder)
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert written == {*PICTURES, *TABLES}
    for name in PICTURES:
        path = folder / name
        with Image.open(path) as picture:
            assert picture.width == 864
            assert np.asarray(picture.convert("L")).std() > 4
        assert path.stat().st_size < 800_000
    for name in ("test/classification_report.json", "test/confusion_matrix.json"):
        assert "NaN" not in (folder / name).read_text()


def test_the_same_study_gives_the_same_bytes(
    record: StudyRecord, ledger: Ledger, written: Path, tmp_path: Path
) -> None:
    write_study_report(record, results_of(record), tmp_path)
    write_costs(record, results_of(record), ledger, ORIGIN, tmp_path)
    for name in (*PICTURES, *TABLES):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()


def test_classification_report_is_sklearns(record: StudyRecord, written: Path) -> None:
    split = record.test
    expected = metrics.classification_report(
        split.y_true,
        split.y_score >= split.threshold,
        target_names=["real", "fake"],
        output_dict=True,
    )
    report = json.loads((written / "test/classification_report.json").read_text())
    assert report["accuracy"] == pytest.approx(expected["accuracy"])
    for row in ("real", "fake", "macro avg", "weighted avg"):
        figures = report[row.replace(" ", "_")]
        assert figures["precision"] == pytest.approx(expected[row]["precision"])
        assert figures["recall"] == pytest.approx(expected[row]["recall"])
        assert figures["f1"] == pytest.approx(expected[row]["f1-score"])
        assert figures["support"] == expected[row]["support"]
    table = pd.read_csv(written / "test/classification_report.csv", index_col="class")
    pd.testing.assert_frame_equal(table, classification_report(split))


def test_a_class_that_is_never_called_has_precision_zero(record: StudyRecord) -> None:
    report = classification_report(replace(record.test, threshold=1.1))
    assert report.loc["fake", ["precision", "recall", "f1"]].tolist() == [0.0, 0.0, 0.0]
    assert not report.isna().to_numpy().any()


def test_nothing_called_fake_still_draws(record: StudyRecord, tmp_path: Path) -> None:
    write_score_pictures(replace(record, test=replace(record.test, threshold=1.1)), tmp_path)
    assert (tmp_path / "precision_recall_curve.png").exists()


def test_confusion_matrix_says_what_it_counts(record: StudyRecord, written: Path) -> None:
    matrix = json.loads((written / "test/confusion_matrix.json").read_text())
    called = record.test.y_score >= 0.47
    assert matrix["counts"] == metrics.confusion_matrix(record.test.y_true, called).tolist()
    assert [sum(row) for row in matrix["row_shares"]] == pytest.approx([1, 1])
    assert (matrix["classes"], matrix["rows"], matrix["columns"], matrix["threshold"]) == (
        ["real", "fake"],
        "true",
        "predicted",
        0.47,
    )


def test_predictions_come_back_unchanged(record: StudyRecord, written: Path) -> None:
    assert record.baseline
    for name, split, baseline in (
        ("test", record.test, record.baseline.test),
        ("valid", record.valid, record.baseline.valid),
    ):
        table = pd.read_parquet(written / name / "predictions.parquet")
        scores = ["y_score", "y_score_baseline"]
        assert table.columns.tolist() == [*IMAGE_COLUMNS, "y_true", *scores]
        assert table["path"].tolist() == list(split.paths)
        np.testing.assert_array_equal(table["y_true"], split.y_true)
        np.testing.assert_array_equal(table["y_score"], split.y_score)
        np.testing.assert_array_equal(table["y_score_baseline"], baseline.y_score)


def test_results_hold_intervals_where_known(
    record: StudyRecord, ledger: Ledger, written: Path
) -> None:
    table = pd.read_csv(written / "results.csv", index_col="metric")
    ends = ["test_low_95", "test_high_95", "validation_low_95", "validation_high_95"]
    assert table.columns.tolist() == ["validation", "test", *ends]
    for end in ends:
        assert table.index[table[end].notna()].tolist() == ["accuracy", "roc_auc"]
    again = read_results(written / "results.csv")
    assert again.valid_estimates["roc_auc"] == results_of(record).valid_estimates["roc_auc"]
    assert table.loc["f1_fake", "test"] == pytest.approx(record.test.metrics["f1_fake"])
    assert (written / "results.md").read_text(encoding="utf-8") == results_markdown(
        record, results_of(record), ledger
    )


def test_trials_are_sorted_best_first(record: StudyRecord, written: Path) -> None:
    table = pd.read_csv(written / "search/trials.csv")
    assert table["number"].tolist() == [6, 7, 3, 0, 1, 5, 2, 8, 4]
    head = list(record.config.as_params())
    assert table.columns.tolist() == [
        *("number", "state", "value", "seconds", "epochs"),
        *head,
        "reason",
    ]
    assert trials_table(record.search.trials)["reason"].iloc[-1].startswith("ResourceExhausted")


def test_galleries_hold_both_classes_and_the_surest_of_each(record: StudyRecord) -> None:
    split = record.test
    chosen = most_confident(split, right=True)
    assert split.y_true[chosen].tolist() == [0] * 6 + [1] * 6
    right = (split.y_score >= split.threshold) == split.y_true
    assert split.y_score[chosen[0]] == split.y_score[right & (split.y_true == 0)].min()
    assert split.y_score[chosen[6]] == split.y_score[right & (split.y_true == 1)].max()


def test_a_gallery_fills_up_from_the_class_that_lasts(record: StudyRecord) -> None:
    split = replace(record.test, threshold=1.1)
    assert len(most_confident(split, right=True)) == 12
    assert set(split.y_true[most_confident(split, right=False)]) == {1}


@pytest.mark.parametrize("damage", ["gone", "broken"])
def test_an_unreadable_image_is_a_grey_tile(
    record: StudyRecord, tmp_path: Path, damage: str
) -> None:
    first = int(most_confident(record.test, right=True)[0])
    images = tmp_path / "images"
    shutil.copytree(record.data_folders["140k_subset"], images)
    path = images / record.test.paths[first]
    path.unlink()
    if damage == "broken":
        path.write_bytes(b"no image")
    write_galleries(replace(record, data_folders={"140k_subset": str(images)}), tmp_path)
    with Image.open(tmp_path / "gallery_right.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert (pixels == 222).all(axis=-1).sum() > 5000


@pytest.mark.parametrize("name", ["$\\frac$ and $x", "顔のデータ", "a\nb", "long/" * 60])
def test_any_dataset_name_can_head_a_picture(
    record: StudyRecord, tmp_path: Path, name: str
) -> None:
    write_learning_curves(replace(record, data=name, model=name), tmp_path)


def test_a_diverged_fit_still_draws(record: StudyRecord, tmp_path: Path) -> None:
    first, *rest = record.final_fit.epochs
    diverged = tuple(replace(epoch, train_loss=np.nan, val_loss=np.inf) for epoch in rest)
    fit = FitRecord((first, *diverged), best_epoch=0)
    write_learning_curves(replace(record, final_fit=fit), tmp_path)


def test_one_class_is_refused(record: StudyRecord, tmp_path: Path) -> None:
    split = replace(record.test, y_true=np.zeros(60, dtype=np.uint8))
    with pytest.raises(ValueError, match="the test split holds one class only"):
        write_study_report(replace(record, test=split), results_of(record), tmp_path)


def test_no_heavy_library_nor_pyplot_is_imported() -> None:
    heavy = "{'tensorflow', 'keras', 'optuna', 'mlflow', 'sklearn', 'matplotlib.pyplot'}"
    code = (
        f"import sys, fakeface_bench.report; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def two_stages(record: StudyRecord) -> StudyRecord:
    """The same study, its last six epochs those of unfrozen layers."""
    epochs = tuple(
        replace(epoch, stage="head" if epoch.epoch < 4 else "fine_tune")
        for epoch in record.final_fit.epochs
    )
    return replace(record, final_fit=FitRecord(epochs, 8), fine_tune="last_2_blocks")


def test_learning_curves_show_where_the_layers_join_the_head(
    record: StudyRecord, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    write_learning_curves(record, tmp_path / "one")
    write_learning_curves(two_stages(record), tmp_path)
    with (
        Image.open(tmp_path / "one/learning_curves.png") as one,
        Image.open(tmp_path / "learning_curves.png") as two,
    ):
        shaded = [(np.asarray(p.convert("RGB")) == 232).all(axis=-1).sum() for p in (one, two)]
    assert shaded[0] < 5_000 < 100_000 < shaded[1], "nothing tells the stages apart"


@pytest.mark.parametrize(
    ("fine_tune", "weights", "words"),
    [
        ("frozen", "imagenet", ""),
        ("last_block", "imagenet", "last block trained"),
        ("last_2_blocks", "imagenet", "last 2 blocks trained"),
        ("12", "imagenet", "last 12 layers trained"),
        ("all", "imagenet", "all layers trained"),
        ("all", "random", "trained from scratch"),
    ],
)
def test_what_was_trained_is_said_in_words(
    record: StudyRecord, ledger: Ledger, fine_tune: str, weights: str, words: str
) -> None:
    description = replace(
        record, fine_tune=fine_tune, weights=replace(record.weights, label=weights)
    )
    assert description.trained == words
    assert words in results_markdown(description, results_of(description), ledger)
