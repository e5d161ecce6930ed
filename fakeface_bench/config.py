"""What a user asks for, and what one trial tries: frozen records, the same keys everywhere."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from fakeface_bench.support.executor import ClusterConfig
from fakeface_bench.support.request import EXCEPT, Request, needed, option

#: Positive class, whatever the alphabetical order of the folders.
FAKE = 1
REAL = 0
CLASS_NAMES = ("real", "fake")
#: From which probability an image is called fake, unless another is shown to be better.
USUAL_THRESHOLD = 0.5

#: How an image meets the network's input: see `data.decode.fit_image`.
FITS = ("crop", "resize")
#: What a network that starts from scratch reads: see `backbones.catalogue.INPUTS`.
RGB = "rgb"
INPUTS = (RGB, "residual", "npr")
#: Side of the largest square that pictures are scaled to before they are fitted to the input.
MAX_CANVAS = 2048
#: What every picture passes first, real and fake alike: see `config.equalising_quality`.
UNTOUCHED = "none"
#: What weighs the same in training, however many images it has: see `features.samples`.
UNBALANCED = "none"
BALANCES = (UNBALANCED, "classes", "sources", "generators")
#: Leaves a choice to the trials.
SEARCHED = "search"
#: Quality of the JPEG that a strongly augmented picture may pass through once more.
JPEG_QUALITY = (60, 100)
#: Standard deviation of its Gaussian blur, in pixels.
BLUR_SIGMA = (0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What may be done to training pictures, alike to both classes.

    Nothing here resamples: scaling and rotation are low-pass filters that erase a generator's
    traces, and on train alone would make it differ from test.

    Attributes:
        flip: Whether half of the pictures are mirrored left to right.
        crop: Whether the crop lies anywhere within the canvas, at whole pixels; else its centre.
        jpeg: Share of pictures that are encoded again.
        blur: Share of pictures that are blurred.
    """

    title: str
    flip: bool = False
    crop: bool = False
    jpeg: float = 0.0
    blur: float = 0.0


AUGMENTATIONS: Mapping[str, Augmentation] = {
    "none": Augmentation("pictures as they are"),
    "light": Augmentation("mirroring; crops at whole pixels where all layers train", True, True),
    "strong": Augmentation(
        f"the same, and JPEG quality {JPEG_QUALITY[0]} to {JPEG_QUALITY[1]} and blur, one in five "
        "each",
        *(True, True),
        jpeg=0.2,
        blur=0.2,
    ),
}
AUGMENTS = tuple(AUGMENTATIONS)


def augments_in_play(asked: str, offered: tuple[str, ...]) -> tuple[str, ...]:
    """Return the augmentations that trials choose from: those offered where `search` is asked.

    A network offers none where no layer under the head is trained.
    """
    return offered if asked == SEARCHED or not offered else (asked,)


#: In what numbers trained layers compute: see `training.fit`; `auto` measures.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
AUTO = "auto"
#: What frozen layers pass pictures through: see `features.engines`; `auto` goes by the network.
TENSORFLOW_ENGINE = "tensorflow"
BFLOAT16_ENGINE = "tensorflow_bf16"
ONNX_ENGINE = "onnxruntime"
ENGINES = (TENSORFLOW_ENGINE, BFLOAT16_ENGINE, ONNX_ENGINE)
#: Names the study that a comparison would take, where a run is asked for.
BEST = "best"
#: Of `HOLD_OUTS`: what leaves a matrix alone.
NOTHING = "none"
#: Digits of a digest that are shown to people.
DIGEST_DIGITS = 12
#: The layers of a backbone that are trained: see `backbones.fine_tuning`.
FROZEN = "frozen"
#: Label of the weights of a row that is no network.
NO_WEIGHTS = "none"


def listed(names: str) -> list[str]:
    """Return names that are joined by commas."""
    return [part.strip() for part in names.split(",") if part.strip()]


#: Raise it with any change that alters the metrics of an unchanged study.
STUDY_VERSION = 5
#: Raise it with any change of the space that is searched.
SPACE_VERSION = 2
#: The same for what trains layers under the head.
TUNING_VERSION = 1

