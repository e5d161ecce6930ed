"""A study as files that others can check: written without pictures and places, and read back.

A published study is a folder: `publication.json` says what it is, `metrics.json`, `results.csv` and
`cost_ledger.json` what it claims, `test_scores.parquet` and `valid_scores.parquet` what that
follows from, image by image, and `SHA256SUMS` that nothing was changed since.
"""

import hashlib
import json
import re
import shutil
import stat
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any
from zipfile import ZipFile, is_zipfile

import numpy as np
import pandas as pd
from pyarrow.parquet import ParquetFile

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
    score_column,
    write_json,
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
#: Of why a trial failed: the kind of error; the rest may name a picture.
_KIND_OF_ERROR = r"^(\w+(?:Error|Exception|Interrupt))"
#: What MLflow calls a run.
_RUN = re.compile(r"[0-9a-f]{32}")
#: Hexadecimal digits of an image's SHA-256 that are published: half of them tell images apart.
DIGEST_DIGITS = 32
#: Columns of images that metrics are told by.
_COLUMNS = ("source", "generator", "tier")
#: Of a file outside the model, and of a split.
_MOST_BYTES, _MOST_IMAGES = 500_000_000, 5_000_000
#: What goes wrong in reading values that no study has.
MISFITS = (
    *(KeyError, TypeError, ValueError, AttributeError, IndexError),
    *(ArithmeticError, RecursionError),
)


def write_published_study(
    facts: PublishedFacts,
    metrics: Mapping[str, float],
    saved: Path,
    folder: Path,
    places: Iterable[str] = (),
) -> set[str]:
    """Write what is published of a study, but for page, model and sums.

    Args:
        saved: Holds `NEEDED_FILES`, as the study's run does.
        folder: Is made.
        places: Paths of the author's machine, beside those that the study's files name.

    Returns:
        The paths that the study's files name.

    Raises:
        DataError: If the study was run by a version that did not keep what is needed.
    """
    told = json.loads((saved / STUDY_FILE).read_text(encoding="utf-8"))
    folders = set(told.pop("data_folders", {}).values())
    hidden = {*places, *folders}
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
    for name in (RESULTS_FILE, ENVIRONMENT_FILE):
        shutil.copy(saved / name, folder)
    card = (saved / CARD_FILE).read_text(encoding="utf-8")
    (folder / CARD_FILE).write_text(hide_places(card, hidden), encoding="utf-8")
    trials = pd.read_csv(saved / TRIALS_FILE)
    trials["reason"] = trials["reason"].astype("str").str.extract(_KIND_OF_ERROR, expand=False)
    trials.to_csv(folder / Path(TRIALS_FILE).name, index=False)
    for name, frame in frames.items():
        _write_scores(frame, folder / name, with_digests=name == TEST_SCORES_FILE)
    return folders


def _without_places(content: Any, places: Iterable[str]) -> Any:
    if isinstance(content, str):
        return hide_places(content, places)
    if isinstance(content, Mapping):
        return {key: _without_places(value, places) for key, value in content.items()}
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


def first_private(folder: Path, places: Iterable[str]) -> str:
    """Return the first file below a folder that holds one of some paths, looking into archives."""
    known = [place.encode() for place in places]
    for name, path in _files(folder).items():
        contents = [path.read_bytes()]
        if is_zipfile(path):
            with ZipFile(path) as archive:
                contents = [archive.read(member) for member in archive.namelist()]
        if any(place in content for place in known for content in contents):
            return name
    return ""


def check_entries(folder: Path) -> None:
    """Refuse what is no plain file or folder, or larger than what is published, before it is read.

    Raises:
        DataError: If there is a link, a pipe or a file of more bytes than any that is published.
    """
    for path in (folder, *sorted(folder.rglob("*"))):
        status = path.lstat()
        relative = path.relative_to(folder)
        name = relative.as_posix()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise DataError(f"{name} is a link or a device, not a file")
        if MODEL_FOLDER not in relative.parts and status.st_size > _MOST_BYTES:
            raise DataError(
                f"{name} has {status.st_size:,} bytes; at most {_MOST_BYTES:,} are read"
            )


