"""What a logged model does when MLflow loads it: pictures in, a table of verdicts out.

MLflow keeps this file with each model and runs it (models from code), so it holds no state of the
study; what it imports of this package lies beside it (`tracking.logged_model`).
"""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from fakeface_bench.support.backend import settle_keras

settle_keras()  # what follows imports Keras

from fakeface_bench.serving.classifier import FaceClassifier, Verdict  # noqa: E402
from fakeface_bench.serving.pictures import PixelBudget, read_picture  # noqa: E402
from fakeface_bench.support.errors import DataError, NotAnImageError  # noqa: E402
from fakeface_bench.tracking.model_files import DETECTOR, model_version  # noqa: E402

COLUMN = "image"


class Refusal(MlflowException):  # type: ignore[misc]  # MLflow has no types
    """Refuses a call; a server answers 400 with these words, and them alone.

    MLflow's server would put the whole request before them.
    """

    def __init__(self, words: str) -> None:
        self._words = words
        super().__init__(words, error_code=INVALID_PARAMETER_VALUE)

    @property
    def message(self) -> str:
        """Why, and what is taken."""
        return self._words

    @message.setter
    def message(self, words: str) -> None:
        """Keep the words, whatever MLflow puts before them."""


class ServedDetector(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # MLflow has no types
    """A detector behind MLflow's interface, whose requests cannot make it read or fetch anything.

    Settings, which a loader of the model may change (`model_config`) and a request may not:
    `allow_paths` takes `pathlib.Path` objects as pictures; `max_images`, `max_megabytes` (of files,
    as they come) and `max_megapixels` (decoded) bound one call.
    """

    def load_context(self, context: Any) -> None:
        """Load the network and get it ready to answer at once."""
        folder = Path(context.artifacts[DETECTOR])
        settings = context.model_config
        self._read = partial(read_picture, allow_paths=bool(settings["allow_paths"]))
        self._megapixels = float(settings["max_megapixels"])
        self._max_images = int(settings["max_images"])
        self._max_bytes = round(float(settings["max_megabytes"]) * 1e6)
        self._classifier = FaceClassifier.load(folder, model_version(folder.parents[1]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return one row a picture: the fields of `Verdict`.

        Args:
            model_input: Column `image`: bytes, base64 text or uint8 arrays.
        """
        pictures = _pictures(model_input)
        self._check_size(pictures)
        if not pictures:
            raise Refusal("not one image was given: the call is empty.")
        read = partial(self._read, admit=PixelBudget(self._megapixels).admit)
        verdicts = list(self._classifier.classify(pictures, read))
        none_read = all(verdict.error for verdict in verdicts)
        if none_read and all(map(self._is_no_image, pictures)):
            raise Refusal(f"not one image was given. The first: {verdicts[0].error}")
        return _table(verdicts)

    def _check_size(self, pictures: Sequence[object]) -> None:
        if len(pictures) > self._max_images:
            raise Refusal(
                f"{len(pictures):,} images in one call; at most {self._max_images:,} are taken "
                "(the setting max_images)."
            )
        size = sum(map(_bytes_of, pictures))
        if size > self._max_bytes:
            raise Refusal(
                f"{size / 1e6:,.1f} MB of images in one call; at most {self._max_bytes / 1e6:g} "
                "are taken (the setting max_megabytes)."
            )

    def _is_no_image(self, picture: object) -> bool:
        """Tell what never was a picture from one that is damaged."""
        try:
            self._read(picture)
        except NotAnImageError:
            return True
        except DataError:
            return False
        return False


def _table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Lay verdicts out; None stays None, for JSON has no NaN."""
    rows = pd.DataFrame(verdicts, columns=list(Verdict.__slots__), dtype=object)
    if any(verdict.error for verdict in verdicts):
        return rows
    return rows.astype({"probability_fake": float, "threshold": float, "unsure": bool})


def _pictures(given: pd.DataFrame) -> list[object]:
    """Return the cells; MLflow leaves a JSON request's list as one cell, or in place of a table."""
    if COLUMN not in given:
        raise Refusal(f"the table has no column {COLUMN!r}")
    cells = list(given[COLUMN])
    if len(cells) == 1 and isinstance(cells[0], list):
        (cells,) = cells
    return [None if cell is pd.NA or _is_nan(cell) else cell for cell in cells]


def _is_nan(cell: object) -> bool:
    """Whether a cell is what pandas puts in place of nothing."""
    return isinstance(cell, float) and math.isnan(cell)


def _bytes_of(picture: object) -> int:
    if isinstance(picture, str | bytes | bytearray):
        return len(picture)
    return int(getattr(picture, "nbytes", 0))


mlflow.models.set_model(ServedDetector())
