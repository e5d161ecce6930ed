"""A study as files that others can check: written without pictures and places, and read back.

A published study is a folder: `publication.json` says what it is, `metrics.json`, `results.csv` and
`cost_ledger.json` what it claims, `test_scores.parquet` and `valid_scores.parquet` what that
follows from, image by image, and `SHA256SUMS` that nothing was changed since.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fakeface_bench.analysis.verification import scored_again
from fakeface_bench.records.ledger import Ledger
from fakeface_bench.records.publication import (
    Check,
    PublishedFacts,
    PublishedStudy,
    Verification,
)
from fakeface_bench.records.study import (
    BaselineRecord,
    ComparedStudy,
    ScoredSplit,
    StudyScores,
    UnsureBand,
)
from fakeface_bench.report.model_card import CARD_FILE
from fakeface_bench.report.saved_study import (
    BASELINE_SCORES,
    ENVIRONMENT_FILE,
    HAS_TWIN,
    LEDGER_FILE,
    PREDICTIONS_FILE,
    RESULTS_FILE,
    SCORES,
    STUDY_FILE,
    TRIALS_FILE,
    VALID_PREDICTIONS_FILE,
    saved_study,
)
from fakeface_bench.support.errors import DataError
from fakeface_bench.support.text import hide_places

#: Says what a folder holds: `format` is raised when a reader of before could not read it.
MANIFEST_FILE = "publication.json"
FORMAT = 1
SUMS_FILE = "SHA256SUMS"
METRICS_FILE = "metrics.json"
TEST_SCORES_FILE, VALID_SCORES_FILE = "test_scores.parquet", "valid_scores.parquet"
#: Folder of the model, where it was published, and of a comparison's studies.
MODEL_FOLDER = "model"
STUDIES_FOLDER = "studies"
PAGE_FILE = "report.html"
STUDY, COMPARISON = "study", "comparison"
#: All that is published of a study is made of these.
NEEDED_FILES = (
    STUDY_FILE,
    PREDICTIONS_FILE,
    VALID_PREDICTIONS_FILE,
    LEDGER_FILE,
    RESULTS_FILE,
    TRIALS_FILE,
    ENVIRONMENT_FILE,
    CARD_FILE,
)
#: What MLflow calls a run.
_RUN = re.compile(r"[0-9a-f]{32}")
#: Hexadecimal digits of an image's SHA-256 that are published: half of them tell images apart.
DIGEST_DIGITS = 32
#: Columns of images that metrics are told by.
_COLUMNS = ("source", "generator", "tier")
_MAX_IMAGES = 50_000_000


def write_published_study(
    facts: PublishedFacts,
    metrics: Mapping[str, float],
    saved: Path,
    folder: Path,
    places: Iterable[str] = (),
) -> None:
    """Write what is published of a study, but for page, model and sums.

    Args:
        saved: Holds `NEEDED_FILES`, as the study's run does.
        folder: Is made.
        places: Paths of the author's machine, beside those that the study's files name.

    Raises:
        DataError: If the study was run by a version that did not keep what is needed.
    """
    told = json.loads((saved / STUDY_FILE).read_text(encoding="utf-8"))
    hidden = {*places, *told.pop("data_folders", {}).values()}
    frames = {
        TEST_SCORES_FILE: pd.read_parquet(saved / PREDICTIONS_FILE),
        VALID_SCORES_FILE: pd.read_parquet(saved / VALID_PREDICTIONS_FILE),
    }
    if not frames[TEST_SCORES_FILE].get("digest", pd.Series([""])).str.len().all():
        raise DataError("it does not say which image each score is of")
    folder.mkdir(parents=True)
    manifest = {
        "format": FORMAT,
        "kind": STUDY,
        **asdict(facts),
    }
    ledger = json.loads((saved / LEDGER_FILE).read_text(encoding="utf-8"))
    for name, content in (
        (MANIFEST_FILE, manifest),
        (METRICS_FILE, dict(sorted(metrics.items()))),
        (STUDY_FILE, told),
        (LEDGER_FILE, ledger),
    ):
        write_json(_without_places(content, hidden), folder / name)
    for name in (RESULTS_FILE, TRIALS_FILE, ENVIRONMENT_FILE, CARD_FILE):
        text = hide_places((saved / name).read_text(encoding="utf-8"), hidden)
        (folder / Path(name).name).write_text(text, encoding="utf-8")
    for name, frame in frames.items():
        _write_scores(frame, folder / name, with_digests=name == TEST_SCORES_FILE)


def write_json(content: Any, path: Path) -> None:
    """Write what JSON can hold, readable."""
    path.write_text(f"{json.dumps(content, indent=2, allow_nan=False)}\n", encoding="utf-8")


def _without_places(content: Any, places: Iterable[str]) -> Any:
    if isinstance(content, str):
        return hide_places(content, places)
    if isinstance(content, Mapping):
        return {
            hide_places(str(key), places): _without_places(value, places)
            for key, value in content.items()
        }
    if isinstance(content, (list, tuple)):
        return [_without_places(value, places) for value in content]
    return content


def _write_scores(frame: pd.DataFrame, path: Path, with_digests: bool) -> None:
    """Write one row an image; bytes of numbers lie by their place, which compresses them."""
    scores = [name for name in frame if str(name).startswith(SCORES)]
    described = [name for name in _COLUMNS if name in frame]
    kept = frame[[*described, "y_true", *scores, *[n for n in (HAS_TWIN,) if n in frame]]]
    if with_digests:
        kept.insert(0, "digest", frame["digest"].str[:DIGEST_DIGITS])
    kept.to_parquet(
        path,
        index=False,
        compression="zstd",
        compression_level=19,
        use_dictionary=described,
        column_encoding=dict.fromkeys(map(str, scores), "BYTE_STREAM_SPLIT"),
    )


def write_sums(folder: Path) -> None:
    """Write the checksum of every file below a folder, as `sha256sum --check` reads them."""
    lines = [f"{_sha256(path)}  {name}" for name, path in _files(folder).items()]
    (folder / SUMS_FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def changed_files(folder: Path) -> list[tuple[str, str]]:
    """Return each file below a folder that its checksums do not know so, and what is wrong.

    Raises:
        DataError: If there are no checksums.
    """
    try:
        lines = (folder / SUMS_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{SUMS_FILE} cannot be read: {error}") from error
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    there = _files(folder)
    found = [(name, "missing") for name in sums.keys() - there.keys()]
    found += [(name, "not listed") for name in there.keys() - sums.keys()]
    found += [
        (name, "changed")
        for name, path in there.items()
        if sums.get(name, "") not in ("", _sha256(path))
    ]
    return sorted(found)


def _files(folder: Path) -> dict[str, Path]:
    """Return all files below a folder but its sums by their names there; links are not followed."""
    found = sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in found}
    return {name: path for name, path in names.items() if name != SUMS_FILE}


def _sha256(path: Path) -> str:
    if path.is_symlink():
        return "a link"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what a folder says that it holds.

    Raises:
        DataError: If it holds nothing that was published, or in a form of a later version.
    """
    content = _json(folder / MANIFEST_FILE)
    if not isinstance(content, dict) or content.get("kind") not in (STUDY, COMPARISON):
        raise DataError(f"{MANIFEST_FILE} does not say what was published")
    if content.get("format") != FORMAT:
        raise DataError(
            f"it is of format {content.get('format')!r}, and this version reads {FORMAT}: a later "
            "version of fakeface_bench wrote it"
        )
    return content


