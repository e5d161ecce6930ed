"""What serving a model costs, over HTTP and by the command: figures README quotes.

    python benchmarks/serving.py --faces FOLDER --weights FILE --output RESULT.json

mobilenetv3_small at 224 pixels with a head of random values, logged and registered as a study
does it. Three ways take the same files, the ways in turn, and the median of the rounds is quoted:
extraction of features as a study does it (decoded from files, frozen graph, batches of 32), the
job behind `fakeface-bench predict`, and the real `mlflow models serve`, asked over HTTP for 32
pictures at a time by one and by two clients whose requests are made beforehand. Then how long a
server takes to its first answer, and what it holds in memory over thousands of requests.

It needs a machine that does nothing else. Clients share the cores with the server.
"""

import base64
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402

MODEL, SIZE, BATCH, SEED = "mobilenetv3_small", 224, 32, 0
ADDRESS = "models:/fakeface@champion"
#: Pictures that each round takes, and those in one request while memory is watched.
IMAGES, PICTURES_A_REQUEST = 1024, 4
#: Requests between two looks at the server's memory, and those that warm it up.
REQUESTS_A_SAMPLE, WARM_UP = 100, 500
SECONDS_TO_START = 120
#: HTTP and the command as shares of extraction; seconds to the first answer; growth of memory.
LEAST_HTTP, LEAST_PREDICT, MOST_SECONDS, MOST_MB_A_THOUSAND = 0.60, 0.85, 15.0, 2.0


