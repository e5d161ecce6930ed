"""What a user asks for, and what one trial tries: frozen records, the same keys everywhere."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from fakeface_bench.support.text import without_credentials

#: Positive class, whatever the alphabetical order of the folders.
FAKE = 1
REAL = 0
CLASS_NAMES = ("real", "fake")

#: How an image meets the network's input: see `data.decode.fit_image`.
FITS = ("crop", "resize")
#: What every picture passes first, real and fake alike: see `config.equalising_quality`.
UNTOUCHED = "none"
#: What weighs the same in training, however many images it has: see `features.samples`.
BALANCES = ("none", "classes", "sources")
#: What is done to training pictures: see `data.augmentations`; `search` leaves it to the trials.
AUGMENTS = ("none", "light", "strong")
SEARCHED = "search"
#: In what numbers trained layers compute: see `training.fit`; `auto` measures.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
AUTO = "auto"
#: Names the study that a comparison would take, where a run is asked for.
BEST = "best"
#: Of `HOLD_OUTS`: what leaves a matrix alone.
NOTHING = "none"
#: Digits of a digest that are shown to people.
DIGEST_DIGITS = 12
#: The layers of a backbone that are trained: see `backbones.fine_tuning`.
FROZEN = "frozen"


def listed(names: str) -> list[str]:
    """Return what is joined by commas."""
    return [part.strip() for part in names.split(",") if part.strip()]


#: Raise it with any change that alters the figures of an unchanged study.
STUDY_VERSION = 1
#: Raise it with any change of the space that is searched.
SPACE_VERSION = 1
#: The same for what trains layers under the head.
TUNING_VERSION = 1

#: All of them, as a study's run tells it.
FIGURES_VERSION = f"study {STUDY_VERSION}, space {SPACE_VERSION}, tuning {TUNING_VERSION}"


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """The head's options; the defaults are the baseline every study tries first.

    Attributes:
        features: Which maps the head reads: `last`, or `all_blocks`.
        pooling: Key of a row of `POOLINGS`.
        dropout: Rate before the output layer, 0 to 0.6.
        batch_norm: Whether the head (and a from-scratch network) normalises by batch.
        units: Width of the hidden layer; 0 for none.
        activation: Key of a row of `ACTIVATIONS`.
        loss: Key of a row of `LOSSES`.
        learning_rate: Of AdamW, on cached features; of the whole network's training where it
            starts from scratch.
        weight_decay: Of AdamW, decoupled from the loss; likewise.
        batch_size: Images per training step; likewise.
    """

    features: str = "all_blocks"
    pooling: str = "avg+std"
    dropout: float = 0.2
    batch_norm: bool = False
    units: int = 0
    activation: str = "relu"
    loss: str = "binary_crossentropy"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    batch_size: int = 64

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as in the search space."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TuningConfig:
    """How a pretrained backbone's unfrozen layers are trained, after the head alone.

    Attributes:
        learning_rate: Highest of AdamW, after the warm-up.
        weight_decay: Of AdamW, decoupled from the loss.
        batch_size: Images per training step.
    """

    learning_rate: float = 3e-4
    weight_decay: float = 1e-2
    batch_size: int = 32


@dataclass(frozen=True, slots=True)
class TrialConfig:
    """One point of the search space.

    Attributes:
        head: Options of the head.
        augment: One of `AUGMENTS`; empty where no layer under the head is trained.
        tuning: How unfrozen layers are trained; None where there are none, or nothing else.
    """

    head: HeadConfig = HeadConfig()
    augment: str = ""
    tuning: TuningConfig | None = None

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as in the search space."""
        params = self.head.as_params()
        if self.augment:
            params["augment"] = self.augment
        if self.tuning:
            params |= {f"{_TUNING}{key}": value for key, value in asdict(self.tuning).items()}
        return params

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> "TrialConfig":
        """Rebuild the record from what `as_params` returned."""
        head = {field.name: params[field.name] for field in fields(HeadConfig)}
        tuning = {
            key.removeprefix(_TUNING): value
            for key, value in params.items()
            if key.startswith(_TUNING)
        }
        return cls(
            HeadConfig(**head),
            params.get("augment", ""),
            TuningConfig(**tuning) if tuning else None,
        )