#: The same for what is chosen once a fit is over, which moves no trial: thresholds.
DECISION_VERSION = 2

#: All of them, as a study's run records them.
METRICS_VERSION = (
    f"study {STUDY_VERSION}, space {SPACE_VERSION}, tuning {TUNING_VERSION}, "
    f"decision {DECISION_VERSION}"
)


#: What is fitted on frozen features: see `training.head` and `training.logistic_regression`.
HEAD = "head"
LOGISTIC_REGRESSION = "logistic_regression"
CLASSIFIERS = (HEAD, LOGISTIC_REGRESSION)
#: Of `training.poolings.FEATURES`: a picture's residual statistics, without any network.
RESIDUAL = "residual"
#: Iterations of logistic regression that count as one epoch.
EPOCH_ITERATIONS = 10


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """The head's options; with the defaults every study tries it first, or second.

    A network that starts from scratch is trained as a whole with them.

    Attributes:
        classifier: One of `CLASSIFIERS`. Logistic regression is a head of one layer and no dropout,
            fitted by another solver: of the other options it reads features, pooling and `C` alone.
        features: What it reads, a key of `training.poolings.FEATURES`.
        dropout: Rate before the output layer, 0 to 0.6.
        units: Width of the hidden layer; 0 for none.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW, decoupled from the loss.
        C: Of logistic regression: inverse strength of the penalty, as in scikit-learn.
    """

    classifier: str = HEAD
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
    C: float = 0.01

    def as_params(self) -> dict[str, Any]:
        """Return the options that its classifier has as flat params, keyed as in the search."""
        params = asdict(self)
        left_out = [] if self.classifier == LOGISTIC_REGRESSION else ["C"]
        if self.classifier == LOGISTIC_REGRESSION:
            left_out = [name for name in params if name not in _OF_LOGISTIC_REGRESSION]
        if self.features == RESIDUAL:  # which has no positions to pool over
            left_out.append("pooling")
        return {name: value for name, value in params.items() if name not in left_out}


#: The options that logistic regression has.
_OF_LOGISTIC_REGRESSION = ("classifier", "features", "pooling", "C")


def logistic_regression(**options: Any) -> HeadConfig:
    """Return the head that logistic regression fits: one layer, without dropout.

    Args:
        options: Of `features`, `pooling` and `C`.
    """
    return HeadConfig(classifier=LOGISTIC_REGRESSION, dropout=0.0, **options)


@dataclass(frozen=True, slots=True)
class TuningConfig:
    """How a pretrained backbone's unfrozen layers are trained by AdamW, after the head alone.

    The learning rate is its highest, after the warm-up.
    """

    learning_rate: float = 3e-4
    weight_decay: float = 1e-2
    batch_size: int = 32


