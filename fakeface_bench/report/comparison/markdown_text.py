"""A comparison in markdown: for its MLflow run's description, and the whole leaderboard."""

from collections.abc import Sequence

from fakeface_bench.records import LeftOut
from fakeface_bench.report.comparison.comparison import Comparison
from fakeface_bench.report.comparison.rows import (
    STEPS_HEADER,
    cost_rows,
    leaderboard_rows,
    quality_rows,
    step_rows,
    unmeasured_told,
)
from fakeface_bench.report.comparison.units import listed, sentence_end
from fakeface_bench.report.comparison.verdict import verdict_of, warnings_of
from fakeface_bench.report.markdown import escaped, table
from fakeface_bench.report.wording import prose
from fakeface_bench.visible import elided

#: MLflow shows this much of a description.
MOST_CHARACTERS = 5000
#: How many rows each list may have, tried in turn until the text is short enough.
_CUTS = (40, 20, 15, 10, 7, 5, 3, 2, 1)
_LONGEST_SENTENCE = 240
_STEP_COLUMNS = (0, 1, 2, 4, 5, 8)


def comparison_markdown(comparison: Comparison) -> str:
    """Return warnings, paragraph, leaderboard, steps and what was left out, names escaped.

    Lists are cut so that the whole stays under 5,000 characters; a line says where the rest is.
    """
    texts = (_cut(comparison, most) for most in _CUTS)
    return next((text for text in texts if len(text) < MOST_CHARACTERS), _shortest(comparison))


def leaderboard_markdown(comparison: Comparison) -> str:
    """Return the whole leaderboard: figures and costs, times to target, sizes and speeds."""
    verdict = verdict_of(comparison)
    parts = [
        f"# Leaderboard (n = {comparison.images:,} test images)",
        f"**{escaped(verdict.headline)}.**",
        escaped(verdict.paragraph),
        table(*quality_rows(comparison)),
        "## Time to validation ROC AUC, size and speed",
        table(*cost_rows(comparison)),
        *(f"- {escaped(line)}" for line in unmeasured_told(comparison)),
    ]
    return "\n\n".join(parts) + "\n"


def _cut(comparison: Comparison, most: int) -> str:
    header, rows = leaderboard_rows(comparison)
    verdict = verdict_of(comparison)
    parts = [
        *_warnings(comparison, most),
        f"**{escaped(verdict.headline)}.**",
        escaped(verdict.paragraph),
        f"### Leaderboard (n = {comparison.images:,} test images)",
        table(header, rows[:most]),
        *_more(len(rows) - most, "leaderboard.csv"),
        *_steps(comparison, most),
        *_left_out(comparison.left_out, most),
    ]
    return "\n\n".join(parts) + "\n"


def _shortest(comparison: Comparison) -> str:
    """Return the paragraph alone, for names so long that nothing else fits."""
    text = escaped(verdict_of(comparison).paragraph)
    return f"{prose(text, MOST_CHARACTERS - 100)}\n\nThe rest is in report.html.\n"


def _warnings(comparison: Comparison, most: int) -> list[str]:
    found = warnings_of(comparison)
    lines = [
        f"**{escaped(f'{listed(labels)}: {prose(warning, _LONGEST_SENTENCE)}')}**"
        for warning, labels in list(found.items())[:most]
    ]
    return [*lines, *_more(len(found) - most, "report.html")]


def _steps(comparison: Comparison, most: int) -> list[str]:
    if not comparison.steps:
        return []
    rows = [tuple(row[n] for n in _STEP_COLUMNS) for row in step_rows(comparison.steps)]
    header = tuple(STEPS_HEADER[n] for n in _STEP_COLUMNS)
    more = _more(len(rows) - most, "steps.csv")
    return ["### Steps along the front", table(header, rows[:most]), *more]


def _left_out(left_out: Sequence[LeftOut], most: int) -> list[str]:
    if not left_out:
        return []
    lines = [
        f"- {escaped(elided(study.name, 80))}: "
        f"{escaped(sentence_end(prose(study.reason, _LONGEST_SENTENCE)))}"
        for study in left_out[:most]
    ]
    return ["### Left out", "\n".join(lines), *_more(len(left_out) - most, "report.html")]


def _more(number: int, file: str) -> list[str]:
    return [f"{number} more in {file}."] if number > 0 else []
