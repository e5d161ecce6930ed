"""All files of a finished study's report, in the folders they have as MLflow artifacts."""

import json
from pathlib import Path

from fakeface_bench.records import Ledger, ModelOrigin, StudyRecord
from fakeface_bench.report.classification import write_classification
from fakeface_bench.report.gallery import write_galleries
from fakeface_bench.report.model_card import CARD_FILE, model_card
from fakeface_bench.report.results import RESULTS_FILE, write_results_csv
from fakeface_bench.report.saved_study import (
    LEDGER_FILE,
    write_predictions,
    write_study_json,
)
from fakeface_bench.report.score_pictures import write_score_pictures
from fakeface_bench.report.search_report import write_search
from fakeface_bench.report.summary import results_markdown
from fakeface_bench.report.training_pictures import write_learning_curves


def write_study_report(record: StudyRecord, folder: Path) -> None:
    """Write `results.csv`, `study.json` and the folders `test`, `training` and `search`.

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
    write_predictions(record, folder)
    write_galleries(record, test)
    write_learning_curves(record, training)
    write_search(record, search)
    write_results_csv(record, folder / RESULTS_FILE)
    write_study_json(record, folder)


def write_costs(record: StudyRecord, ledger: Ledger, origin: ModelOrigin, folder: Path) -> None:
    """Write `cost_ledger.json`, and `results.md` and `model_card.md`, which tell costs too."""
    shown = json.dumps(ledger.as_json(), indent=2, allow_nan=False)
    (folder / LEDGER_FILE).write_text(f"{shown}\n", encoding="utf-8")
    (folder / "results.md").write_text(results_markdown(record, ledger), encoding="utf-8")
    (folder / CARD_FILE).write_text(model_card(record, ledger, origin), encoding="utf-8")