@dataclass(frozen=True, slots=True)
class TrialConfig:
    """One point of the search space.

    `augment` is empty where no layer under the head is trained; `tuning` is None where no
    pretrained layer is unfrozen.
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
        if params["classifier"] == LOGISTIC_REGRESSION:
            names = [name for name in _OF_LOGISTIC_REGRESSION[1:] if name in params]
            return cls(logistic_regression(**{name: params[name] for name in names}))
        head = {each.name: params[each.name] for each in fields(HeadConfig) if each.name in params}
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


def equalising_quality(equalise: str) -> int | None:
    """Return the quality of the JPEG that `equalise` names, from 1 to 100.

    0 for `jpeg`, which leaves it to the dataset, and for `none`. None for what is neither.
    """
    if equalise in (UNTOUCHED, "jpeg"):
        return 0
    found = _EQUALISE.fullmatch(equalise)
    quality = int(found[1]) if found else 0
    return quality if 1 <= quality <= 100 else None


def equalising_words(canvas: int, equalise: str) -> str:
    """Return what every picture passes first: `canvas 256, jpeg75`; `none` for nothing."""
    passed = [f"canvas {canvas}"] * bool(canvas) + [equalise] * (equalise != UNTOUCHED)
    return ", ".join(passed) or UNTOUCHED


_MAX_SEED = 2**31 - 1
_CLASSES = "What folders' names mean that are not understood by themselves: real:nature,fake:ai."
_MODELS = "Architectures, joined by commas; see 'fakeface-bench list'."
_REPORT = "Folder to write the report to, besides MLflow; empty for none."
_DESCRIPTION = (
    "YAML file that says how to read a detector of others: pixels, fake, threshold and so on; "
    "empty for the one beside it."
)
_UNSAFE = (
    "Load a model too that holds a Lambda layer or a pickle: code of its author, which then "
    "runs with your rights."
)


#: Which trials are ended early, and how options are drawn: Optuna's, by these names.
PRUNERS = ("median", "hyperband", "none")
SAMPLERS = ("tpe", "random", "grid", "cmaes")


@dataclass(frozen=True, slots=True)
class SearchConfig(Request):
    """What trials draw, and how: each option is searched, narrowed or fixed.

    A text is a value, several joined by commas, a range as `0.1..0.5`, or `search`: see
    `search.options`, which reads them.
    """

    classifier: str = option(SEARCHED, "head, logistic_regression (on frozen features).")
    features: str = option(
        SEARCHED, "What the classifier reads: last, all_blocks, last+residual, all_blocks+residual."
    )
    pooling: str = option(
        SEARCHED, "avg, max, avg+max, avg+std, max2x2; cls, cls+avg of a class token."
    )
    dropout: str = option(SEARCHED, "Rate before the head's output; 0..0.6 is searched.")
    batch_norm: str = option(SEARCHED, "true, false.")
    units: str = option(SEARCHED, "Width of the head's hidden layer; 0: none.")
    activation: str = option(SEARCHED, "Activation of the hidden layer: relu, swish, tanh.")
    loss: str = option(SEARCHED, "See 'fakeface-bench list'.")
    learning_rate: str = option(SEARCHED, "Of the head; 0.0001..0.01 is searched.")
    weight_decay: str = option(SEARCHED, "Of the head; 0.00001..0.1 is searched.")
    C: str = option(SEARCHED, "Inverse penalty of logistic regression; 0.0001..10 is searched.")
    fine_learning_rate: str = option(SEARCHED, "Of unfrozen layers; 0.00003..0.001 is searched.")
    fine_weight_decay: str = option(SEARCHED, "Of unfrozen layers; 0.0001..0.1 is searched.")
    sampler: str = option("tpe", "How options are drawn.", choices=SAMPLERS)
    pruner: str = option("median", "What ends trials early.", choices=PRUNERS)
    patience: int = option(
        5, "Epochs without a better validation ROC AUC that end a fit; 0: none do.", 0, 1000
    )
    parallel: int = option(
        1,
        "Trials that are drawn together, from what all earlier ones found, so that a cluster, or "
        "several processes of one study, run them at once; results depend on it.",
        1,
        1000,
    )


@dataclass(frozen=True, slots=True)
class StudyConfig(Request):
    """One study; a 0 or an empty text means "choose for me"."""

    model: str = option(
        "mobilenetv3",
        "Architecture; see 'fakeface-bench list'. Or a network of yours: NETWORK.keras, or "
        "onnx:NETWORK.onnx.",
    )
    data: str = option(
        "synthetic", "Dataset by name, or a folder of faces; several are joined by '+'."
    )
    classes: str = option("", _CLASSES)
    trials: int = option(20, "Finished trials that the study shall hold in the end.", 1, 10_000)
    epochs: int = option(10, "Most epochs of one fit; early stopping may end it sooner.", 1, 1000)
    image_size: int = option(
        0, "Side of the network's input in pixels; 0 for the architecture's own.", 0, 2048
    )
    batch_size: int = option(
        0,
        "Images per step; 0 suits the machine in extraction and is searched in training.",
        0,
        4096,
    )
    weights: str = option(
        AUTO,
        "pretrained (imagenet, or a foundation model's own), random, a Keras weights file or a "
        "preset's folder; or auto: pretrained where it can be had.",
    )
    fit: str = option(
        "crop",
        "How images meet the input: centre crop at native resolution, or resized.",
        choices=FITS,
    )
    input: str = option(
        RGB,
        "What a network trained from scratch reads: colours, their high-pass residuals, or what "
        "scaling down loses (NPR).",
        choices=INPUTS,
    )
    equalise: str = option(
        UNTOUCHED,
        "none; or jpeg: every picture passes one JPEG first (of the lowest quality common in the "
        "dataset; jpeg75: of 75), and the ROC AUC that this costs is told.",
    )
    canvas: int = option(
        0,
        "Side in pixels that the centre square of every picture is scaled to first, before any "
        "JPEG of equalise, and what this costs is told likewise; 0 for none.",
        0,
        MAX_CANVAS,
    )
    leave_out: str = option(
        "",
        "Generators, tiers or sources of the dataset whose images are not used, joined by commas.",
    )
    balance: str = option(
        UNBALANCED,
        "What weighs the same in training, however many images it has.",
        choices=BALANCES,
    )
    fine_tune: str = option(
        FROZEN,
        "Layers trained under the head: frozen (none), norms (normalisation alone), last_block, "
        "last_2_blocks and so on, all, or a number of last layers.",
    )
    augment: str = option(
        SEARCHED,
        "What is done to the pictures that train layers under the head.",
        choices=(SEARCHED, *AUGMENTS),
    )
    precision: str = option(
        AUTO,
        "Numeric precision in which trained layers compute; auto measures.",
        choices=(AUTO, *PRECISIONS),
    )
    engine: str = option(
        AUTO,
        "What frozen layers run on; auto: onnxruntime on processors where it can, else tensorflow. "
        "tensorflow_bf16 has train and valid pass in bfloat16, test in float32.",
        choices=(AUTO, *ENGINES),
    )
    # In 10⁹ bytes; what is larger is computed again each time.
    cache_gb: float = option(
        0.0,
        "Disk for what trained layers read each epoch; 0: a quarter of the free disk, at most 20.",
        0,
    )
    search: SearchConfig = field(default_factory=SearchConfig, metadata={EXCEPT: ()})
    workers: ClusterConfig = field(default_factory=ClusterConfig, metadata={EXCEPT: ()})
    folds: int = option(
        0,
        "Parts of train and validation together that are held out in turn, by which options are "
        "chosen; the winner is then fitted on all of them. 0: validation is held out.",
        0,
        20,
    )
    limit: int = option(0, "At most this many images per split and class; 0 for all.", 0)
    seed: int = option(
        0, "Seed of the split, random weights, the search and every fit.", 0, _MAX_SEED
    )
    unsure_error: float = option(
        0.05,
        "Chooses a band of scores in which the model is unsure, so that at most this share of the "
        "validation pictures outside it is wrong; 0: no band.",
        0,
        1,
    )
    seeds: int = option(
        1,
        "Times that the whole study is done, search and fit, each with a seed of its own; the "
        "first's model is kept. Comparisons speak of networks from 3 on.",
        1,
        100,
    )
    refits: int = option(
        1,
        "Fits of the winner alone, each with a seed of its own; the first is kept.",
        1,
        100,
    )
    anytime: bool = option(
        False,
        "After the end, also score on test what would have been taken earlier; nothing is chosen "
        "by it.",
    )
    storage: str = option(
        "",
        f"Optuna storage URL; empty for what {STORAGE_VARIABLE} says, else a SQLite file beside "
        "MLflow's.",
    )
    timeout_minutes: float = option(0.0, "After this time no new trial starts; 0 for never.", 0)
    dollars_per_hour: float = option(0.0, "What the machine costs; 0 for no price.", 0)
    study: str = option("", "Name; empty derives it from the rest.")
    register: str = option(
        "", "Name to register the winner under, as its champion where it passes the gate."
    )
    again: bool = option(
        False, "Refit, score and record a study that is finished once more; its trials are kept."
    )

    @property
    def equalised(self) -> str:
        """What every picture passes first, in words; `none` for nothing."""
        return equalising_words(self.canvas, self.equalise)


@dataclass(frozen=True, slots=True)
class AuditConfig(Request):
    """One audit."""

    data: str = option(
        "synthetic", "Dataset by name, or a folder; several joined by '+'.", argument=True
    )
    classes: str = option("", _CLASSES)
    seed: int = option(0, "Of the split, where the dataset has no official one.", 0, _MAX_SEED)
    output: str = option("", "Folder to write the report to, besides MLflow.")


#: Share of test images that a study may be behind by and count as accurate as another.
MARGIN = 0.01
_BUDGET = "Minutes from a cold start that you have: what they buy is told; 0 for none."
_TARGET = "Validation ROC AUC that networks are timed to, over their seeds; 0 for none."
_MARGIN = (
    "How far below the best test accuracy a cheaper study may be shown to be, at most; 0.01 is one "
    "percentage point."
)


@dataclass(frozen=True, slots=True)
class CompareConfig(Request):
    """One comparison; studies are chosen by dataset or by run."""

    data: str = option(
        "",
        "Dataset as it was studied, or the first digits of its digest; empty for the newest's.",
    )
    runs: str = option(
        "", "MLflow runs of the studies to compare, joined by commas; empty chooses by dataset."
    )
    detectors: str = option(
        "",
        "Detectors of others to test on the same images, joined by commas: FILE.keras, FILE.onnx, "
        "MLflow models of any flavour.",
    )
    description: str = option("", _DESCRIPTION)
    allow_unsafe_model: bool = option(False, _UNSAFE)
    output: str = option("comparison", _REPORT)
    dollars_per_hour: float = option(
        0.0, "What the machine costs; 0 for what each study was told.", 0
    )
    margin: float = option(MARGIN, _MARGIN, 0)
    budget_minutes: float = option(0.0, _BUDGET, 0)
    target: float = option(0.0, _TARGET, 0, 1)
    published: str = option(
        "",
        "Published folders to compare too, joined by commas; alone, or with runs. One that does "
        "not follow from its own scores is refused.",
    )


@dataclass(frozen=True, slots=True)
class PublishConfig(Request):
    """One publication: a finished study or comparison as a folder that others can check."""

    run: str = needed("MLflow run of a study or comparison; or newest, the newest study's.")
    folder: str = needed("Folder to write to.")
    with_model: bool = option(False, "Publish the model of each study too.")


@dataclass(frozen=True, slots=True)
class VerifyConfig(Request):
    """One check of a published folder."""

    folder: str = needed("What 'fakeface-bench publish' wrote.")
    data: str = option(
        "",
        "The dataset, by name or folder, to hold against the published digests and to score with "
        "the published model; empty: neither.",
    )
    retrain: bool = option(False, "Also run the whole study again, on data.")
    weights: str = option("", "Weights file for retrain, where the study started from a file.")
    model: str = option("", "Network file for retrain, where the network is its author's own.")
    output: str = option("", "CSV file to write every check to; empty for none.")


@dataclass(frozen=True, slots=True)
class RegisterConfig(Request):
    """One registration."""

    run: str = option(
        BEST,
        "MLflow run of a study; or best: the cheapest shown to be within a point of the most "
        "accurate.",
    )
    name: str = option("fakeface", "Name of the registered model.")
    data_digest: str = option(
        "",
        "First digits of the digest of the dataset, or its name, that best chooses in; empty for "
        "the newest study's.",
    )
    force: bool = option(False, "Make it the champion whatever the gate says; recorded as a tag.")


_AT_ONCE = "Studies that run at once, each with its trials on the cluster, which it needs."

#: What a suite asks of a study itself: everything else is the same for all of its studies.
_OF_ONE_STUDY = ("model", "study", "register", "again")


@dataclass(frozen=True, slots=True)
class SuiteConfig(Request):
    """One suite: a study each of several models, compared.

    Its studies' `weights` may be `MODEL=FILE` pairs, joined by commas, for models that do not share
    a file.
    """

    models: str = option("simple_cnn,simple_cnn_pool,mobilenetv3,vgg19", _MODELS)
    output: str = option(
        "comparison", "Folder to write the comparison to, besides MLflow; empty for none."
    )
    margin: float = option(MARGIN, _MARGIN, 0)
    budget_minutes: float = option(0.0, _BUDGET, 0)
    target: float = option(0.0, _TARGET, 0, 1)
    at_once: int = option(1, _AT_ONCE, 1, 64)
    study: StudyConfig = field(default_factory=StudyConfig, metadata={EXCEPT: _OF_ONE_STUDY})


#: How predictions are printed: see `cli.output`.
PREDICTION_FORMS = ("table", "csv", "jsonl")


@dataclass(frozen=True, slots=True)
class PredictConfig(Request):
    """One prediction: the model's address, run or folder; files, folders, and patterns of them."""

    model: str = needed("models:/NAME@champion, the id of a study's run, or a folder.")
    paths: tuple[str, ...] = needed("Files, folders, and quoted patterns of them.")
    format: str = option(
        "table", "Aligned columns for the eye, or rows for programs.", choices=PREDICTION_FORMS
    )
    output: str = option("", "File to write to; empty for standard output.")
    allow_unsafe_model: bool = option(False, _UNSAFE)


