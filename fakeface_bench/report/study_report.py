"""All files of a finished study's report, in the folders they have as MLflow artifacts."""

from pathlib import Path

import pandas as pd

from fakeface_bench.records import StudyRecord
from fakeface_bench.report.classification import write_classification
from fakeface_bench.report.gallery import write_galleries
from fakeface_bench.report.results import write_results_csv
from fakeface_bench.report.score_pictures import write_score_pictures
from fakeface_bench.report.search_report import write_search
from fakeface_bench.report.summary import results_markdown
from fakeface_bench.report.training_pictures import write_learning_curves


def write_study_report(record: StudyRecord, folder: Path) -> None:
    """Write `results.csv`, `results.md` and the folders `test`, `training` and `search`.

    Files of an earlier report in the same folder are overwritten. A test image that is gone
    from disk costs its thumbnail, nothing else.

    Raises:
        ValueError: If the validation or the test split lacks a class.
    """
    for name, split in (("validation", record.valid), ("test", record.test)):
        if len(set(split.y_true.tolist())) < 2:
            raise ValueError(f"the {name} split holds one class only; a report needs real and fake")
    test, training, search = (folder / name for name in ("test", "training", "search"))
    for part in (test, training, search):
        part.mkdir(parents=True, exist_ok=True)
    write_classification(record, test)
    write_score_pictures(record, test)
    _write_predictions(record, test / "predictions.parquet")
    write_galleries(record, test)
    write_learning_curves(record, training)
    write_search(record, search)
    write_results_csv(record, folder / "results.csv")
    (folder / "results.md").write_text(results_markdown(record), encoding="utf-8")


def _write_predictions(record: StudyRecord, path: Path) -> None:
    split = record.test
    columns = {
        "source": list(split.sources),
        "path": list(split.paths),
        "tier": list(split.tiers),
        "y_true": split.y_true,
        "y_score": split.y_score,
    }
    pd.DataFrame(columns).to_parquet(path, index=False)
