"""`precision=auto`: what is measured, and what is taken by it."""

import math
from pathlib import Path
from typing import Any

import pytest

from fakeface_bench.support import machine
from fakeface_bench.training import fit
from fakeface_bench.training.fit import Precision, choose_precision

FLAGS = "processor\t: 0\nmodel name\t: A\nflags\t\t: fpu avx2 {}\n\nprocessor\t: 1\n"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Seconds of a step in each precision; what is asked for is measured so."""
    seconds: dict[str, float] = {}
    monkeypatch.setattr(fit, "replace", lambda task, precision: precision)
    monkeypatch.setattr(fit, "_step_seconds", lambda name, config: seconds[name])
    return seconds


def chosen(asked: str = "auto") -> Precision:
    nothing: Any = None
    return choose_precision(asked, nothing, nothing)


@pytest.mark.parametrize(
    ("description", "may"),
    [
        (FLAGS.format("fma"), False),
        (FLAGS.format("avx512_bf16"), True),
        ("processor : 0\nFeatures : fp asimd\n", False),
        ("processor : 0\nFeatures : fp asimd bf16\n", True),
        (None, True),
    ],
)
def test_linux_tells_whether_bfloat16_is_in_hardware(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, description: str | None, may: bool
) -> None:
    file = tmp_path / "cpuinfo"
    if description is not None:
        file.write_text(description)
    monkeypatch.setattr(machine, "_PROCESSORS", file)
    assert machine.may_have_bfloat16() == may


def test_what_is_emulated_is_not_measured(
    measured: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine can make it look fast, and like studies would train in unlike precisions."""
    monkeypatch.setattr(fit, "gpus", list)
    monkeypatch.setattr(fit, "may_have_bfloat16", lambda: False)
    measured |= {"float32": 2.0, "mixed_bfloat16": 1.0}
    assert chosen() == Precision("float32", {})


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ((2.0, 1.0), "mixed_bfloat16"),
        ((1.05, 1.0), "float32"),
        ((1.0, 2.0), "float32"),
        ((math.inf, 1.0), "mixed_bfloat16"),
        ((math.inf, math.inf), "float32"),
    ],
)
def test_a_processor_with_bfloat16_takes_it_where_it_is_worth_it(
    measured: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
    seconds: tuple[float, float],
    expected: str,
) -> None:
    monkeypatch.setattr(fit, "gpus", list)
    monkeypatch.setattr(fit, "may_have_bfloat16", lambda: True)
    measured |= dict(zip(("float32", "mixed_bfloat16"), seconds, strict=True))
    assert chosen() == Precision(expected, measured)


def test_a_gpu_is_tried_in_float16_too(
    measured: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "gpus", lambda: ["GPU:0"])
    measured |= {"float32": 3.0, "mixed_bfloat16": 2.0, "mixed_float16": 1.0}
    assert chosen() == Precision("mixed_float16", measured)
    assert chosen("mixed_bfloat16") == Precision("mixed_bfloat16", {})
