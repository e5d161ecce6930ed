"""From a request to what is run: every refusal of a request, and every choice left to us."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from fakeface_bench.backbones.catalogue import Architecture
from fakeface_bench.backbones.detector_file import detector_file
from fakeface_bench.backbones.fine_tuning import Unfrozen, unfrozen_part
from fakeface_bench.backbones.network_file import network_named
from fakeface_bench.backbones.weights import Weights, check_weights_spec, resolve_weights
from fakeface_bench.config import (
    AUTO,
    BEST,
    BFLOAT16_ENGINE,
    FROZEN,
    ONNX_ENGINE,
    RGB,
    SEARCHED,
    SPACE_VERSION,
    STUDY_VERSION,
    TENSORFLOW_ENGINE,
    TUNING_VERSION,
    UNTOUCHED,
    AuditConfig,
    CompareConfig,
    EvaluateConfig,
    ExplainConfig,
    GeneraliseConfig,
    PredictConfig,
    RegisterConfig,
    RobustnessConfig,
    StudyConfig,
    SuiteConfig,
    equalising_quality,
    listed,
)
from fakeface_bench.data.array_store import content_key
from fakeface_bench.data.class_words import SPLITS, named_classes
from fakeface_bench.data.decode import AS_THEY_ARE, Equalisation
from fakeface_bench.data.index import ImageIndex, index_name
from fakeface_bench.data.sources import (
    JOINT,
    check_data,
    source_identities,
    source_names,
    split_data,
)
from fakeface_bench.data.survey import check_layouts
from fakeface_bench.records.settings import NAMED_OPTIONS, format_option
from fakeface_bench.search.options import Trained, check_search, search_definition, usable
from fakeface_bench.search.storage_address import check_storage
from fakeface_bench.support.disk import existing_path
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.executor import NO_CLUSTER
from fakeface_bench.support.machine import may_have_bfloat16
from fakeface_bench.support.request import Request
from fakeface_bench.tracking.addresses import (
    check_storage_apart,
    check_store_address,
    check_store_is_there,
    model_folder,
)

#: Below this no `keras.applications` network keeps a map of more than one position.
MIN_IMAGE_SIZE = 32
#: MLflow forbids slashes and colons, which its addresses are made of; so is the at sign.
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9. _-]{0,99}")
_STUDY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


R = TypeVar("R", bound=Request)


@dataclass(frozen=True, slots=True)
class Checked(Generic[R]):
    """A request that `checked` has found no mistake in; jobs check any other request themselves."""

    request: R


#: What a job is asked.
RequestLike: TypeAlias = R | Checked[R]


def checked(asked: RequestLike[R]) -> Checked[R]:
    """Refuse a request that cannot begin, before anything heavy is loaded or written."""
    if isinstance(asked, Checked):
        return asked
    params = asked.as_params()
    for name, option in asked.options().items():
        if refusal := option.refusal(params[name]):
            raise UsageError(f"{name} {refusal}")
    _check(asked)
    return Checked(asked)


@singledispatch
def _check(config: Request) -> None:
    """Refuse mistakes beyond single fields."""


@_check.register
def _check_study(config: StudyConfig) -> None:
    _check_study_places(config)
    architecture = network_named(config.model)
    check_weights_spec(config.weights, architecture)
    unfrozen = unfrozen_part(config.fine_tune, architecture)
    _check_tuning(config, unfrozen)
    _check_engine(config.engine, architecture)
    _check_searched(config, architecture, unfrozen)
    _check_input(config, architecture)
    _check_side(config.image_size, architecture)
    _check_study_options(config)
    check_data(config.data, config.classes)
    check_layouts(config.data, config.classes)


def _check_study_places(config: StudyConfig) -> None:
    """Refuse a store, or a storage of studies, that cannot be used."""
    check_store_address()
    check_storage(config.storage)
    check_storage_apart(config.storage)


def _check_study_options(config: StudyConfig) -> None:
    """Refuse what would be wrong whatever the network and the dataset."""
    if equalising_quality(config.equalise) is None:
        raise UsageError(
            f"equalise {config.equalise!r} is neither {UNTOUCHED!r}, nor 'jpeg', nor a quality "
            "from 'jpeg1' to 'jpeg100'."
        )
    if 0 < config.canvas < MIN_IMAGE_SIZE:
        raise UsageError(
            f"canvas {config.canvas} is too small: at least {MIN_IMAGE_SIZE} pixels, or 0 for none."
        )
    if config.image_size and config.image_size < MIN_IMAGE_SIZE:
        raise UsageError(
            f"image_size {config.image_size} is too small: at least {MIN_IMAGE_SIZE} pixels, "
            "or 0 for the architecture's own."
        )
    if config.folds == 1:
        raise UsageError(
            "folds 1 holds nothing out: give at least 2, or 0 to hold the validation split out."
        )
    if config.seeds > 1 and config.refits > 1:
        raise UsageError(
            f"seeds {config.seeds} does the whole study again and refits {config.refits} its last "
            "fit alone: ask for one of them."
        )
    if config.study and not _STUDY_NAME.fullmatch(config.study):
        raise UsageError(
            f"study {config.study!r} is no name: letters, digits, '.', '_' and '-', "
            "at most 100 of them, the first a letter or digit."
        )
    if config.register:
        _check_model_name("register", config.register)


@_check.register
def _check_predict(config: PredictConfig) -> None:
    model_folder(config.model)


@_check.register
def _check_explain(config: ExplainConfig) -> None:
    model_folder(config.model)
    if not config.output:
        raise UsageError("output is empty; name a folder for the pictures.")
    _check_output(config.output)


@_check.register
def _check_register(config: RegisterConfig) -> None:
    _check_model_name("name", config.name)
    if not config.run:
        raise UsageError(f"run is empty; give the id of a study's MLflow run, or {BEST!r}.")
    if config.data_digest and config.run != BEST:
        raise UsageError("data_digest chooses among studies, and run names one; give one of them.")
    check_store_address()
    check_store_is_there()


def _check_model_name(parameter: str, name: str) -> None:
    if not _MODEL_NAME.fullmatch(name):
        raise UsageError(
            f"{parameter} {name!r} is no name of a model: letters, digits, spaces, '.', '_' and "
            "'-', at most 100 of them, the first a letter or digit."
        )


def _check_tuning(config: StudyConfig, unfrozen: Unfrozen) -> None:
    if not unfrozen.anything:
        for name, value, default in (
            ("augment", config.augment, SEARCHED),
            ("precision", config.precision, AUTO),
        ):
            if value != default:
                raise UsageError(
                    f"{name} {value!r} is for layers that are trained, and fine_tune is "
                    f"{unfrozen.label!r}: name layers with fine_tune, or leave {name} out."
                )
    elif config.augment == "strong" and not unfrozen.on_pixels:
        raise UsageError(
            f"augment 'strong' needs fine_tune 'all' or 'norms': with {unfrozen.label!r} the "
            "layers below are frozen and run once an image; 'none', 'light' (mirroring) or "
            "'search'."
        )


def _check_engine(engine: str, architecture: Architecture) -> None:
    """Refuse an engine for what it cannot run, here or anywhere."""
    if engine == AUTO:
        return
    if not architecture.pretrained:
        why = "trains from scratch" if architecture.scratch else "has none"
        raise UsageError(
            f"engine {engine!r} is for frozen layers, and {architecture.key} {why}: leave engine "
            "out."
        )
    if engine == ONNX_ENGINE and not architecture.onnx:
        raise UsageError(
            f"engine {engine!r} is not offered for {architecture.key}, which ONNX cannot express, "
            f"or which it hardly speeds up: take {TENSORFLOW_ENGINE!r}, or leave engine out."
        )
    if engine == BFLOAT16_ENGINE and not may_have_bfloat16():
        raise UsageError(
            f"engine {engine!r} needs a processor with bfloat16 (avx512_bf16 or amx_bf16), and "
            f"this machine's has none: take {TENSORFLOW_ENGINE!r}, or leave engine out."
        )


def _check_side(asked: int, architecture: Architecture) -> None:
    """Refuse a side that a user's file does not take, or none where it takes any."""
    file = architecture.file
    if file is None:
        return
    if file.any_side and not (asked or architecture.image_size):
        raise UsageError(
            f"{architecture.key} takes pictures of any side: say which, image_size=224 for "
            f"instance, here or in {file.path.stem}.yaml beside it."
        )
    if not file.any_side and asked not in (0, architecture.image_size):
        raise UsageError(
            f"image_size {asked} is not what {architecture.key} takes, {architecture.image_size} "
            "px: leave image_size out."
        )