@dataclass(frozen=True, slots=True)
class ExplainConfig(Request):
    """One explanation; model and files as in `PredictConfig`."""

    model: str = needed("models:/NAME@champion, the id of a study's run, or a folder.")
    paths: tuple[str, ...] = needed("Files, folders, and quoted patterns of them.")
    output: str = option("explanation", "Folder to write the pictures to.")
    allow_unsafe_model: bool = option(False, _UNSAFE)


@dataclass(frozen=True, slots=True)
class EvaluateConfig(Request):
    """One evaluation: a finished model on other datasets."""

    model: str = option(
        BEST,
        "Address in the registry, MLflow run of a study, folder of an MLflow model; a detector of "
        "others, FILE.keras or FILE.onnx; or best: the cheapest shown to be within a point of the "
        "most accurate.",
    )
    data: str = option(
        "synthetic", "Test sets by name, or folders of faces, joined by commas; one class suffices."
    )
    classes: str = option("", _CLASSES)
    limit: int = option(0, "At most this many images per class of each set; 0 for all.", 0)
    description: str = option("", _DESCRIPTION)
    workers: ClusterConfig = field(default_factory=ClusterConfig, metadata={EXCEPT: ()})
    output: str = option("evaluation", _REPORT)
    allow_unsafe_model: bool = option(False, _UNSAFE)


