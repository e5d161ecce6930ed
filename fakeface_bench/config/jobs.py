"""The other jobs as they are asked for: an audit, a comparison, a suite, a prediction."""

from dataclasses import asdict, dataclass, field
from typing import Any

from fakeface_bench.config.names import BEST, listed
from fakeface_bench.config.study import StudyConfig
from fakeface_bench.credentials import without_credentials


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
