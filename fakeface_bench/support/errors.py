"""What can go wrong by a user's hand, each said in one line: what arrived, what to do."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

#: Exit code of a process that was interrupted: 128 and SIGINT's number.
INTERRUPTED = 130
#: Exit code of a command that did its work, but for files that could not be read.
SOME_UNREADABLE = 3
#: Exit code of a job that is finished, but for what its MLflow server is still to be sent.
UNSENT = 4
#: Exit code of a check of published results that found a difference.
DIFFERENT = 5
#: Of what a library says of a failure, within an error of ours.
_LONGEST_REASON = 300
_ELLIPSIS = "…"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z'`])")


class FakefaceError(Exception):
    """A mistake or an obstacle a user can fix; shown without a traceback.

    Attributes:
        exit_code: Exit code of the process, 1 unless a subclass says otherwise.
    """

    exit_code = 1


class UsageError(FakefaceError):
    """A value that is not among, or not within, what is allowed."""

    exit_code = 2


class DataError(FakefaceError):
    """A dataset that cannot be read as one of real and fake faces."""


class NotAnImageError(DataError):
    """What was given in place of a picture is none at all, not even a damaged one."""


class WeightsError(FakefaceError):
    """Backbone weights that cannot be had, or do not fit the architecture."""


class StudyError(FakefaceError):
    """A study that cannot go on: another definition under its name, or trials that all fail."""


class OutageError(StudyError):
    """A store that fails whatever is asked of it: nothing that is tried there is to blame."""


class StorageError(OutageError):
    """The study's own storage fails, so that nothing more can be written down."""


class UnsentError(OutageError):
    """A job is finished, and what its MLflow server did not take is kept for it."""

    exit_code = UNSENT


class ClusterError(FakefaceError):
    """A cluster that cannot be had or used, or a worker of it that failed."""


class WorkerDiedError(ClusterError):
    """Process after process has died over one unit of work."""


class ModelError(FakefaceError):
    """A model, or the registry that holds it, that does not do what is asked of it."""


class DiskError(FakefaceError):
    """A folder that cannot be written to: its disk is full, or it may only be read."""


class StopTrial(Exception):
    """Raised by who watches a trial: it ends as pruned."""


class StopSearch(Exception):
    """Raised by who watches a trial: it ends as pruned, if it still runs, and none begins after."""


class ListenerError(Exception):
    """Who watches a trial has failed, which says nothing of the trial.

    Attributes:
        error: What it raised.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.error = error


def shortened(reason: object, most: int = _LONGEST_REASON) -> str:
    """Return what somebody says on one line, and no more of it: some quote a page.

    Words stay whole, and so does the last sentence, which says what to do; `…` stands for what is
    left out before it. Where that sentence alone is too long, its beginning is kept.

    Args:
        most: Characters of the result, at least 20.
    """
    said = " ".join(str(reason).split())
    if len(said) <= most:
        return said
    last = _SENTENCE_END.split(said)[-1]
    room = most - len(last) - 3
    if room < most // 4:
        return f"{_whole_words(said, most - 2)} {_ELLIPSIS}"
    return f"{_whole_words(said, room)} {_ELLIPSIS} {last}"


def _whole_words(text: str, most: int) -> str:
    """Return the beginning of a text, cut between words; one without any is cut where it is."""
    head = text[: most + 1].rpartition(" ")[0]
    return head or text[:most]


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Say which `kind` was asked for, the nearest ones there are, and how to list them."""
    known = sorted(known)
    near = get_close_matches(name.lower().replace("-", "_"), known, n=3, cutoff=0.5)
    hint = (
        f"; did you mean {' or '.join(map(repr, near))}?"
        if near
        else f"; there is {', '.join(known)}."
    )
    return UsageError(f"no {kind} {name!r}{hint} 'fakeface-bench list' shows all.")
