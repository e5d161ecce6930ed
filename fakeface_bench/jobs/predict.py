"""What a trained detector says of files, as they are read, and what it looked at."""

import csv
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path

from fakeface_bench.config import CLASS_NAMES, FAKE, REAL
from fakeface_bench.data.listing import printable
from fakeface_bench.explanation.explain import explain_pictures
from fakeface_bench.records.explanation import Prediction, PredictionCounts
from fakeface_bench.report.explanation import JudgedImage, write_evidence_picture
from fakeface_bench.serving.classifier import BATCH, FaceClassifier, Verdict
from fakeface_bench.serving.pictures import read_picture
from fakeface_bench.support.disk import draft_folder
from fakeface_bench.support.errors import DataError
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking.model_files import detector_folder, model_version
from fakeface_bench.tracking.runs import copied_beside


def load_classifier(folder: Path, safe: bool = True) -> FaceClassifier:
    """Load the detector of an MLflow model; the folder is not needed afterwards.

    A `safe` load refuses a network that could run code of its author.
    """
    return FaceClassifier.load(detector_folder(folder), model_version(folder), safe)


def predict_files(
    classifier: FaceClassifier,
    files: Sequence[Path],
    on_row: Callable[[Prediction], object],
    progress: Progress,
) -> PredictionCounts:
    """Classify files, in flat memory; one that cannot be read costs its own row alone.

    Args:
        files: Need not exist any more when their turn comes.
        on_row: Called with each row, in the files' order.
    """
    started = time.perf_counter()
    labels: Counter[str | None] = Counter()
    unsure = 0
    verdicts = classifier.classify(files, partial(read_picture, allow_paths=True))
    with progress.stage("classifying", len(files), "images") as advance:
        for file, verdict in zip(files, verdicts, strict=True):
            on_row(Prediction(path=printable(file), **asdict(verdict)))
            labels[verdict.label] += 1
            unsure += bool(verdict.unsure)
            if labels.total() % BATCH == 0:
                advance(BATCH)
        advance(len(files) % BATCH)
    seconds = time.perf_counter() - started
    return PredictionCounts(
        labels[CLASS_NAMES[REAL]], labels[CLASS_NAMES[FAKE]], labels[None], seconds, unsure
    )


TABLE = "evidence.csv"
_COLUMNS = ("path", "picture", *(field.name for field in fields(Verdict)))
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
_LONGEST_STEM = 60


def explain_files(
    classifier: FaceClassifier,
    model: str,
    files: Sequence[Path],
    output: Path,
    progress: Progress,
) -> tuple[Path, int]:
    """Draw each file beside the evidence in it.

    The folder gets a picture a file, named by its number and name, and `evidence.csv`, with the
    verdicts and why a file could not be read. It is filled when all is done; one that holds files
    stays as it is, and another is made beside it.

    Returns:
        The folder, and how many files could not be read.
    """
    with draft_folder() as draft:
        rows = []
        with progress.stage("explaining", len(files), "images") as advance:
            for row in _draw_evidence(classifier, model, files, draft):
                rows.append(row)
                advance(1)
        with (draft / TABLE).open("w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, _COLUMNS)
            table.writeheader()
            table.writerows(rows)
        folder = copied_beside(draft, output, progress)
    unreadable = sum(row.get("error") is not None for row in rows)
    progress.say(f"{len(files) - unreadable:,} pictures and {TABLE} are in {folder}")
    return folder, unreadable


def _draw_evidence(
    classifier: FaceClassifier, model: str, files: Sequence[Path], draft: Path
) -> Iterator[dict[str, object]]:
    """Draw each file's picture, and yield its row of the table."""
    digits = len(str(len(files)))
    for number, file in enumerate(files, start=1):
        name = f"{number:0{digits}}_{_NOT_IN_NAMES.sub('_', file.stem)[:_LONGEST_STEM]}.png"
        try:
            picture = read_picture(file, allow_paths=True)
        except DataError as error:
            yield {"path": printable(file), "error": str(error)}
            continue
        (verdict,) = classifier.classify([picture], lambda given: given)
        (image,) = explain_pictures(classifier.network, [classifier.pixels(picture)])
        judged = JudgedImage(
            printable(file),
            model,
            verdict.probability_fake or 0.0,
            verdict.threshold,
            bool(verdict.unsure),
        )
        write_evidence_picture(image, judged, draft / name)
        yield {"path": printable(file), "picture": name, **asdict(verdict)}