def _check_input(config: StudyConfig, architecture: Architecture) -> None:
    if config.input != RGB and not architecture.scratch:
        why = "was made for colours" if architecture.pretrained else "is none"
        raise UsageError(
            f"input {config.input!r} is for networks that start from scratch, and "
            f"{architecture.key} {why}: leave input out (features with residual statistics are "
            "among those of frozen networks)."
        )


def _check_searched(config: StudyConfig, architecture: Architecture, unfrozen: Unfrozen) -> None:
    how = f" ({unfrozen.label})" if architecture.pretrained else ""
    check_search(config.search, _trained(config, unfrozen), f"{architecture.key}{how}")


def _trained(config: StudyConfig, unfrozen: Unfrozen) -> Trained:
    architecture = network_named(config.model)
    scratch = unfrozen.everything and config.weights == "random"
    tuned = architecture.pretrained and unfrozen.anything and not scratch
    maps = architecture.pretrained or architecture.scratch
    return Trained(frozen=not unfrozen.anything, tuned=tuned, maps=maps)


@_check.register
def _check_audit(config: AuditConfig) -> None:
    check_store_address()
    check_data(config.data, config.classes)
    _check_output(config.output)
    check_layouts(config.data, config.classes)


@_check.register
def _check_compare(config: CompareConfig) -> None:
    if config.data and config.runs:
        raise UsageError("data and runs both choose the studies; give one of them.")
    if config.data and config.published:
        raise UsageError("published studies are compared alone or with runs, not by data.")
    if config.runs and not listed(config.runs):
        raise UsageError(f"runs {config.runs!r} names none; give ids of MLflow runs.")
    detectors = listed(config.detectors)
    _check_distinct("detectors", "detector", detectors)
    _check_models(detectors, config.description)
    check_store_address()
    if config.runs or not config.published:  # of folders alone a new store may tell
        check_store_is_there()
    _check_output(config.output)


