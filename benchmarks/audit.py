"""Speed, memory and recall of an audit: the metrics README quotes.

    python benchmarks/audit.py                  # all of it, on the embedded faces
    python benchmarks/audit.py --faces FOLDER   # recall on your own faces as well

Each speed is measured in a process of its own, with an empty cache, so that its peak memory is its
own too. The second audit of a pair runs in the same process as the first. Hashes for the search are
generated, once at random and once with the embedded faces' own correlations between bits, which
leaves many more pairs to look at closely.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from scipy.stats import norm

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402
from fakeface_bench.data.decode import decode_bytes  # noqa: E402
from fakeface_bench.data.duplicates import similar_pairs  # noqa: E402
from fakeface_bench.data.facts import HASH_BYTES, SIGNATURE_BYTES, signature  # noqa: E402
from fakeface_bench.data.synthetic.dataset import write_synthetic  # noqa: E402
from fakeface_bench.data.twins import detail_correlation  # noqa: E402

RECALL_IMAGES = 300
#: Pairs among unchanged images that are looked at, at most.
PAIRS_LOOKED_AT = 200


class Silence:
    """Progress that nobody watches."""

    @contextmanager
    def stage(self, title: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        yield lambda units: None

    def say(self, line: str) -> None: ...

    def warn(self, line: str) -> None: ...


def measure_audit(images: int) -> dict[str, float]:
    """Audit newly drawn faces twice; the library's work, without MLflow and the report."""
    from fakeface_bench.study.preparation import prepare_dataset

    with tempfile.TemporaryDirectory() as folder:
        os.environ["FAKEFACE_CACHE"] = f"{folder}/cache"
        faces = Path(folder, "faces")
        write_synthetic(faces, images, 0)
        seconds = []
        for _ in range(2):
            started = time.perf_counter()
            prepare_dataset(str(faces), 0, Silence())
            seconds.append(time.perf_counter() - started)
    return {
        "images": images,
        "first_seconds": seconds[0],
        "images_per_second": images / seconds[0],
        "second_seconds": seconds[1],
        "times_faster": seconds[0] / seconds[1],
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def measure_search(hashes: int, correlated: bool) -> dict[str, float]:
    """Search duplicates among generated hashes."""
    rng = np.random.default_rng(0)
    signatures = rng.integers(0, 256, (hashes, SIGNATURE_BYTES), dtype=np.uint8)
    if correlated:
        bits = bits_like_faces(hashes, rng)
        signatures[:, :HASH_BYTES] = np.packbits(bits, axis=1)
        signatures[:, HASH_BYTES : 2 * HASH_BYTES] = np.packbits(bits_like_faces(hashes, rng), 1)
    return {"hashes": hashes, **timed_search(signatures)}


def timed_search(signatures: np.ndarray[Any, Any]) -> dict[str, float]:
    """Search once; this process's peak memory is the search's own."""
    started = time.perf_counter()
    pairs = similar_pairs(signatures, Silence())
    return {
        "seconds": time.perf_counter() - started,
        "pairs": len(pairs.first),
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def bits_like_faces(hashes: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Draw hash bits whose correlations are those of drawn faces (a Gaussian copula)."""
    with tempfile.TemporaryDirectory() as folder:
        write_synthetic(Path(folder), 400, 0)
        seen = [signature(decode_bytes(path)) for path in sorted(Path(folder).rglob("*.jpg"))]
    packed = np.frombuffer(b"".join(seen), np.uint8).reshape(len(seen), -1)[:, :HASH_BYTES]
    bits = np.unpackbits(packed, axis=1).astype(float)
    with np.errstate(invalid="ignore"):  # a bit that never varies correlates with none
        correlation = np.nan_to_num(np.corrcoef(bits, rowvar=False))
    values, vectors = np.linalg.eigh(np.sin(np.pi / 2 * correlation))
    mixing = vectors * np.sqrt(np.maximum(values, 0))
    latent = rng.standard_normal((hashes, len(values)), dtype=np.float32) @ mixing.T
    return latent > np.sqrt((mixing**2).sum(1)) * norm.ppf(1 - np.clip(bits.mean(0), 0.01, 0.99))


def measure_crowd(images: int) -> dict[str, float]:
    """Search among nearly identical images, as frames of one clip are."""
    rng = np.random.default_rng(0)
    signatures = np.tile(rng.integers(0, 256, SIGNATURE_BYTES, dtype=np.uint8), (images, 1))
    signatures[np.arange(images), rng.integers(0, HASH_BYTES, images)] ^= 1
    return {"images": images, **timed_search(signatures)}


def encoded(image: Image.Image, **options: Any) -> Image.Image:
    """Save and read again."""
    with tempfile.SpooledTemporaryFile(max_size=2**24) as file:
        image.save(file, **options)
        return decode_bytes(file)  # type: ignore[arg-type]


def scaled(image: Image.Image, by: float) -> Image.Image:
    size = (round(image.width * by), round(image.height * by))
    return image.resize(size, Image.Resampling.BICUBIC)


def cropped(image: Image.Image, share: float) -> Image.Image:
    """Cut a margin off each side."""
    x, y = (max(1, round(side * share)) for side in image.size)
    return image.crop((x, y, image.width - x, image.height - y))


def noisy(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 10, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    **{
        f"JPEG quality {quality}": lambda image, q=quality: encoded(image, format="JPEG", quality=q)
        for quality in (90, 75, 50, 30, 10)
    },
    "WebP quality 60": lambda image: encoded(image, format="WEBP", quality=60),
    "scaled to a quarter": lambda image: scaled(image, 0.25),
    "scaled to double": lambda image: scaled(image, 2.0),
    "brightness 0.7": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "brightness 1.2": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "contrast 1.3": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "greyscale": lambda image: image.convert("L").convert("RGB"),
    "Gaussian blur 2 px": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "Gaussian noise 10/255": noisy,
    "mirrored": ImageOps.mirror,
    "mirrored, JPEG quality 50": lambda image: encoded(
        ImageOps.mirror(image), format="JPEG", quality=50
    ),
    "turned by 1 degree": lambda image: image.rotate(1, Image.Resampling.BICUBIC),
    "margin of 1 % cut off": lambda image: cropped(image, 0.01),
    "margin of 2 % cut off": lambda image: cropped(image, 0.02),
    "margin of 5 % cut off": lambda image: cropped(image, 0.05),
}


def measure_recall(folder: Path) -> dict[str, Any]:
    """Return the share of changed copies found, by kind of change, and pairs of unchanged ones.

    Of both what a closer look says: copies correlate in detail, pictures drawn again do less.
    """
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    every = [signature(decode_bytes(path)) for path in paths]
    pairs = similar_pairs(
        np.frombuffer(b"".join(every), np.uint8).reshape(len(every), -1), Silence()
    )
    chosen = np.random.default_rng(0).choice(
        len(paths), min(RECALL_IMAGES, len(paths)), replace=False
    )
    recall, least_detail = {}, {}
    for name, change in CHANGES.items():
        details = []
        for number in chosen:
            changed = change(decode_bytes(paths[number]))
            two = np.frombuffer(every[number] + signature(changed), np.uint8).reshape(2, -1)
            found = similar_pairs(two, Silence())
            if len(found.first) and found.near[0]:
                details.append(detail_of(paths[number], changed, bool(found.mirrored[0])))
        recall[name] = len(details) / len(chosen)
        least_detail[name] = min(details, default=None)
    return {
        "images": len(paths),
        "compared_pairs": len(paths) * (len(paths) - 1) // 2,
        "pairs_among_unchanged": [
            {
                "bits": int(pairs.distance[place]),
                "near": bool(pairs.near[place]),
                "detail": detail_correlation(
                    paths[pairs.first[place]],
                    paths[pairs.second[place]],
                    bool(pairs.mirrored[place]),
                ),
            }
            for place in range(min(len(pairs.first), PAIRS_LOOKED_AT))
        ],
        "copies_of_each_kind": len(chosen),
        "recall": recall,
        "least_detail_of_those_found": least_detail,
    }


def detail_of(path: Path, changed: Image.Image, mirrored: bool) -> float:
    """Return how well a changed copy correlates in detail with its original."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        changed.save(file.name)
        return detail_correlation(path, Path(file.name), mirrored)


TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "audit": lambda images: measure_audit(int(images)),
    "search, random hashes": lambda hashes: measure_search(int(hashes), False),
    "search, hashes like faces": lambda hashes: measure_search(int(hashes), True),
    "search, nearly identical images": lambda images: measure_crowd(int(images)),
    "recall": lambda folder: measure_recall(Path(folder)),
}


def in_own_process(task: str, argument: str) -> dict[str, Any]:
    """Run one of `TASKS` in a new process and return its figures."""
    command = [sys.executable, __file__, "--task", task, argument]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures: dict[str, Any] = json.loads(printed.splitlines()[-1])
    click.echo(f"{task}: {json.dumps(figures)}")
    return figures


@click.command()
@click.option("--images", default=4000, show_default=True, help="Drawn faces to audit.")
@click.option("--hashes", default=140_000, show_default=True, help="Hashes to search.")
@click.option("--faces", type=click.Path(path_type=Path), help="Folder for recall, too.")
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
@click.option("--task", type=(click.Choice(list(TASKS)), str), hidden=True)
def main(
    images: int, hashes: int, faces: Path | None, output: Path | None, task: tuple[str, str] | None
) -> None:
    """Measure an audit on this machine."""
    if task:
        click.echo(json.dumps(TASKS[task[0]](task[1])))
        return
    figures: dict[str, Any] = {"seed": 0}
    figures["audit"] = in_own_process("audit", str(images))
    for kind in ("search, random hashes", "search, hashes like faces"):
        figures[kind] = in_own_process(kind, str(hashes))
    kind = "search, nearly identical images"
    figures[kind] = in_own_process(kind, "10000")
    with tempfile.TemporaryDirectory() as folder:
        write_synthetic(Path(folder), 2000, 0)
        figures["recall, embedded faces"] = in_own_process("recall", folder)
    if faces:
        figures[f"recall, {faces.name}"] = in_own_process("recall", str(faces))
    description = machine("pillow", "imagehash", "numpy", "pandas", "scikit-learn")
    click.echo(json.dumps(description))
    keep({"machine": description, **figures}, output)


if __name__ == "__main__":
    main()