#: Tells the params of `TuningConfig` from those of the head.
_TUNING = "fine_"


#: Names the study's storage, for a process whose command line is not to show a password.
STORAGE_VARIABLE = "FAKEFACE_STORAGE"

_EQUALISE = re.compile(r"jpeg(\d{0,3})")

#: How an option is told where studies differ by it, in the order in which names hold them; what its
#: default is called.
_TOLD = {
    "limit": ("limit {}", "all images"),
    "image_size": ("{} px", "usual size"),
    "weights": ("{} weights", ""),
    "fit": ("{}d", "cropped"),
    "balance": ("balanced {}", "not balanced"),
    "batch_size": ("batches of {}", "usual batches"),
    "augment": ("augment {}", "augment searched"),
    "precision": ("{}", "precision measured"),
    "trials": ("{} trials", ""),
    "epochs": ("{} epochs", ""),
    "timeout_minutes": ("{} minutes", "no time limit"),
    "seed": ("seed {}", ""),
    "seeds": ("{} seeds", "1 seed"),
}
TOLD_OPTIONS = tuple(_TOLD)


def option_told(key: str, value: object) -> str:
    """Say an option of a study in words, as a name holds it: `limit 150`, `96 px`, `seed 3`.

    Args:
        key: One of `TOLD_OPTIONS`.
        value: As it was asked, or as a run holds it, in text.
    """
    words, usual = _TOLD[key]
    default = getattr(StudyConfig(), key)
    if isinstance(default, str):
        shown, is_default = str(value), value == default
    else:
        number = float(str(value))
        shown, is_default = f"{number:g}", number == default
    return usual if usual and is_default else words.format(shown)


def equalising_quality(equalise: str) -> int | None:
    """Return the quality of the JPEG that `equalise` names, from 1 to 100.

    0 for `jpeg`, which leaves it to the dataset, and for `none`. None for what is neither.
    """
    if equalise in (UNTOUCHED, "jpeg"):
        return 0
    found = _EQUALISE.fullmatch(equalise)
    quality = int(found[1]) if found else 0
    return quality if 1 <= quality <= 100 else None