def _check_output(name: str) -> None:
    """Refuse a folder to write to that is a file."""
    try:
        output = Path(name).expanduser()
    except RuntimeError as error:
        raise UsageError(f"output {name!r} is no folder: {error}") from error
    if name and output.exists() and not output.is_dir():
        raise UsageError(f"output {name!r} is a file; name a folder.")


@dataclass(frozen=True, slots=True)
class Plan:
    """A `StudyConfig` resolved on this machine.

    `equalisation` is what every picture passes first; where the dataset decides the quality of
    its JPEG, that is set once the dataset is prepared.
    """

    config: StudyConfig
    architecture: Architecture
    image_size: int
    weights: Weights
    unfrozen: Unfrozen
    equalisation: Equalisation = AS_THEY_ARE

    @property
    def equalises(self) -> bool:
        """Whether every picture passes something first."""
        return self.config.equalised != UNTOUCHED

    @property
    def engine(self) -> str:
        """Name of what its frozen layers run on, where they run on processors.

        By the network alone: what was measured would differ from run to run, and with it a cache
        key.
        """
        if self.config.engine != AUTO:
            return self.config.engine
        return ONNX_ENGINE if self.architecture.onnx else TENSORFLOW_ENGINE

    @property
    def title(self) -> str:
        """What the parent run's name tells besides the dataset: model, and what is not as usual."""
        trained = self.architecture.pretrained and self.unfrozen.anything
        how = f" ({self.unfrozen.label})" if trained else ""
        passed = f", {self.config.equalised}" if self.equalises else ""
        apart = "".join(f", {option}" for option in self._unusual())
        return f"{self.architecture.key}{how}{passed}{apart}"

    def _unusual(self) -> Iterator[str]:
        """Yield the options that are not the defaults; of `auto`, the weights that it came to."""
        usual = StudyConfig.options()
        asked = self.config.as_params() | search_definition(self.config.search)
        for key in NAMED_OPTIONS:
            if key == "weights":
                own = self.architecture.file and self.weights.path
                published = own or self.weights.label in ("imagenet", "pretrained")
                if self.architecture.pretrained and not published:
                    yield format_option(key, self.weights.short_name)
            elif asked[key] != usual[key].default:
                yield format_option(key, asked[key])
        if self.config.study:
            yield f"study {self.config.study}"

    @property
    def data_name(self) -> str:
        """Name of the dataset, as its index has it."""
        return index_name("+".join(source_names(self.config.data)), listed(self.config.leave_out))

    def definition(self, index: ImageIndex) -> dict[str, Any]:
        """Return all that the study's results depend on, besides its number of trials."""
        tuning = {
            "fine_tune": self.unfrozen.label,
            "augment": self.config.augment,
            "precision": self.config.precision,
            "tuning": TUNING_VERSION,
        }
        engine = {} if self.engine == TENSORFLOW_ENGINE else {"engine": self.engine}
        return {
            "model": self.architecture.key,
            "weights": self.weights.identity,
            **({"network": self.architecture.file.digest} if self.architecture.file else {}),
            "dataset_digest": index.digest,
            **{f"{split}_digest": index.split_digest(split) for split in SPLITS},
            "image_size": self.image_size,
            "fit": self.config.fit,
            **({} if self.config.input == RGB else {"input": self.config.input}),
            "balance": self.config.balance,
            **self.equalisation.definition,
            **({"sources": index.source_digests} if self.config.balance == "sources" else {}),
            **(
                {"generators": index.generators_digest}
                if self.config.balance == "generators"
                else {}
            ),
            **(tuning if self.unfrozen.anything else {}),
            **(engine if self.architecture.pretrained else {}),
            **search_definition(self.config.search),
            **({"folds": self.config.folds} if self.config.folds else {}),
            **({"trial_cores": cores} if (cores := self.config.workers.trial_cores) else {}),
            **({"trial_gpus": gpus} if (gpus := self.config.workers.trial_gpus) else {}),
            "batch_size": self.config.batch_size,
            "epochs": self.config.epochs,
            "seed": self.config.seed,
            "space": SPACE_VERSION,
            "version": STUDY_VERSION,
        }

    def study_name(self, index: ImageIndex) -> str:
        """Return the name asked for, else one derived from the definition."""
        derived = f"{self.architecture.key}-{content_key(self.definition(index))[:8]}"
        return self.config.study or derived


