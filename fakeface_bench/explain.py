"""Shows on demand what a trained detector looked at, in pictures whose class nobody told."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from fakeface_bench.data.listing import printable
from fakeface_bench.errors import DataError
from fakeface_bench.explanation.study import explain_pictures
from fakeface_bench.folders import draft_folder
from fakeface_bench.progress import Progress
from fakeface_bench.publishing import copied_beside
from fakeface_bench.report import JudgedImage, write_evidence_picture
from fakeface_bench.serving.classifier import FaceClassifier, Verdict
from fakeface_bench.serving.pictures import read_picture

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
) -> int:
    """Draw each file beside the evidence in it; return how many could not be read.

    The folder gets a picture a file, named by its number and name, and `evidence.csv`, with the
    verdicts and why a file could not be read. It is filled when all is done; one that holds files
    stays as it is, and another is made beside it.

    Args:
        classifier: What a study has trained.
        model: Its name, for people.
        files: In any order.
        output: Folder to write to.
        progress: Told of the files.
    """
    with draft_folder() as draft:
        rows = []
        with progress.stage("explaining", len(files), "images") as advance:
            for row in _explained(classifier, model, files, draft):
                rows.append(row)
                advance(1)
        with (draft / TABLE).open("w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, _COLUMNS)
            table.writeheader()
            table.writerows(rows)
        folder = copied_beside(draft, output, progress)
    unreadable = sum(row.get("error") is not None for row in rows)
    progress.say(f"{len(files) - unreadable:,} pictures and {TABLE} are in {folder}")
    return unreadable


def _explained(
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
            printable(file), model, verdict.probability_fake or 0.0, verdict.threshold
        )
        write_evidence_picture(image, judged, draft / name)
        yield {"path": printable(file), "picture": name, **asdict(verdict)}
