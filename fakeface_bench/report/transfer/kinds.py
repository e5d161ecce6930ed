"""How the fakes of a test set are related to those that a model was trained on."""

from collections.abc import Iterable

from fakeface_bench.records import SetScores
from fakeface_bench.report.comparison.units import listed
from fakeface_bench.report.transfer.told import named


def kinds_clause(cell: SetScores) -> str:
    """Say how the set's fakes are related to those of training; empty where that is not known.

    A kind is what stands before the bracket: `GAN (StyleGAN)` and `GAN (StyleGAN2)` are one kind
    of two sources. It is context, not proof of a cause.
    """
    if cell.is_own:
        return ""
    if cell.is_part:
        return "held-out images of what it was trained on, a part of them"
    tested, trained = set(cell.kinds.values()), set(cell.model.kinds.values())
    if not _are_known(tested):
        return ""
    seen = {_kind(text) for text in trained if text.strip()}
    shared = [text for text in tested if _kind(text) in seen]
    if len(shared) == len(tested):
        return f"its fakes are of the same kind from another source: {_told(tested)}"
    others = _told(tested - set(shared))
    if not _are_known(trained):
        return f"its fakes are {others}; how those it was trained on were made is not known"
    if shared:
        return f"some of its fakes are of another kind of manipulation: {others}"
    return f"its fakes are {others}, another kind of manipulation than {_told(trained)}"


def _kind(text: str) -> str:
    """Return what stands before the bracket."""
    return (text.partition("(")[0].strip() or text.strip()).casefold()


def _are_known(kinds: set[str]) -> bool:
    return bool(kinds) and all(text.strip() for text in kinds)


def _told(kinds: Iterable[str]) -> str:
    return listed(sorted(map(named, kinds)))
