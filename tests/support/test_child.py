"""A command that is waited for does not outlive the one that waits."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fakeface_bench.support.processes import wait_for

ROOT = Path(__file__).resolve().parents[2]
#: Writes a line for each signal it gets, and ends in its own time.
CHILD = """
import signal, sys, time
def told(number, frame):
    print('got', number, file=open(sys.argv[1], 'a'), flush=True)
    time.sleep(0.5)
    sys.exit(130)
signal.signal(signal.SIGINT, told)
print('ready', file=open(sys.argv[1], 'a'), flush=True)
time.sleep(60)
"""
PARENT = """
import sys
from fakeface_bench.support.processes import wait_for
try:
    print('code', wait_for([sys.executable, '-c', sys.argv[1], sys.argv[2]], {'SAID': 'yes'}))
except KeyboardInterrupt:
    print('interrupted')
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_passed_on_once(tmp_path: Path, number: signal.Signals) -> None:
    said = tmp_path / "said"
    command = [sys.executable, "-c", PARENT, CHILD, str(said)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 20
    while not (said.exists() and "ready" in said.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(parent.pid, number)  # as a terminal does: to the whole group
    time.sleep(0.2)
    os.killpg(parent.pid, number)
    description, _ = parent.communicate(timeout=20)
    assert description == "interrupted\n"
    assert said.read_text().splitlines() == ["ready", f"got {int(signal.SIGINT)}"]


TOLD = """
import sys
from fakeface_bench.support.processes import commands_told_to, wait_for
told = []
with commands_told_to(told.append):
    code = wait_for([sys.executable, '-c', sys.argv[1]], {})
print(code, told)
"""
#: Prints a result, what a terminal alone would be shown, and two lines of how far it is.
PRINTS = """
import os, sys
print('a table of results')
print(os.environ.get('FORCE_COLOR', 'plain'), file=sys.stderr)
sys.stderr.buffer.write(b'half \\xff way\\n\\n')
sys.exit(3)
"""


def test_what_it_prints_is_told_line_by_line_and_its_results_are_not() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "FORCE_COLOR": "1"}
    command = [sys.executable, "-c", TOLD, PRINTS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "3 ['plain', 'half \ufffd way']\n"
    assert done.stderr == ""


def test_the_exit_code_is_passed_back() -> None:
    script = "import os, sys; sys.exit(7 if os.environ['SAID'] == 'yes' else 1)"
    command = [sys.executable, "-c", PARENT, script, ""]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "code 7\n"


def test_an_empty_variable_is_unset_there_and_no_other_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """`CUDA_VISIBLE_DEVICES=` hides all GPUs, which a child has to be told too."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("TO_BE_UNSET", "something")
    told = "import os; kept, gone = (name in os.environ for name in ('CUDA_VISIBLE_DEVICES', "
    code = f"{told}'TO_BE_UNSET')); raise SystemExit(7 if kept and not gone else 1)"
    assert wait_for([sys.executable, "-c", code], {"TO_BE_UNSET": ""}) == 7
