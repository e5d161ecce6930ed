"""In a notebook's kernel: what a cell shows while a job runs, and what interrupting it does."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from tests.command import ROOT

#: An interrupted cell is back within this.
MOST_SECONDS = 5.0


class Kernel:
    """A running kernel, cell by cell."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager, self._client = manager, client

    def run(self, code: str, interrupt_at: str = "") -> tuple[list[dict[str, Any]], float]:
        """Run a cell; return its outputs, and how long it ran on after it was interrupted.

        Args:
            interrupt_at: The cell is interrupted when it has shown this.
        """
        asked = self._client.execute(code)
        outputs: list[dict[str, Any]] = []
        interrupted = 0.0
        while True:
            try:
                message = self._client.get_iopub_msg(timeout=240)
            except Empty:
                raise AssertionError(f"nothing for minutes, after {outputs[-1:]}") from None
            if message["parent_header"].get("msg_id") != asked:
                continue
            content = message["content"]
            if message["msg_type"] == "status" and content["execution_state"] == "idle":
                return outputs, time.monotonic() - interrupted if interrupted else 0.0
            if message["msg_type"] in ("status", "execute_input"):
                continue
            outputs.append(content | {"msg_type": message["msg_type"]})
            shown = content.get("data", {}).get("text/html", "")
            if interrupt_at and interrupt_at in shown and not interrupted:
                interrupted = time.monotonic()
                self._manager.interrupt_kernel()


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    own = {
        "PYTHONPATH": str(ROOT),
        "FAKEFACE_CACHE": str(tmp_path / "cache"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}",
    }
    manager, client = start_new_kernel(cwd=str(tmp_path), env=os.environ | own)
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


SHOWS = """
from fakeface_bench.api.progress import progress_of
progress = progress_of(True)
progress.say("one <b>line</b>")
with progress.stage("extracting", 30, "images") as advance:
    for _ in range(3):
        import time; time.sleep(0.3); advance(10)
progress.warn("mind this")
progress.say("done")
"""


def test_a_cell_has_one_output_that_changes(kernel: Kernel) -> None:
    outputs, _ = kernel.run(SHOWS)
    assert [output["msg_type"] for output in outputs[:1]] == ["display_data"]
    assert {output["msg_type"] for output in outputs[1:]} == {"update_display_data"}
    shown = [output["data"]["text/html"] for output in outputs if "data" in output]
    assert any('value="20" max="30"' in each and "20 of 30 images" in each for each in shown)
    assert "<progress" not in shown[-1]
    assert "<summary>done</summary>" in shown[-1]
    assert "one &lt;b&gt;line&lt;/b&gt;\nextracting: 30 images in" in shown[-1]
    assert shown[-1].index("Warning: mind this") < shown[-1].index("<details>")
    assert outputs[-1]["data"]["text/plain"].startswith("Warning: mind this\none <b>line</b>\n")


STUDY = """
import fakeface_bench as fb
study = fb.run_study(model={model!r}, data="synthetic", weights="random", {options})
print(study.run_id)
"""
HEADS = STUDY.format(model="mobilenetv3_small", options="trials=4, limit=200")
FITS = STUDY.format(model="simple_cnn", options="trials=1, limit=100, image_size=64, epochs=4")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        (HEADS, "drawing faces"),
        (HEADS, '<progress value="64"'),
        (HEADS, "</progress> searching"),
        (FITS, "<progress"),
    ],
)
def test_an_interrupted_cell_is_back_within_seconds_and_goes_on(
    kernel: Kernel, cell: str, moment: str
) -> None:
    outputs, seconds = kernel.run(cell, interrupt_at=moment)
    assert outputs[-1]["msg_type"] == "error", outputs[-1]
    assert outputs[-1]["ename"] == "KeyboardInterrupt"
    assert 0 < seconds < MOST_SECONDS
    outputs, _ = kernel.run(cell)
    assert outputs[-1]["msg_type"] == "stream", outputs[-1]
    assert len(outputs[-1]["text"].strip()) == 32