def _not_listed(name: str) -> str:
    """Say so; bytecode is code that MLflow would run, and nothing tells who wrote it."""
    if "__pycache__" in name:
        return "not listed, as Python writes it when MLflow loads the model: delete it"
    return "not listed"


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
    found += [(name, _not_listed(name)) for name in there.keys() - sums.keys()]
    found += [
        (name, "changed")
        for name, path in there.items()
        if name in sums and sums[name] != _sha256(path)
    ]
    return sorted(found)


def _files(folder: Path) -> dict[str, Path]:
    """Return all files below a folder but its sums, by their names there."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in found}
    return {name: path for name, path in names.items() if name != SUMS_FILE}


def _sha256(path: Path) -> str:
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
    if len(set(runs)) < len(runs):
        raise DataError(f"{MANIFEST_FILE} names a study twice")
    return [folder / STUDIES_FOLDER / run for run in runs]


def read_published_study(folder: Path) -> PublishedStudy:
    """Read what was published of a study, and compute its metrics again.

    Raises:
        DataError: If a file is missing or damaged, or values are none that a study can have.
    """
    manifest = read_manifest(folder)
    try:
        facts = _facts(manifest)
        told, ledger = _json(folder / STUDY_FILE), Ledger.from_json(_json(folder / LEDGER_FILE))
        test, valid = (_scores(folder / name) for name in (TEST_SCORES_FILE, VALID_SCORES_FILE))
        scores = scored_again(_study_scores(told, test, valid))
        metrics = _json(folder / METRICS_FILE).items()
        return PublishedStudy(
            facts=facts,
            metrics={str(name): float(value) for name, value in metrics},
            results=_results(folder / RESULTS_FILE),
            scores=scores,
            compared=_compared(facts, told, test, ledger),
            split_digests={str(key): str(value) for key, value in told["split_digests"].items()},
            has_model=(folder / MODEL_FOLDER / "MLmodel").is_file(),
        )
    except MISFITS as error:
        raise DataError(f"its files do not fit together: {error!r}") from error


def _facts(manifest: Mapping[str, Any]) -> PublishedFacts:
    """Return what tells a study from others; a run's id is one of MLflow's, params are texts."""
    facts = PublishedFacts(**{each.name: manifest[each.name] for each in fields(PublishedFacts)})
    texts = (getattr(facts, each.name) for each in fields(facts) if each.type is str)
    if not all(isinstance(text, str) for text in texts) or not _RUN.fullmatch(facts.run_id):
        raise DataError(f"{MANIFEST_FILE} does not say which study it is of")
    if not all(isinstance(text, str) for text in (*facts.params, *facts.params.values())):
        raise DataError(f"{MANIFEST_FILE} holds params that are no texts")
    return replace(facts, began=int(facts.began))


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
    thresholds = {seed: float(value) for seed, value in told["thresholds"].items()}
    content = {**told, "data_folders": {}, "thresholds": thresholds, "trials": int(told["trials"])}
    study = saved_study(facts.run_id, content, rows, ledger)
    if not study.epochs:
        raise DataError(f"{STUDY_FILE} holds no epoch")
    return study


def _study_scores(told: Mapping[str, Any], test: pd.DataFrame, valid: pd.DataFrame) -> StudyScores:
    (threshold, *others) = (float(value) for value in told["thresholds"].values())
    (kept, *seeds) = map(int, told["thresholds"])
    unsure = UnsureBand(*map(float, told["unsure"])) if told["unsure"] else None
    if not all(map(isfinite, (threshold, *others))):
        raise DataError(f"{STUDY_FILE} holds thresholds that are no numbers")
    baseline = told["baseline"]
    return StudyScores(
        valid=_split(valid, SCORES, threshold, unsure),
        test=_split(test, SCORES, threshold, unsure),
        further=tuple(
            _split(test, score_column(seed, kept), other)
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
        images = ParquetFile(path).metadata.num_rows
        rows = pd.read_parquet(path) if 2 <= images <= _MOST_IMAGES else pd.DataFrame()
    except Exception as error:  # whatever a damaged file makes pyarrow raise
        raise DataError(f"{path.name} cannot be read: {error}") from error
    if "y_true" not in rows or set(rows["y_true"]) != {0, 1}:
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
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path.name} cannot be read: {error}") from error
