"""A trained model in a session: what it says of pictures, as a table."""

from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakeface_bench.api.guest import as_guest
from fakeface_bench.records.explanation import Prediction
from fakeface_bench.support.errors import DataError, UsageError

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

    from fakeface_bench.serving.classifier import FaceClassifier, Verdict


class Detector:
    """A trained model, loaded.

    Attributes:
        name: As it was asked for: an address in the registry, the id of a run, a folder.
    """

    def __init__(self, name: str, classifier: "FaceClassifier") -> None:
        self.name = name
        self._classifier = classifier

    @property
    def threshold(self) -> float:
        """Probability from which a picture is predicted fake."""
        return self._classifier.facts.threshold

    @property
    def image_size(self) -> int:
        """Side of the network's input in pixels."""
        return self._classifier.facts.image_size_px

    @property
    def version(self) -> str:
        """Version in the registry, else MLflow's id of the model."""
        return self._classifier.version

    def predict(self, pictures: Any) -> "pd.DataFrame":
        """Say of each picture whether it is real or fake.

        Args:
            pictures: A file, folder or quoted pattern, several of them, or pictures in memory:
                PIL images, or uint8 arrays of shape (height, width, 3), 0 to 255.

        Returns:
            A row a picture: `path` (of pictures in memory their number), `label`,
            `probability_fake` (0 to 1), `threshold`, `unsure`, `model_version`, and `error` where
            it could not be read.

        Raises:
            UsageError: If a file or pattern finds nothing, or something is no picture at all.
        """
        if hasattr(pictures, "columns"):
            raise UsageError("pictures is a table: give its column of files, table['path'].")
        given = [pictures] if _is_one(pictures) else list(pictures)
        if given and not isinstance(given[0], (str, Path)):
            return _table(map(_numbered, enumerate(self._classifier.classify(given, _as_picture))))
        from fakeface_bench.api.progress import Silent
        from fakeface_bench.data.listing import named_files
        from fakeface_bench.jobs.predict import predict_files

        rows: list[Prediction] = []
        files = named_files(tuple(map(str, given)))
        predict_files(self._classifier, files, rows.append, Silent())
        return _table(asdict(row) for row in rows)

    def __repr__(self) -> str:
        return f"<Detector {self.name}, threshold {self.threshold:.3f}>"


def _table(rows: Iterable[dict[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(list(rows), columns=[field.name for field in fields(Prediction)])


def _is_one(pictures: object) -> bool:
    import numpy as np
    from PIL import Image

    is_array = isinstance(pictures, np.ndarray) and pictures.ndim <= 3
    return is_array or isinstance(pictures, (str, Path, Image.Image))


def _numbered(place: tuple[int, "Verdict"]) -> dict[str, Any]:
    number, verdict = place
    return {"path": str(number), **asdict(verdict)}


def _as_picture(given: Any) -> "Image.Image":
    """Return a picture in memory as files are decoded: upright, RGB."""
    import numpy as np
    from PIL import Image

    from fakeface_bench.data.decode import check_shape, upright_rgb

    if isinstance(given, np.ndarray):
        if given.dtype != np.uint8 or given.ndim != 3 or given.shape[2] != 3:
            raise DataError(
                f"an array of {given.dtype} and shape {given.shape}, where uint8 (height, width, "
                "3) is needed"
            )
        given = Image.fromarray(given)
    if not isinstance(given, Image.Image):
        raise UsageError(
            f"{type(given).__name__} is no picture: give files, PIL images or uint8 arrays."
        )
    try:
        check_shape(given)
        return upright_rgb(given)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # a broken picture makes Pillow raise nearly anything
        raise DataError(f"not a readable image: {error}") from error


def load_detector(model: str, *, allow_unsafe_model: bool = False) -> Detector:
    """Load a trained model.

    Args:
        model: `models:/NAME@champion`, the id of a study's run, or a folder.
        allow_unsafe_model: Load a model too that could run code of its author.

    Raises:
        UsageError: If there is no such model.
        ModelError: If it is damaged, or would run code.

    Example:
        >>> detector = load_detector(study.run_id)  # doctest: +SKIP
        >>> detector.predict("photos/*.jpg")  # doctest: +SKIP
    """
    with as_guest():
        return Detector(model, classifier_named(model, allow_unsafe_model))


def classifier_named(model: str, allow_unsafe: bool) -> "FaceClassifier":
    """Fetch a model by its address, run or folder, and load it."""
    from fakeface_bench.tracking.model_source import fetched_model

    with fetched_model(model, allow_unsafe) as folder:
        from fakeface_bench.support.machine import start_tensorflow

        start_tensorflow()
        from fakeface_bench.jobs.predict import load_classifier

        return load_classifier(folder, safe=not allow_unsafe)
