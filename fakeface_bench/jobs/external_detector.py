"""A detector of others, opened to be tested as any finished model is: as it is, never fitted."""

from dataclasses import dataclass
from pathlib import Path

from fakeface_bench.backbones.detector_file import DetectorDescription, described
from fakeface_bench.backbones.file_facts import FileFacts
from fakeface_bench.data.seen import SeenImages, seen_in
from fakeface_bench.data.sources import check_data, prepare_sources, source_names
from fakeface_bench.data.survey import survey_sources
from fakeface_bench.features.external import (
    ExternalDetector,
    Forward,
    Reading,
    function_forward,
    keras_forward,
    onnx_forward,
)
from fakeface_bench.records.transfer import TrainedModel
from fakeface_bench.serving.classifier import DetectorFacts, FaceClassifier
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking.model_source import array_facts, array_function


@dataclass(frozen=True)
class External:
    """A detector of others, and the images that it is said to have been trained on."""

    model: TrainedModel
    classifier: FaceClassifier
    seen: SeenImages


def open_external_file(name: str, file: DetectorDescription, progress: Progress) -> External:
    """Open a Keras or ONNX file."""
    if file.path.suffix.lower() == ".onnx":
        forward = onnx_forward(file.path, file.output, file.image_size, file.channels_first)
    else:
        forward = keras_forward(file.path)
    return _opened(name, file.path.name, file, forward, progress)


def open_external_model(name: str, folder: Path, description: str, progress: Progress) -> External:
    """Open an MLflow model of any flavour that takes arrays.

    Args:
        folder: Of the model, wherever it was fetched from.

    Raises:
        UsageError: If what it takes or gives is not known.
        ModelError: If the library that it needs is missing, or fails.
    """
    try:
        side, channels_first = array_facts(folder)
        facts = FileFacts(side=side, channels_first=channels_first)
        file = described(folder, facts, description)
    except UsageError as error:
        raise UsageError(f"model {name!r} cannot be used: {error}.") from error
    forward = function_forward(
        array_function(folder), file.output, file.channels_first, folder.name
    )
    return _opened(name, name, file, forward, progress)


def _opened(
    address: str, label: str, file: DetectorDescription, forward: Forward, progress: Progress
) -> External:
    reading = Reading(file.pixels, file.bgr, file.fake, file.scores)
    facts = DetectorFacts(file.image_size, file.fit, file.threshold)
    engine = ExternalDetector(forward, reading, label)
    seen, names = _said_to_be_seen(file.trained_on, progress)
    progress.say(_said(label, file))
    model = TrainedModel(
        label=label,
        address=address,
        run_id="",
        data=names or "unknown images",
        kinds={},
        threshold=file.threshold,
        images_seen=len(seen) if file.trained_on else None,
        external=True,
    )
    return External(model, FaceClassifier(None, facts, "", engine), seen)


def _said_to_be_seen(data: str, progress: Progress) -> tuple[SeenImages, str]:
    """Return the images of datasets, less their official test splits, and the datasets' names."""
    if not data:
        return SeenImages.none(), ""
    check_data(data)
    survey = survey_sources(prepare_sources(data, progress), progress, one_class=True)
    return seen_in(survey.files), "+".join(source_names(data))


def _said(label: str, file: DetectorDescription) -> str:
    black, white = file.pixels
    alike = len({*black}) == len({*white}) == 1
    shown = f"{black[0]:g} to {white[0]:g}" if alike else f"{black} to {white}"
    fake = f"score {file.fake}" if file.fake > 1 else ("high" if file.fake else "low")
    return (
        f"{label}: {file.image_size} px ({file.fit}), {'BGR' if file.bgr else 'RGB'}, pixels "
        f"{shown}; {file.scores}, fake is {fake}, threshold {file.threshold:g}; trained on "
        f"{file.trained_on or 'images that are not known'}"
    )
