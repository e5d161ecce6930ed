"""What a user asks for, and what one trial tries: frozen records, the same keys everywhere."""

from fakeface_bench.config.jobs import AuditConfig, CompareConfig, SuiteConfig
from fakeface_bench.config.names import (
    AUGMENTS,
    AUTO,
    BALANCES,
    CLASS_NAMES,
    FAKE,
    FITS,
    FROZEN,
    PRECISIONS,
    REAL,
    SEARCHED,
)
from fakeface_bench.config.study import StudyConfig
from fakeface_bench.config.trial import HeadConfig, TrialConfig, TuningConfig

__all__ = [
    "AUGMENTS",
    "AUTO",
    "BALANCES",
    "CLASS_NAMES",
    "FAKE",
    "FITS",
    "FROZEN",
    "PRECISIONS",
    "REAL",
    "SEARCHED",
    "AuditConfig",
    "CompareConfig",
    "HeadConfig",
    "StudyConfig",
    "SuiteConfig",
    "TrialConfig",
    "TuningConfig",
]