def make_plan(asked: RequestLike[StudyConfig]) -> Plan:
    """Resolve a request's names, weights and sizes."""
    config = checked(asked).request
    architecture = network_named(config.model)
    return Plan(
        config=config,
        architecture=architecture,
        image_size=config.image_size or architecture.image_size,
        weights=resolve_weights(config.weights, architecture, config.seed),
        unfrozen=unfrozen_part(config.fine_tune, architecture),
    )


@_check.register
def _check_suite(config: SuiteConfig) -> None:
    """Refuse a suite of which any study could not begin."""
    study = config.study
    _check_output(config.output)
    _check_at_once(config.at_once, study)
    _check_networks(listed(config.models), study)
    check_data(study.data, study.classes)
    check_layouts(study.data, study.classes)


def _check_at_once(at_once: int, study: StudyConfig) -> None:
    if at_once > 1 and study.workers.cluster == NO_CLUSTER:
        raise UsageError(
            f"at_once {at_once} needs a cluster: studies that share one machine's processors take "
            "each other's time, and their costs say nothing. Add cluster=local, or leave at_once "
            "out."
        )


def _check_networks(names: Sequence[str], shared: StudyConfig) -> None:
    """Refuse what studies of several networks share, and networks that cannot do what is asked."""
    if not names:
        raise UsageError("models is empty; name architectures, joined by commas.")
    known = [network_named(name).key for name in names]
    _check_distinct("models", "architecture", known)
    named = named_weights(shared.weights)
    strangers = sorted(set(named) - {*known, *names})
    if strangers:
        raise UsageError(
            f"weights are given for {strangers[0]!r}, which is not among models "
            f"{','.join(names)!r}."
        )
    for name, file in named.items():
        check_weights_spec(file, network_named(name))
    _check_study_places(shared)
    for name in names:
        study, architecture = study_of(shared, name), network_named(name)
        if not named:
            check_weights_spec(study.weights, architecture)
        unfrozen = unfrozen_part(study.fine_tune, architecture)
        _check_tuning(study, unfrozen)
        _check_engine(study.engine, architecture)
        _check_searched(study, architecture, unfrozen)
        _check_side(study.image_size, architecture)
    _check_study_options(shared)


