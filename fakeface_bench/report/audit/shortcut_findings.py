"""Sentences on the shortcut: how well file metadata alone tell the classes apart."""

from collections.abc import Iterator

from fakeface_bench.data.audit import Audit
from fakeface_bench.records import ShortcutFloor
from fakeface_bench.report.audit.finding import Finding, listed
from fakeface_bench.report.audit.tables import strongest_first
from fakeface_bench.visible import elided

#: From here on metadata discriminates "acceptably" and "outstandingly": Hosmer, Lemeshow &
#: Sturdivant (2013), "Applied logistic regression", chapter 5.
CLEAR, STRONG = 0.7, 0.9
#: Below it a shortcut, however sure, is too small to speak in a verdict.
SLIGHT = 0.55
#: An interval that wide leaves room for a shortcut worth knowing.
_WIDE = 0.1
#: Of a source's name in a sentence.
_LONGEST_SOURCE = 40
_BELOW_CHANCE = "below chance: not interpretable"


def shortcut_findings(audit: Audit) -> Iterator[Finding]:
    """Yield what is to be said of a classifier that sees no pixel: of the whole, of each source."""
    floor = audit.floor
    if floor is None:
        yield Finding("note", "There are too few images to measure what file metadata gives away.")
    else:
        yield from _of_all(floor)
    names = {source: elided(source, _LONGEST_SOURCE) for source in audit.folders}
    measured = [source for source in names if source in audit.source_floors]
    yield from (_of_source(names[source], audit.source_floors[source]) for source in measured)
    if measured and (few := [names[source] for source in names if source not in measured]):
        yield Finding("note", f"Too few images to measure alone: {listed(few)}.")


def reserve(floor: ShortcutFloor | None) -> str:
    """Say what a verdict cannot tell of shortcuts; empty where the floor was measured well."""
    if floor is None:
        return "; shortcuts were not measured"
    if floor.high_95 < 0.5:
        return "; the shortcut measured is below chance"
    return ""


def _of_all(floor: ShortcutFloor) -> Iterator[Finding]:
    text = (
        "A classifier that sees only file metadata tells the classes apart with ROC AUC "
        f"{_figure(floor.roc_auc)} (95 % over cross-validation folds {_interval(floor)}; "
        f"{floor.images:,} pictures): "
    )
    if floor.low_95 > 0.5:
        strongest = strongest_first(floor)[:1]
        alone = "".join(f"; strongest alone: {name}, {_figure(of)}" for name, of in strongest)
        meaning = "better than chance, so a test ROC AUC must be read against it"
        yield _shortcut(floor, f"{text}{meaning}{alone}.")
    elif floor.high_95 < 0.5:
        yield Finding("note", f"{text}{_BELOW_CHANCE}.")
    else:
        yield Finding("good", f"{text}not better than chance.")
        if floor.high_95 - floor.low_95 > _WIDE:
            room = f"a shortcut of up to ROC AUC {_figure(floor.high_95)}"
            yield Finding("note", f"So wide an interval leaves room for {room}.")


def _of_source(name: str, floor: ShortcutFloor) -> Finding:
    text = f"{name} alone: {_figure(floor.roc_auc)} ({_interval(floor)})"
    if floor.low_95 > 0.5:
        return _shortcut(floor, f"{text}, better than chance.", f" in {name}")
    if floor.high_95 < 0.5:
        return Finding("note", f"{text}, {_BELOW_CHANCE}.")
    return Finding("good", f"{text}, not better than chance.")


def _shortcut(floor: ShortcutFloor, text: str, where: str = "") -> Finding:
    size = next(
        word
        for limit, word in ((STRONG, "strong "), (CLEAR, ""), (0.0, "slight "))
        if floor.roc_auc >= limit
    )
    if floor.roc_auc < SLIGHT:
        return Finding("note", text)
    told = _figure(floor.roc_auc)
    verdict = f"A {size}shortcut{where}: file metadata alone reaches ROC AUC {told}"
    if floor.roc_auc < STRONG:
        return Finding("care", text, verdict)
    advice = "Bring both classes through one encoder, at one size, before a study."
    return Finding("bad", text if where else f"{text} {advice}", verdict)


def _interval(floor: ShortcutFloor) -> str:
    return f"{_figure(floor.low_95)} to {_figure(floor.high_95)}"


def _figure(value: float) -> str:
    """Show two decimals, or three where two would hide on which side of chance it lies."""
    return f"{value:.2f}" if f"{value:.2f}" != "0.50" or value == 0.5 else f"{value:.3f}"