@dataclass(frozen=True, slots=True)
class RobustnessConfig(Request):
    """One test of robustness: pictures made worse by degrees."""

    models: str = option(
        BEST,
        "Trained models, joined by commas: registry addresses, runs, folders, FILE.keras, "
        "FILE.onnx, or best.",
    )
    data: str = option(
        "",
        "Test set by name, or a folder of faces; empty for the first model's own test split.",
    )
    classes: str = option("", _CLASSES)
    limit: int = option(0, "At most this many images per class; 0 for all.", 0)
    seed: int = option(0, "Of the noise.", 0, _MAX_SEED)
    description: str = option("", _DESCRIPTION)
    workers: ClusterConfig = field(default_factory=ClusterConfig, metadata={EXCEPT: ()})
    output: str = option("robustness", _REPORT)
    allow_unsafe_model: bool = option(False, _UNSAFE)


#: What is left out of training in turn.
HOLD_OUTS = (NOTHING, "source", "tier", "generator")
#: What puts generators into an order, up to each of which models are trained.
ORDERS = (NOTHING, "released")
#: What a matrix asks of a study itself: its rows and columns say it.
_OF_ONE_CELL = (*_OF_ONE_STUDY, "data", "leave_out")


@dataclass(frozen=True, slots=True)
class GeneraliseConfig(Request):
    """One matrix: rows trained on, columns tested on."""

    models: str = option("mobilenetv3", _MODELS)
    train: str = option(
        "synthetic",
        "Training sets, joined by commas; several that are joined by '+' are one.",
    )
    test: str = option("", "Test sets, joined by commas; empty for every dataset named in TRAIN.")
    hold_out: str = option(
        NOTHING,
        "Also leave each source, tier or generator of a training set out in turn, and test on it.",
        choices=HOLD_OUTS,
    )
    order: str = option(
        NOTHING,
        "Also train on what was released up to each date in turn, and test on what came after.",
        choices=ORDERS,
    )
    at_once: int = option(1, _AT_ONCE, 1, 64)
    output: str = option("generalisation", _REPORT)
    study: StudyConfig = field(default_factory=StudyConfig, metadata={EXCEPT: _OF_ONE_CELL})
