"""What both pages share: tables from rows, terms explained."""

from collections.abc import Sequence
from typing import Any

from fakeface_bench.records import LeftOut, SetScores
from fakeface_bench.report.comparison.units import UNKNOWN, sentence_end
from fakeface_bench.report.page import PageTable, page_environment
from fakeface_bench.report.transfer.effect_rows import overlap_rows
from fakeface_bench.report.transfer.rows import Table
from fakeface_bench.report.transfer.told import named
from fakeface_bench.report.wording import counted, prose
from fakeface_bench.visible import elided

_PACKAGE = "fakeface_bench.report.transfer"
_LONGEST_REASON = 300
#: Columns that hold words; all others are aligned to the right.
_WORDS = frozenset(
    ("model", "trained on", "tested on", "part", "in place of", "dataset", "left out of training")
)
_TERMS = (
    ("95 % interval", "Of accuracy, recall and false alarms the Wilson interval; of the rest the "
     "middle 95 % of 1,000 stratified bootstrap resamples of the test images. It covers the draw "
     "of images alone: neither another training run nor another dataset. Where every resample "
     "agrees, as where no pair is misordered, it shrinks to a point: that is the method's limit, "
     "not certainty."),
    ("ROC AUC", "How often a fake scores higher than a real image, whatever the threshold: 0.5 is "
     "chance, below it the classes are ranked the wrong way round."),
    ("Not shown", "These images do not tell the two apart well enough. It is not proof that they "
     "are equal; the interval says how far apart they may be."),
    ("Own threshold", "The score from which the model calls an image fake, chosen on validation "
     "images of what it was trained on. Nothing is chosen on a test set."),
    ("Threshold off", "The ranking is better than chance, yet the threshold does not suit the set: "
     "calls are not shown to beat chance, or recall or false alarms are far (shown, and 0.1 or "
     "more) from those on the model's own test split, while another threshold would tell the "
     "classes apart better by 0.1 or more in recall less false alarms."),
    ("False alarms", "Share of the real images that are called fake."),
    ("Found at 1 % (5 %)", "Share of fakes found at the lowest threshold with at most 1 % (5 %) "
     "false alarms; also TPR at FPR. It hangs on no model's threshold. With fewer than 100 (20) "
     "real images no false alarm at all is allowed."),
    ("Metadata alone", "The shortcut floor: cross-validated ROC AUC of a small classifier that "
     "sees file sizes, dimensions and formats of the test set and not one pixel. A model that is "
     "not shown to be above it may owe its score to such traces."),
    ("Kind", "How fakes were made, as the catalogue of datasets states. Another kind is context: "
     "it does not prove why a figure is low, for a set's real images differ too."),
    ("Left out", "Test images that the model saw in training or validation, or copies of them: "
     "identical files, and pictures that look the same re-encoded, scaled or mirrored."),
)  # fmt: skip


def render(template: str, **content: Any) -> str:
    """Fill a template of this package."""
    return page_environment(_PACKAGE).get_template(template).render(terms=_TERMS, **content)


def page_table(title: str, table: Table, note: str = "") -> PageTable:
    """Lay out rows for a page: words to the left, figures to the right."""
    header, rows = table
    numbers = frozenset(place for place, name in enumerate(header) if name not in _WORDS)
    cells = tuple(tuple(map(_breakable_once, row)) for row in rows)
    heads = tuple(name[0].upper() + name[1:] for name in header)
    return PageTable(title, heads, cells, numbers, note=note, name=title or "Figures")


def overlap_table(cells: Sequence[SetScores]) -> PageTable:
    """Return the images left out of each set; in words where there is none."""
    table = overlap_rows(cells)
    none = "No test image was seen in training, and none looks like one that was."
    return page_table("", table, "" if table[1] else none)


def failed_table(left_out: Sequence[LeftOut]) -> PageTable:
    """Return the studies that failed, and why."""
    rows = tuple(
        (
            named(out.name),
            sentence_end(prose(out.reason, _LONGEST_REASON)),
            elided(out.run_id) or UNKNOWN,
        )
        for out in left_out
    )
    long = frozenset({0, 1, 2})
    return PageTable("", ("Study", "Why", "Run"), rows, long=long, name="Studies that failed")


def images_figure(cells: Sequence[SetScores]) -> tuple[str, str, str]:
    """Return the key figure of images scored, and of those left out."""
    seen = sum(cell.overlap.images for cell in cells)
    scored = sum(cell.images for cell in cells)
    return f"{scored:,}", "images scored, over all sets", f"{counted(seen, 'image')} left out"


def _breakable_once(text: str) -> str:
    """Let a figure break before its bracket alone, and counts between the classes."""
    figure, bracket, rest = text.partition(" (")
    fixed = "\N{NO-BREAK SPACE}"
    if " to " in rest:
        return figure + bracket + rest.replace(" to ", f"{fixed}to{fixed}")
    return text.replace(" real", f"{fixed}real").replace(" fake", f"{fixed}fake")