@dataclass(frozen=True, slots=True)
class StudyConfig:
    """One study as asked for on the command line; a 0 or an empty text means "choose for me".

    Attributes:
        model: Key or alias of a row of `ARCHITECTURES`.
        data: Key of a row of `DATASETS`, or a folder; several are joined by `+`.
        classes: Names of folders, or values of a table, that mean real or fake besides the known
            ones: `real:nature,fake:ai`.
        trials: Finished trials that the study shall hold in the end, at least 1.
        epochs: Most epochs of one fit, at least 1.
        image_size: Side of the network's square input in pixels.
        batch_size: Images per step, through the backbone and in training.
        weights: `auto`, `imagenet`, `random`, or a Keras weights file.
        fit: How images meet the network's input, one of `FITS`.
        equalise: What every picture passes before anything else, real and fake alike: `jpeg`, of
            the lowest quality that is common in the dataset, so that none shows how it was kept;
            `jpeg75` and the like, of that quality; `none`.
        leave_out: Names of tiers or sources, joined by commas, whose images are not used.
        balance: What weighs the same in training, one of `BALANCES`.
        fine_tune: Which layers under the head are trained: `frozen` for none, `last_block`,
            `last_2_blocks` and so on, `all`, or a number of last layers.
        augment: What is done to the pictures that train such layers: one of `AUGMENTS`, or
            `search`.
        precision: In what numbers such layers compute: one of `PRECISIONS`, or `auto`.
        cache_gb: Disk for what trained layers read again each epoch, in 10⁹ bytes; what is
            larger is computed anew each time. 0: a quarter of the free disk, at most 20.
        limit: At most this many images per split and class.
        seed: Of the split, of random weights, of the search and of every fit.
        seeds: Fits of the winner, each with a seed of its own from `seed` on; the first is kept.
        study: Name of the study; derived from what defines its results when empty.
        storage: Optuna storage URL.
        timeout_minutes: After this time no new trial starts.
        dollars_per_hour: What the machine costs.
        register: Name under which the winner is registered; it is not when empty.
        again: Whether a study that is finished is refitted, scored and recorded anew.
    """

    model: str = "mobilenetv3"
    data: str = "synthetic"
    classes: str = ""
    trials: int = 20
    epochs: int = 10
    image_size: int = 0
    batch_size: int = 0
    weights: str = "auto"
    fit: str = "crop"
    equalise: str = UNTOUCHED
    leave_out: str = ""
    balance: str = "none"
    fine_tune: str = FROZEN
    augment: str = SEARCHED
    precision: str = AUTO
    cache_gb: float = 0.0
    limit: int = 0
    seed: int = 0
    seeds: int = 1
    study: str = ""
    storage: str = ""
    timeout_minutes: float = 0.0
    dollars_per_hour: float = 0.0
    register: str = ""
    again: bool = False

    @property
    def left_out(self) -> list[str]:
        """The tiers and sources that are left out."""
        return listed(self.leave_out)

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as on the command line."""
        return asdict(self)

    def shown_params(self) -> dict[str, Any]:
        """Return them as a run shows them: without the storage's credentials, nor `again`.

        A study asked for again is the same study.
        """
        shown = self.as_params() | {"storage": without_credentials(self.storage)}
        return {key: value for key, value in shown.items() if key != "again"}


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """One audit as asked for on the command line.

    Attributes:
        data: As in `StudyConfig`.
        classes: As in `StudyConfig`.
        seed: Of the split, where the dataset has no official one.
        output: Folder to write the report to as well; none when empty.
    """

    data: str = "synthetic"
    classes: str = ""
    seed: int = 0
    output: str = ""

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as on the command line."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CompareConfig:
    """One comparison as asked for on the command line.

    Attributes:
        data: As in `StudyConfig`, or the first digits of a dataset's digest; the dataset of the
            newest finished study when empty.
        runs: Ids of the MLflow runs of the studies to compare, joined by commas; chosen by
            dataset when empty.
        output: Folder to write the report to as well; none when empty.
        dollars_per_hour: What the machine costs, in place of what the studies were told; 0 for
            that.
    """

    data: str = ""
    runs: str = ""
    output: str = "comparison"
    dollars_per_hour: float = 0.0

    @property
    def run_ids(self) -> list[str]:
        """The runs that are named."""
        return listed(self.runs)

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as on the command line."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RegisterConfig:
    """One registration as asked for on the command line.

    Attributes:
        run: Id of the MLflow run of a study, or `best`: the cheapest finished study that a
            comparison does not show to be less accurate than the best.
        name: Of the registered model.
        data_digest: Among which studies `best` chooses: the first digits of the dataset's digest,
            or its name; those of the newest finished study's dataset when empty.
        force: Whether it becomes the champion whatever the gate says.
    """

    run: str = BEST
    name: str = "fakeface"
    data_digest: str = ""
    force: bool = False

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as on the command line."""
        return asdict(self)


#: What a suite asks of a study itself: everything else is the same for all of its studies.
OF_ONE_STUDY = ("model", "study", "register", "again")


@dataclass(frozen=True, slots=True)
class SuiteConfig:
    """One suite as asked for on the command line: a study each of several models, compared.

    Attributes:
        models: Keys or aliases of rows of `ARCHITECTURES`, joined by commas.
        output: As in `CompareConfig`.
        study: What is asked of each of them; its `weights` may be `MODEL=FILE` pairs, joined by
            commas, for models that do not share a file.
    """

    models: str = "simple_cnn,simple_cnn_pool,mobilenetv3,vgg19"
    output: str = "comparison"
    study: StudyConfig = field(default_factory=StudyConfig)

    @property
    def model_names(self) -> list[str]:
        """The models that are named."""
        return listed(self.models)

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as on the command line."""
        shared = {k: v for k, v in self.study.as_params().items() if k not in OF_ONE_STUDY}
        return {"models": self.models, "output": self.output, **shared}

    def shown_params(self) -> dict[str, Any]:
        """Return them as a run shows them: without the storage's credentials."""
        return self.as_params() | {"storage": without_credentials(self.study.storage)}


