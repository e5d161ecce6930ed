"""What a user asks for, and what one trial tries: frozen records, the same keys everywhere."""

from fakeface_bench.config.jobs import (
    PREDICTION_FORMS,
    AuditConfig,
    CompareConfig,
    PredictConfig,
    RegisterConfig,
    SuiteConfig,
)
from fakeface_bench.config.names import (
    AUGMENTS,
    AUTO,
    BALANCES,
    BEST,
    CLASS_NAMES,
    DIGEST_DIGITS,
    FAKE,
    FITS,
    FROZEN,
    PRECISIONS,
    REAL,
    SEARCHED,
    UNTOUCHED,
)
from fakeface_bench.config.study import (
    STORAGE_VARIABLE,
    StudyConfig,
    equalising_quality,
    without_credentials,
)
from fakeface_bench.config.transfer import (
    HOLD_OUTS,
    EvaluateConfig,
    GeneraliseConfig,
    RobustnessConfig,
    listed,
)
from fakeface_bench.config.trial import HeadConfig, TrialConfig, TuningConfig
from fakeface_bench.config.versions import (
    FIGURES_VERSION,
    SPACE_VERSION,
    STUDY_VERSION,
    TUNING_VERSION,
)

__all__ = [
    "AUGMENTS",
    "AUTO",
    "BALANCES",
    "BEST",
    "CLASS_NAMES",
    "DIGEST_DIGITS",
    "FAKE",
    "FIGURES_VERSION",
    "FITS",
    "FROZEN",
    "HOLD_OUTS",
    "PRECISIONS",
    "PREDICTION_FORMS",
    "REAL",
    "SEARCHED",
    "SPACE_VERSION",
    "STORAGE_VARIABLE",
    "STUDY_VERSION",
    "TUNING_VERSION",
    "UNTOUCHED",
    "AuditConfig",
    "CompareConfig",
    "EvaluateConfig",
    "GeneraliseConfig",
    "HeadConfig",
    "PredictConfig",
    "RegisterConfig",
    "RobustnessConfig",
    "StudyConfig",
    "SuiteConfig",
    "TrialConfig",
    "TuningConfig",
    "equalising_quality",
    "listed",
    "without_credentials",
]
