"""Where a model comes from, so that its card can say it and somebody else can make it again."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelOrigin:
    """What a study knows of its model besides its results.

    Attributes:
        run_id: MLflow run of the study.
        digest: Of the dataset: SHA-256 over contents and labels.
        test_digest: Likewise of its test split.
        kinds: How the fakes of each source were made, by its name; absent where not known.
        image_size_px: Side of the network's input.
        fit: How a picture meets it, one of `config.FITS`.
        calibrated: Whether probabilities went through Platt's map; else the loss calibrates them.
        command: Runs the study again.
        versions: Of Python and the libraries, by name.
    """

    run_id: str
    digest: str
    test_digest: str
    kinds: Mapping[str, str]
    image_size_px: int
    fit: str
    calibrated: bool
    command: str
    versions: Mapping[str, str]
