"""What stands between Kaggle and a dataset's folder, in words, each with a way round it."""

from fakeface_bench.data.dataset import Dataset
from fakeface_bench.errors import DataError

_REFUSALS = {
    401: "Kaggle wants to know who asks (401): set KAGGLE_API_TOKEN or put kaggle.json in place",
    403: "Kaggle refuses it (403): sign in with KAGGLE_API_TOKEN or kaggle.json, and accept the "
    "terms on the dataset's page",
    404: "Kaggle has no such dataset any more (404)",
}
#: Found in what requests raises, in this order, and said instead of it.
_CONNECTION_WORDS = {
    "NameResolutionError": "its name cannot be resolved",
    "ProxyError": "the proxy does not let it through",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted",
    "timed out": "no answer in time",
    "refused": "connection refused",
    "IncompleteRead": "connection cut",
    "Connection broken": "connection cut",
    "Connection aborted": "connection cut",
    "JSONDecodeError": "the answer was not Kaggle's",
}
#: HTTP statuses that another attempt may not meet.
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


def connection_obstacle(row: Dataset, error: Exception) -> str:
    """Say in a few words why the connection failed, where another attempt may help.

    Args:
        row: What was asked for.
        error: What requests raised.

    Raises:
        DataError: If no other attempt would end otherwise: Kaggle refuses.
    """
    response = getattr(error, "response", None)
    if response is None:
        seen = repr(error)
        words = (words for sign, words in _CONNECTION_WORDS.items() if sign in seen)
        return next(words, type(error).__name__)
    status = response.status_code
    if status in _PASSING:
        return f"HTTP status {status}"
    said = _REFUSALS.get(status, f"Kaggle answered with HTTP status {status}")
    raise DataError(f"{row.key} cannot be fetched: {said}. {by_hand(row)}") from error


def damaged(row: Dataset, why: str) -> DataError:
    """Say that an archive was damaged and is gone, so that the next attempt is a fresh one."""
    return DataError(
        f"the archive of {row.key} arrived damaged ({' '.join(why.split())}) and was removed; "
        f"the same command fetches it anew. {by_hand(row)}"
    )


def by_hand(row: Dataset) -> str:
    """Say how to do without the download."""
    return (
        f"By hand: download it from {row.url}, unpack it and pass the folder: "
        "-P data=path/to/folder"
    )