def suite_studies(config: SuiteConfig) -> list[StudyConfig]:
    """Return the studies of a suite, in the order of its models."""
    return [study_of(config.study, name) for name in listed(config.models)]


def named_weights(weights: str) -> dict[str, str]:
    """Return the file of each model in `model=FILE,model=FILE`; nothing of other weights."""
    if existing_path(weights):
        return {}
    pairs = [part.partition("=") for part in weights.split(",")]
    if not all(equals for _, equals, _ in pairs):
        return {}
    return {model.strip(): file.strip() for model, _, file in pairs}


def study_of(shared: StudyConfig, model: str) -> StudyConfig:
    """Return the study of one model; the `weights` of a shared request may be `MODEL=FILE` pairs.

    What a network cannot use is left at its default: weights and fine-tuning where it trains from
    scratch, residual input where it does not, augmentation and precision where only its head
    trains, the engine where it cannot run it, what is searched where it has no such option.
    """
    architecture = network_named(model)
    study = replace(shared, model=model)
    if not architecture.pretrained:
        study = replace(study, weights=AUTO, fine_tune=FROZEN, engine=AUTO)
    if not architecture.scratch:
        study = replace(study, input=RGB)
        if study.fine_tune == FROZEN:
            study = replace(study, augment=SEARCHED, precision=AUTO)
    if study.engine == ONNX_ENGINE and not architecture.onnx:
        study = replace(study, engine=AUTO)
    trained = _trained(study, unfrozen_part(study.fine_tune, architecture))
    study = replace(study, search=usable(study.search, trained))
    named = named_weights(shared.weights)
    if not named or not architecture.pretrained:
        return study
    return replace(study, weights=named.get(model) or named.get(architecture.key) or AUTO)


@_check.register
def _check_evaluate(config: EvaluateConfig) -> None:
    if not config.model:
        raise UsageError("model is empty; give its address, the id of its run, or 'best'.")
    named_classes(config.classes)
    tested = listed(config.data)
    _check_sets("data", config.data, tested)
    _check_names(tested)
    _check_output(config.output)
    _check_models([config.model], config.description)
    for data in tested:
        check_layouts(data, config.classes, one_class=True)