def log_small_model(weights: str, example: Path, folder: Path) -> str:
    """Log and register the detector in a new store; return the store's address."""
    import keras
    import mlflow

    from fakeface_bench.backbones.building import build_backbone
    from fakeface_bench.backbones.catalogue import architecture_named
    from fakeface_bench.backbones.weights import resolve_weights
    from fakeface_bench.config import HeadConfig
    from fakeface_bench.data.decode import decode_bytes, seen_pixels
    from fakeface_bench.data.seen import SeenImages
    from fakeface_bench.features.pooling import feature_model
    from fakeface_bench.features.samples import Samples
    from fakeface_bench.serving.classifier import DetectorFacts
    from fakeface_bench.support.disk import draft_folder
    from fakeface_bench.tracking.entries import Recipient
    from fakeface_bench.tracking.logged_model import LogModel
    from fakeface_bench.tracking.model import write_model
    from fakeface_bench.training.head import Calibration
    from fakeface_bench.training.head_fit import HeadRows
    from fakeface_bench.training.networks import FrozenNetwork

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    architecture = architecture_named(MODEL)
    backbone = build_backbone(architecture, SIZE, resolve_weights(weights, architecture, SEED))
    network = FrozenNetwork(backbone)
    pixels = rng.integers(0, 256, (8, SIZE, SIZE, 3)).astype(np.float32)
    arrays = {name: part.numpy() for name, part in feature_model(backbone)(pixels).items()}
    samples = Samples(arrays, (np.arange(8) % 2).astype(np.uint8))
    classifier = network.classifier(HeadRows(samples), HeadConfig(), 1)
    logits = classifier.get_layer("logits")
    kernel, bias = logits.get_weights()
    logits.set_weights([rng.normal(0, len(kernel) ** -0.5, kernel.shape), bias])
    detector = network.complete(classifier, HeadConfig(), Calibration())
    os.environ["MLFLOW_TRACKING_URI"] = store = f"sqlite:///{folder / 'mlflow.db'}"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    client = mlflow.MlflowClient()
    experiment = client.create_experiment("serving", (folder / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment) as run, draft_folder() as draft:
        nothing = SeenImages(*[np.zeros((0, 32), np.uint8)] * 3)
        pixels = seen_pixels(decode_bytes(example), SIZE, "crop")
        write_model(draft, detector, DetectorFacts(SIZE, "crop", 0.5), pixels, nothing)
        entry, recipient = LogModel(run.info.run_id, {}), Recipient({})
        entry.deliver(recipient, draft, again=False)
        model_id = recipient.id_of(entry.name)
    logged = mlflow.register_model(f"models:/{model_id}", "fakeface")
    client.set_registered_model_alias("fakeface", "champion", logged.version)
    return store


class Server:
    """The real `mlflow models serve` on a free port; `close` ends it with all that it started."""

    def __init__(self, store: str, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = folder / f"server-{self.port}.log"
        command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", ADDRESS]
        scripts = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.started = time.perf_counter()
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [*command, "--env-manager", "local", "--port", str(self.port)],
                env={**os.environ, "MLFLOW_TRACKING_URI": store, "PATH": scripts},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def first_answer_seconds(self, body: bytes) -> float:
        """Wait for the first answer; return the seconds since the command started."""
        while time.perf_counter() - self.started < SECONDS_TO_START:
            if self.process.poll() is not None:
                break
            try:
                ask(self.connection(), body)
            except OSError:
                time.sleep(0.02)
            else:
                return time.perf_counter() - self.started
        self.close()
        raise SystemExit(f"the server did not start:\n{self.log.read_text()}")

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection to it, which is kept alive."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_TO_START)

    def memory_mb(self) -> float:
        """Return what the command and all that it started hold, in 10⁶ bytes."""
        import psutil

        parent = psutil.Process(self.process.pid)
        family = [parent, *parent.children(recursive=True)]
        return float(sum(process.memory_info().rss for process in family)) / 1e6

    def close(self) -> None:
        """End it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def serving(store: str, folder: Path, body: bytes) -> Iterator[tuple[Server, float]]:
    """Yield a server that has answered once, and the seconds that took; it ends with the block."""
    server = Server(store, folder)
    seconds = server.first_answer_seconds(body)
    try:
        yield server, seconds
    finally:
        server.close()


def ask(connection: http.client.HTTPConnection, body: bytes) -> int:
    """Ask for verdicts; return how many came."""
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read()
    if response.status != 200:
        raise SystemExit(f"the server answered {response.status}: {text[:500]!r}")
    rows = json.loads(text)["predictions"]
    if any(row["error"] for row in rows):
        raise SystemExit(f"a picture was not read: {rows}")
    return len(rows)


def requests_of(files: Sequence[Path], size: int) -> list[bytes]:
    """Return bodies of requests for `size` pictures each."""
    rows = [{"image": base64.b64encode(file.read_bytes()).decode()} for file in files]
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [json.dumps({"dataframe_records": batch}).encode() for batch in batches]


def over_http(server: Server, bodies: Sequence[bytes], clients: int) -> int:
    """Send all requests, shared between clients of one connection each."""

    def client(number: int) -> int:
        connection = server.connection()
        return sum(ask(connection, body) for body in bodies[number::clients])

    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(client, range(clients)))


def offline_ways(files: Sequence[Path], weights: str, store: str) -> dict[str, Callable[[], Any]]:
    """Return extraction as a study does it, and the job behind `fakeface-bench predict`."""
    from fakeface_bench.api.progress import ConsoleProgress
    from fakeface_bench.backbones.building import open_backbone
    from fakeface_bench.backbones.catalogue import architecture_named
    from fakeface_bench.backbones.weights import resolve_weights
    from fakeface_bench.cli.output import row_writer
    from fakeface_bench.features.source import BackboneSource
    from fakeface_bench.features.store import extract_to
    from fakeface_bench.jobs.predict import load_classifier, predict_files
    from fakeface_bench.tracking.model_source import fetched_model

    architecture = architecture_named(MODEL)
    backbone = open_backbone(architecture, SIZE, resolve_weights(weights, architecture, SEED))
    source = BackboneSource(MODEL, "crop", BATCH, backbone=backbone)
    with fetched_model(ADDRESS) as folder:
        classifier = load_classifier(folder)

    def extraction() -> None:
        with tempfile.TemporaryDirectory() as folder:
            # Contents that no cache holds, so that every picture passes the network.
            unknown = [f"{folder}{number}" for number in range(len(files))]
            extract_to(Path(folder), source, unknown, files, ConsoleProgress())

    def prediction() -> None:
        with open(os.devnull, "w") as nowhere:
            write = row_writer("csv", nowhere, 80)
            predict_files(classifier, files, write, ConsoleProgress())

    return {"extraction": extraction, "predict": prediction}


def throughput(
    files: Sequence[Path], weights: str, store: str, folder: Path, rounds: int
) -> dict[str, Any]:
    """Return images/s of each way, the ways in turn."""
    bodies = requests_of(files, BATCH)
    with serving(store, folder, bodies[0]) as (server, _):
        ways = offline_ways(files, weights, store) | {
            "http, 1 client": lambda: over_http(server, bodies, 1),
            "http, 2 clients": lambda: over_http(server, bodies, 2),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name, way in ways.items():
                started = time.perf_counter()
                way()
                if number:  # the first round compiles
                    seconds[name].append(time.perf_counter() - started)
    rates = {name: sorted(len(files) / spent for spent in row) for name, row in seconds.items()}
    median = {name: statistics.median(row) for name, row in rates.items()}
    return {
        "images_per_second": median,
        "rounds": rates,
        "of_extraction": {name: rate / median["extraction"] for name, rate in median.items()},
    }


def command_seconds(files: Sequence[Path], folder: Path, rounds: int) -> dict[str, float]:
    """Return the median seconds of the whole command, loading TensorFlow and the model included."""
    names = folder / "files"
    names.mkdir()
    for number, file in enumerate(files):
        (names / f"{number:05}{file.suffix}").symlink_to(file)
    command = [sys.executable, "-m", "fakeface_bench", "predict", ADDRESS, str(names)]
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        options = ["--format", "csv", "--output", str(folder / "rows.csv")]
        subprocess.run([*command, *options], cwd=ROOT, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    seconds = statistics.median(times)
    return {"seconds": seconds, "images_per_second": len(files) / seconds}


def starts(store: str, folder: Path, body: bytes, count: int) -> list[float]:
    """Return the seconds from the command to the first answer, of several starts."""
    taken = []
    for _ in range(count):
        with serving(store, folder, body) as (_, seconds):
            taken.append(seconds)
    return taken


def memory(store: str, folder: Path, files: Sequence[Path], requests: int) -> dict[str, Any]:
    """Return what a server holds over many requests, and how fast that grows after the warm-up."""
    bodies = requests_of(files[: 40 * PICTURES_A_REQUEST], PICTURES_A_REQUEST)
    held = []
    with serving(store, folder, bodies[0]) as (server, _):
        connection = server.connection()
        for number in range(1, requests + 1):
            ask(connection, bodies[number % len(bodies)])
            if number % REQUESTS_A_SAMPLE == 0:
                held.append((number, server.memory_mb()))
    warm = [(number, mb) for number, mb in held if number >= min(WARM_UP, requests // 2)]
    at, mb = zip(*warm, strict=True)
    return {
        "requests": requests,
        "pictures_a_request": PICTURES_A_REQUEST,
        "warm_mb": mb[0],
        "end_mb": mb[-1],
        "peak_mb": max(mb),
        "mb_per_1000_requests": float(np.polyfit(at, mb, 1)[0] * 1000),
        "samples_mb": [round(value, 1) for _, value in held],
    }


def targets(figures: dict[str, Any]) -> dict[str, bool]:
    """Say which targets are met."""
    shares = figures["throughput"]["of_extraction"]
    best = max(shares["http, 1 client"], shares["http, 2 clients"])
    growth = figures["memory"]["mb_per_1000_requests"]
    return {
        f"HTTP at least {LEAST_HTTP} of extraction": best >= LEAST_HTTP,
        f"predict at least {LEAST_PREDICT} of extraction": shares["predict"] >= LEAST_PREDICT,
        f"every first answer under {MOST_SECONDS} s": max(figures["first_answer_seconds"])
        < MOST_SECONDS,
        f"memory grows by at most {MOST_MB_A_THOUSAND} MB a thousand requests": growth
        <= MOST_MB_A_THOUSAND,
    }


def pictures(faces: Path | None, folder: Path) -> list[Path]:
    """Return the files to classify: the given ones, else the embedded faces, drawn now."""
    from fakeface_bench.data.listing import named_files
    from fakeface_bench.data.synthetic.dataset import write_synthetic

    if faces is None:
        faces = folder / "synthetic"
        write_synthetic(faces, images=IMAGES, seed=SEED)
    return named_files([str(faces.resolve())])[:IMAGES]


@click.command()
@click.option("--faces", type=click.Path(path_type=Path, exists=True), help="Folder of faces.")
@click.option("--weights", default="random", help="Weights file of the backbone, or random.")
@click.option("--rounds", default=5, show_default=True, help="Rounds of each measurement.")
@click.option("--starts", "count", default=3, show_default=True, help="Starts of the server.")
@click.option("--requests", default=5000, show_default=True, help="While memory is watched.")
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(
    faces: Path | None, weights: str, rounds: int, count: int, requests: int, output: Path | None
) -> None:
    """Measure serving on this machine."""
    from fakeface_bench.support.machine import start_tensorflow

    start_tensorflow()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = pictures(faces, folder)
        store = log_small_model(weights, files[0], folder)
        figures: dict[str, Any] = {
            "machine": machine("tensorflow", "keras", "mlflow", "numpy", "pandas", "pillow"),
            "model": f"{MODEL} at {SIZE} px, {Path(weights).name} weights",
            "faces": faces.name if faces else "synthetic",
            "images": len(files),
            "mean_file_kb": statistics.mean(file.stat().st_size for file in files) / 1e3,
            "batch": BATCH,
            "seed": SEED,
            "throughput": throughput(files, weights, store, folder, rounds),
            "whole_command": command_seconds(files, folder, min(rounds, 3)),
            "first_answer_seconds": starts(store, folder, requests_of(files[:1], 1)[0], count),
            "memory": memory(store, folder, files, requests),
        }
    figures["targets"] = targets(figures)
    click.echo(json.dumps(figures, indent=1))
    keep(figures, output)


if __name__ == "__main__":
    main()
