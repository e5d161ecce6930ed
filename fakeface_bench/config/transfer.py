"""The jobs that ask whether a finished model does elsewhere what it does at home."""

from dataclasses import asdict, dataclass, field
from typing import Any

from fakeface_bench.config.jobs import OF_ONE_STUDY
from fakeface_bench.config.names import BEST, NOTHING, listed
from fakeface_bench.config.study import StudyConfig
from fakeface_bench.credentials import without_credentials

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
