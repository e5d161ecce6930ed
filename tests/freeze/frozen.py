"""What users see, kept in `tests/frozen`, and compared with what there is now."""

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

FROZEN = Path(__file__).resolve().parents[1] / "frozen"
#: `FREEZE=renew` writes the frozen files again in place of comparing; nothing else ever does.
RENEW = os.environ.get("FREEZE") == "renew"
_HINT = (
    "If that was meant, renew it with FREEZE=renew and say in the commit what moved and why "
    "(CONTRIBUTING.md, What may not move by accident)."
)
_MOST_LINES = 200


def assert_frozen(
    name: str,
    found: Mapping[str, Any],
    hint: str = "",
    made_with: Mapping[str, str] | None = None,
) -> None:
    """Compare what JSON can hold with `tests/frozen/<name>.json`.

    Args:
        name: Of the file, with its folder.
        found: What there is now.
        hint: How to see more of what moved than its name.
        made_with: Versions of libraries that decide `found`. Of other versions than those that it
            was recorded with, nothing is compared: this is the one place that lets that pass.
    """
    if made_with:
        kept = _read(f"{name}.json", needed=False)
        if not RENEW and kept and json.loads(kept)["made with"] != made_with:
            return
        found = {"made with": dict(made_with)} | dict(found)
    shown = json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    assert_frozen_text(f"{name}.json", f"{shown}\n", hint)


def assert_frozen_text(name: str, found: str, hint: str = "") -> None:
    """Compare a text with a file of `tests/frozen`; a difference is shown line by line."""
    if RENEW:
        (FROZEN / name).parent.mkdir(parents=True, exist_ok=True)
        (FROZEN / name).write_text(found, encoding="utf-8")
        return
    kept = _read(name)
    if kept == found:
        return
    lines = difflib.unified_diff(
        kept.splitlines(), found.splitlines(), f"frozen/{name}", "now", lineterm="", n=2
    )
    description = list(lines)[:_MOST_LINES]
    pytest.fail(
        "\n".join([f"What users see has moved: {name}", *description, hint, _HINT]), pytrace=False
    )


def _read(name: str, needed: bool = True) -> str:
    file = FROZEN / name
    if needed and not file.exists():
        pytest.fail(f"tests/frozen/{name} is missing; FREEZE=renew writes it.", pytrace=False)
    return file.read_text(encoding="utf-8") if file.exists() else ""
