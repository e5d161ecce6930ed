"""Draws the pictures of README and docs that show pages and MLflow's UI, as Chromium shows them.

    python docs/pictures.py study
    python docs/pictures.py comparison --faces FOLDER --weights FILE
    python docs/pictures.py audit --faces FOLDER

The others are artifacts of runs: `explain/evidence_*.png` of a study, and what
`benchmarks/generalise.py`, `robustness.py` and `unseen_generators.py` draw.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import click

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
#: Of a window on a laptop; pictures are cut to a height of their own.
WIDTH = 1080
#: Until a page has drawn itself.
WAIT_MS = 5_000


def called(place: Path, *words: str) -> str:
    """Run a command of the project in a folder with a store of its own; return its output."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "MLFLOW_TRACKING_URI": f"sqlite:///{place / 'mlflow.db'}",
    }
    command = [sys.executable, "-m", "fakeface_bench", *words]
    ran = subprocess.run(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return ran.stdout


@contextmanager
def mlflow_ui(place: Path) -> Iterator[str]:
    """Serve MLflow's UI on a store until the block ends; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = f"sqlite:///{place / 'mlflow.db'}"
    words = ["mlflow", "ui", "--backend-store-uri", store, "--port", str(port), "--workers", "1"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        [sys.executable, "-m", *words], cwd=place, stdout=quiet, stderr=quiet
    ) as server:
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(120):
                time.sleep(0.5)
                try:
                    urlopen(address, timeout=1).close()
                    break
                except OSError:
                    continue
            yield address
        finally:
            server.terminate()


def shoot(address: str, name: str, height: int, width: int = WIDTH, part: str = "") -> None:
    """Keep what a page shows above a height.

    Args:
        part: Selects the element that is kept; empty for all.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(address)
        page.wait_for_timeout(WAIT_MS)
        for button in page.get_by_text("Show more", exact=True).all():
            button.click()
        page.wait_for_timeout(WAIT_MS)
        clip = page.locator(part).first.bounding_box() if part else None
        page.screenshot(path=IMAGES / name, clip=clip)
        browser.close()
    click.echo(IMAGES / name)


@click.group()
def draw() -> None:
    """Draw one picture."""


@draw.command()
def study() -> None:
    """The default study, in MLflow's UI."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        shown = called(place, "run", "--model", "mobilenetv3", "--weights", "random")
        run = shown.split("/#/experiments/")[1].split()[0]
        with mlflow_ui(place) as address:
            shoot(f"{address}/#/experiments/{run}", "study.png", 1_000, 1_680, "main")


@draw.command()
@click.option("--faces", required=True)
@click.option("--weights", required=True)
def comparison(faces: str, weights: str) -> None:
    """The page of a suite of three networks."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        called(
            place,
            *("suite", "--models", "residual,mobilenetv3_small,simple_cnn_pool"),
            *("--data", faces, "--weights", f"mobilenetv3_small={weights}"),
            *("--trials", "5", "--epochs", "5"),
        )
        shoot((place / "comparison" / "report.html").as_uri(), "comparison.png", 840)


@draw.command()
@click.option("--faces", required=True)
def audit(faces: str) -> None:
    """The page of an audit."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        called(place, "audit", faces, "--output", "audit")
        shoot((place / "audit" / "audit.html").as_uri(), "audit.png", 1_450)


if __name__ == "__main__":
    draw()