@_check.register
def _check_robustness(config: RobustnessConfig) -> None:
    names = listed(config.models)
    if not names:
        raise UsageError("models is empty; give addresses, ids of runs, or 'best'.")
    _check_distinct("models", "model", names)
    if config.data:
        check_data(config.data, config.classes)
    elif config.classes:
        raise UsageError(
            "classes names the folders of data, and data is empty: the first model's own test "
            "split is read as its study read it; leave classes out, or name a test set."
        )
    _check_output(config.output)
    _check_models(names, config.description)
    if config.data:
        check_layouts(config.data, config.classes, one_class=True)


def _check_models(names: Sequence[str], description: str) -> None:
    """Refuse names of no model, and a store that cannot be used or is not there to read."""
    check_store_address()
    own = [name for name in names if detector_file(name, description) is None]
    if [name for name in own if name == BEST or model_folder(name) is None]:
        check_store_is_there()


@_check.register
def _check_generalise(config: GeneraliseConfig) -> None:
    """Refuse a matrix of which any study could not begin."""
    trained, tested = listed(config.train), test_sets(config)
    _check_sets("train", config.train, trained)
    classes = config.study.classes
    _check_sets("test", config.test, tested)
    _check_names([*trained, *tested])
    _check_output(config.output)
    _check_at_once(config.at_once, config.study)
    _check_networks(listed(config.models), config.study)
    named_classes(classes)
    for data in trained:
        check_layouts(data, classes)
    for data in tested:
        check_layouts(data, classes, one_class=True)
    several = any(len(split_data(data)) > 1 for data in trained)
    if config.hold_out == "source" and not several:
        raise UsageError(
            "hold_out 'source' needs several datasets joined by '+' in train; it has "
            f"{config.train!r}."
        )


def row_studies(config: GeneraliseConfig) -> list[StudyConfig]:
    """Return the studies of a matrix's rows, model by model.

    Where pictures are to be equalised, each is done on pictures as they are too, and before: an
    equalised study is compared with it.
    """
    shared = config.study
    variants = dict.fromkeys((as_they_are(shared), shared))
    return [
        study_of(replace(variant, data=data), model)
        for model in listed(config.models)
        for data in listed(config.train)
        for variant in variants
    ]


def as_they_are(study: StudyConfig) -> StudyConfig:
    """Return the same study on pictures that pass nothing first."""
    return replace(study, canvas=0, equalise=UNTOUCHED)


def test_sets(config: GeneraliseConfig) -> list[str]:
    """Return the test sets that are named, else every dataset that any row trains on."""
    if config.test:
        return listed(config.test)
    return list(dict.fromkeys(part for data in listed(config.train) for part in split_data(data)))


def _check_sets(parameter: str, text: str, sets: Sequence[str]) -> None:
    """Refuse what names no dataset, or one twice, or a folder that commas would take apart."""
    if "," in text and existing_path(text):
        raise UsageError(
            f"{parameter} {text!r} is a folder with a comma in its name, which joins datasets: "
            "rename it."
        )
    if not sets:
        raise UsageError(f"{parameter} is empty; name datasets or folders, joined by commas.")
    for data in sets:
        check_data(data)
    identities = [JOINT.join(sorted(source_identities(data))) for data in sets]
    _check_distinct(parameter, "dataset", sets, identities)


def _check_distinct(
    parameter: str, kind: str, names: Sequence[str], identities: Sequence[str] = ()
) -> None:
    """Refuse what is named twice; its identities tell, where one thing may have several names."""
    identities = identities or names
    for name, identity in zip(names, identities, strict=True):
        if identities.count(identity) > 1:
            raise UsageError(f"{parameter} names {name!r} twice; name each {kind} once.")


def _check_names(sets: Sequence[str]) -> None:
    """Refuse different folders of one name, which no table could tell apart."""
    known: dict[str, str] = {}
    for data in sets:
        for name, identity in zip(source_names(data), source_identities(data), strict=True):
            if known.setdefault(name, identity) != identity:
                raise UsageError(
                    f"{known[name]} and {identity} are both called {name!r}, which no table could "
                    "tell apart; rename one."
                )