#: How predictions are told: see `cli.predictions`.
PREDICTION_FORMS = ("table", "csv", "jsonl")


@dataclass(frozen=True, slots=True)
class PredictConfig:
    """One prediction as asked for on the command line.

    Attributes:
        model: Address in the registry, id of a run, or folder of an MLflow model.
        paths: Files, folders, and patterns of them.
        format: One of `PREDICTION_FORMS`.
        output: File to write to; standard output when empty.
        allow_unsafe_model: Whether a model may hold what could run code of whoever made it.
    """

    model: str
    paths: tuple[str, ...]
    format: str = "table"
    output: str = ""
    allow_unsafe_model: bool = False


#: What is left out of training in turn.
HOLD_OUTS = (NOTHING, "source", "tier")


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """One evaluation as asked for on the command line: a finished model on other datasets.

    Attributes:
        model: Address in the registry, id of a run, folder of an MLflow model, or `best`.
        data: Test sets, joined by commas; each as in `StudyConfig`.
        classes: As in `StudyConfig`, for all of them.
        limit: At most this many images per class of each set; 0 for all.
        output: Folder to write the report to as well; none when empty.
        allow_unsafe_model: Whether a model may hold what could run code of whoever made it.
    """

    model: str = BEST
    data: str = "synthetic"
    classes: str = ""
    limit: int = 0
    output: str = "evaluation"
    allow_unsafe_model: bool = False

    @property
    def test_sets(self) -> list[str]:
        """The test sets that are named."""
        return listed(self.data)

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as on the command line."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RobustnessConfig:
    """One test of robustness as asked for on the command line: pictures made worse by degrees.

    Attributes:
        models: Addresses in the registry, ids of runs, folders of MLflow models, or `best`;
            joined by commas.
        data: Test set as in `StudyConfig`; the test split that the first model was studied on
            when empty.
        classes: As in `StudyConfig`.
        limit: At most this many images per class; 0 for all.
        seed: Of the noise.
        output: Folder to write the report to as well; none when empty.
        allow_unsafe_model: Whether a model may hold what could run code of whoever made it.
    """

    models: str = BEST
    data: str = ""
    classes: str = ""
    limit: int = 0
    seed: int = 0
    output: str = "robustness"
    allow_unsafe_model: bool = False

    @property
    def model_names(self) -> list[str]:
        """The models that are named."""
        return listed(self.models)

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as on the command line."""
        return asdict(self)


#: What a matrix asks of a study itself: its rows and columns say it.
_OF_ONE_CELL = (*OF_ONE_STUDY, "data", "leave_out", "equalise")


@dataclass(frozen=True, slots=True)
class GeneraliseConfig:
    """One matrix as asked for on the command line: rows trained on, columns tested on.

    Attributes:
        models: Keys or aliases of rows of `ARCHITECTURES`, joined by commas.
        train: Training sets, joined by commas; each as in `StudyConfig`, so `a+b` is one.
        test: Test sets, joined by commas; every dataset named in `train` when empty.
        hold_out: What is left out of each training set in turn: `source`, `tier`, or `none`.
        output: Folder to write the report to as well; none when empty.
        study: What is asked of every study.
    """

    models: str = "mobilenetv3"
    train: str = "synthetic"
    test: str = ""
    hold_out: str = NOTHING
    output: str = "generalisation"
    study: StudyConfig = field(default_factory=StudyConfig)

    @property
    def model_names(self) -> list[str]:
        """The architectures that are named."""
        return listed(self.models)

    @property
    def training_sets(self) -> list[str]:
        """The training sets that are named."""
        return listed(self.train)

    @property
    def named_test_sets(self) -> list[str]:
        """The test sets that are named."""
        return listed(self.test)

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as on the command line."""
        own = {"models": self.models, "train": self.train, "test": self.test}
        own |= {"hold_out": self.hold_out, "output": self.output}
        shared = {k: v for k, v in self.study.as_params().items() if k not in _OF_ONE_CELL}
        return own | shared

    def shown_params(self) -> dict[str, Any]:
        """Return them as a run shows them: without the storage's credentials."""
        return self.as_params() | {"storage": without_credentials(self.study.storage)}