def study_folders(folder: Path, manifest: Mapping[str, Any]) -> list[Path]:
    """Return where the studies of a comparison lie.

    Raises:
        DataError: If it names what is no run, so that nothing outside the folder is read.
    """
    runs = manifest.get("studies")
    if not isinstance(runs, list) or not runs:
        raise DataError(f"{MANIFEST_FILE} names no study")
    for run in runs:
        if not isinstance(run, str) or not _RUN.fullmatch(run):
            raise DataError(f"{MANIFEST_FILE} names a study {run!r}, which is no MLflow run")
    return [folder / STUDIES_FOLDER / run for run in runs]


def read_published_study(folder: Path) -> PublishedStudy:
    """Read what was published of a study, and compute its metrics again.

    Raises:
        DataError: If a file is missing or damaged, or values are none that a study can have.
    """
    manifest = read_manifest(folder)
    try:
        facts = PublishedFacts(
            **{each.name: manifest[each.name] for each in fields(PublishedFacts)}
        )
        told, ledger = _json(folder / STUDY_FILE), Ledger.from_json(_json(folder / LEDGER_FILE))
        test, valid = (_scores(folder / name) for name in (TEST_SCORES_FILE, VALID_SCORES_FILE))
        scores = scored_again(_study_scores(told, test, valid))
        return PublishedStudy(
            facts=facts,
            metrics={str(k): float(v) for k, v in _json(folder / METRICS_FILE).items()},
            results=_results(folder / RESULTS_FILE),
            scores=scores,
            compared=_compared(facts, told, test, ledger),
            split_digests={str(key): str(value) for key, value in told["split_digests"].items()},
            has_model=(folder / MODEL_FOLDER / "MLmodel").is_file(),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(f"its files do not fit together: {error!r}") from error


def check_table(found: Verification) -> pd.DataFrame:
    """Return a row a check."""
    names = [each.name for each in fields(Check)]
    rows = [[getattr(each, name) for name in names] for each in found.checks]
    return pd.DataFrame(rows, columns=names)


def _compared(
    facts: PublishedFacts, told: Mapping[str, Any], test: pd.DataFrame, ledger: Ledger
) -> ComparedStudy:
    """Return what a comparison reads; no picture is there, so digests stand for their paths."""
    rows = test.assign(path=test["digest"])
    return saved_study(facts.run_id, {**told, "data_folders": {}}, rows, ledger)


def _study_scores(told: Mapping[str, Any], test: pd.DataFrame, valid: pd.DataFrame) -> StudyScores:
    (threshold, *others) = (float(value) for value in told["thresholds"].values())
    (_, *seeds) = told["thresholds"]
    unsure = UnsureBand(*told["unsure"]) if told["unsure"] else None
    baseline = told["baseline"]
    return StudyScores(
        valid=_split(valid, SCORES, threshold, unsure),
        test=_split(test, SCORES, threshold, unsure),
        further=tuple(
            _split(test, f"{SCORES}_seed_{seed}", other)
            for seed, other in zip(seeds, others, strict=True)
        ),
        baseline=baseline
        and BaselineRecord(
            str(baseline["title"]),
            *(_split(of, BASELINE_SCORES, float(baseline["threshold"])) for of in (valid, test)),
        ),
    )


def _split(
    rows: pd.DataFrame, column: str, threshold: float, unsure: UnsureBand | None = None
) -> ScoredSplit:
    texts = {name: tuple(rows[name]) if name in rows else () for name in ("digest", *_COLUMNS)}
    nothing = ("",) * len(rows)
    return ScoredSplit(
        y_true=rows["y_true"].to_numpy(np.uint8),
        y_score=rows[column].to_numpy(np.float64),
        paths=texts["digest"] or nothing,
        sources=texts["source"] or nothing,
        tiers=texts["tier"] or nothing,
        generators=texts["generator"],
        digests=texts["digest"],
        threshold=threshold,
        metrics={},
        unsure=unsure,
        has_twin=tuple(map(bool, rows[HAS_TWIN])) if HAS_TWIN in rows else (),
    )


def _scores(path: Path) -> pd.DataFrame:
    try:
        rows = pd.read_parquet(path)
    except Exception as error:  # whatever a damaged file makes pyarrow raise
        raise DataError(f"{path.name} cannot be read: {error}") from error
    if not 2 <= len(rows) <= _MAX_IMAGES or set(rows["y_true"]) != {0, 1}:
        raise DataError(f"{path.name} does not hold images of both classes")
    for name in rows.columns[rows.columns.str.startswith(SCORES)]:
        values = rows[name].to_numpy(np.float64)
        if not ((values >= 0) & (values <= 1)).all():
            raise DataError(f"{path.name} holds scores in {name} that are no probabilities")
    return rows


def _results(path: Path) -> dict[tuple[str, str], float]:
    try:
        table = pd.read_csv(path, index_col="metric")
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read: {error}") from error
    return {
        (str(metric), str(column)): float(value)
        for column in table
        for metric, value in table[column].dropna().items()
    }


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read: {error}") from error
