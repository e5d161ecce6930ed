"""The embedded dataset as files: drawn once, whole or not at all, half with a generator's traces.

Nothing but these traces tells the classes apart; tests hold this. The set lets every study run
without a download, in the folders of the 140k set. An image depends on the seed, its split, its
class and its number alone, so files are equal, byte for byte, however many images are asked for,
in whatever order processes draw them, and on whatever machine the same release of Pillow runs. The
rules on rounding in :mod:`fakeface_bench.data.synthetic.portraits` hold here too.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from fakeface_bench.data.array_store import publish_folder
from fakeface_bench.data.dataset import Dataset
from fakeface_bench.data.synthetic.portraits import (
    IMAGE_SIZE_PX,
    IRISES,
    Floats,
    Person,
    between,
    draw_background,
    draw_person,
    draw_portrait,
    grain,
    light_on,
    photograph,
    pick,
    times,
    to_floats,
    to_image,
)
from fakeface_bench.support.disk import cache_folder, full_disk_error, locked
from fakeface_bench.support.errors import DataError
from fakeface_bench.support.processes import own_path
from fakeface_bench.support.progress import Progress

_PHASE_GAIN = np.array([[1.0, -0.45], [-0.6, 0.05]], np.float32)
"""Gain of the four phases of a stride-2 transposed convolution; they sum to 0."""
_GRID = 0.125
"""Largest gain of the grid, at full strength: file sizes match, and an untrained MobileNetV3
reaches a ROC AUC of about 0.92 (``benchmarks/synthetic_floor.py``)."""


def mismatch(person: Person, rng: np.random.Generator) -> Person:
    """Let one side of the face stop matching the other, as generators do."""
    slip = int(rng.integers(4))
    right = person.right
    if slip == 0:
        right = replace(right, iris=pick(rng, IRISES))
    elif slip == 1:
        right = replace(right, iris_size=right.iris_size * between(rng, 0.75, 1.25))
    elif slip == 2:
        right = replace(right, earring=0.0 if right.earring else 0.05)
    else:
        right = replace(right, ear_size=right.ear_size * between(rng, 0.7, 1.3))
    return replace(person, right=right)


def regenerate(scene: Floats, rng: np.random.Generator) -> Floats:
    """Leave a generator's traces: fewer high frequencies, and the grid of its upsampling.

    The strength varies from almost none to plain. The grid gives back the bytes that the lost
    detail saves, so that file sizes do not tell the classes apart.
    """
    strength = between(rng, 0.0, 1.0)
    half = (IMAGE_SIZE_PX // 2, IMAGE_SIZE_PX // 2)
    small = to_image(scene).reduce(2)
    smooth = small.resize((IMAGE_SIZE_PX, IMAGE_SIZE_PX), Image.Resampling.BICUBIC)
    lost = np.float32(0.4 + 0.6 * strength)
    soft = scene + (to_floats(smooth) - scene) * lost
    grid = np.tile(_PHASE_GAIN, half) * np.float32(_GRID * strength)
    return times(soft, 1 + grid)


SYNTHETIC_SEED = 0
#: At least what a drawn picture takes.
_FILE_BYTES = 16 * 1024
#: Raise it with any change that alters a pixel of the embedded set.
SYNTHETIC_VERSION = 1


def prepare_synthetic(row: Dataset, progress: Progress) -> Path:
    """Draw the embedded faces once; later calls return the same folder at once."""
    name = f"synthetic-v{SYNTHETIC_VERSION}-{row.images}-{SYNTHETIC_SEED}"
    folder = cache_folder("datasets") / name
    if folder.exists():  # so that a cache that is only read from need not be written
        return folder
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            with (
                full_disk_error(folder.parent, lambda: row.images * _FILE_BYTES),
                progress.stage("drawing faces", row.images, "images") as advance,
                publish_folder(folder) as draft,
            ):
                drawn = 0

                def on_progress(done: int, _total: int) -> None:
                    nonlocal drawn
                    advance(done - drawn)
                    drawn = done

                write_synthetic(draft, row.images, SYNTHETIC_SEED, on_progress)
    return folder


SPLITS = ("train", "valid", "test")
LABELS = ("real", "fake")
ROOT = Path("real_vs_fake") / "real-vs-fake"
_IMAGES_WORTH_A_PROCESS = 40
"""A process takes about as long to start as this many images take to draw."""
_KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**27), "MALLOC_TRIM_THRESHOLD_": str(2**28)}
"""Lets glibc use memory again that it would give back to the kernel after each step of a picture,
which takes a fifth of the time; other C libraries look at neither."""


@dataclass(frozen=True)
class _Picture:
    seed: int
    split: str
    label: str
    number: int

    @property
    def path(self) -> Path:
        """Where the picture lies below the dataset's folder."""
        return ROOT / self.split / self.label / f"{self.number:05d}.jpg"

    def generator(self) -> np.random.Generator:
        """Random numbers of this picture alone."""
        key = (self.seed, SPLITS.index(self.split), LABELS.index(self.label), self.number)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def split_sizes(per_class: int) -> dict[str, int]:
    """Divide the images of one class into 70 % train, 15 % valid and the rest test."""
    train, valid = per_class * 70 // 100, per_class * 15 // 100
    return {"train": train, "valid": valid, "test": per_class - train - valid}


def write_synthetic(
    folder: Path,
    images: int = 2000,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the set as JPEG files of 256x256 pixels, in the 140k set's layout.

    Args:
        folder: Where ``real_vs_fake/`` is made; nothing is written elsewhere.
        images: Number of files, half per class, split 70/15/15 per class.
        seed: Another seed gives other people, poses and traces.
        on_progress: Called with (written, all) as images are ready, in the caller's thread.

    Raises:
        DataError: If ``images`` is odd or too small to give each split both classes.
    """
    pictures = _pictures(images, seed)
    for parent in sorted({(folder / picture.path).parent for picture in pictures}):
        parent.mkdir(parents=True, exist_ok=True)
    workers = min(os.cpu_count() or 1, images // _IMAGES_WORTH_A_PROCESS)
    apart = workers > 1
    done = 0
    drawn = _draw_apart(folder, images, seed, workers) if apart else _draw_here(folder, pictures)
    for new in drawn:
        done += new
        if on_progress:
            on_progress(done, images)


def _pictures(images: int, seed: int) -> list[_Picture]:
    sizes = split_sizes(images // 2)
    if images % 2 or not all(sizes.values()):
        raise DataError(
            f"cannot make a synthetic set of {images} images; ask for an even number from 14"
        )
    return [
        _Picture(seed, split, label, number)
        for split, size in sizes.items()
        for label in LABELS
        for number in range(size)
    ]


def _scene(person: Person, rng: np.random.Generator) -> Floats:
    """Draw the person before a background, lit and with skin texture: 256x256x3, 0-255."""
    canvas = draw_background(rng)
    draw_portrait(canvas, person, rng)
    mask = Image.new("L", canvas.size)
    head = person.pose.place(person.pose.outline())
    pen: Any = ImageDraw.Draw(mask)
    pen.polygon(head.ravel(), fill=255)
    on_face = to_floats(mask.reduce(2)) / np.float32(255)
    pores = np.float32(between(rng, 0.015, 0.035)) * on_face + np.float32(0.01)
    gain = light_on(person.pose, rng) * (1 + pores * grain(rng, on_face.shape))
    return times(to_floats(canvas.reduce(2)), gain)


def _draw(folder: Path, picture: _Picture) -> None:
    rng = picture.generator()
    fake = picture.label == "fake"
    person = draw_person(rng)
    scene = _scene(mismatch(person, rng) if fake else person, rng)
    image, quality = photograph(regenerate(scene, rng) if fake else scene, rng)
    image.save(folder / picture.path, "JPEG", quality=quality)


def _draw_here(folder: Path, pictures: list[_Picture]) -> Iterator[int]:
    for picture in pictures:
        _draw(folder, picture)
        yield 1


def _draw_apart(folder: Path, images: int, seed: int, workers: int) -> Iterator[int]:
    """Draw in fresh interpreters, which all report each image as one byte in one pipe.

    Threads gain nothing here, as strokes hold the interpreter's lock; ``multiprocessing`` would
    run the caller's main module again in every process, and import TensorFlow with it.
    """
    reader, writer = os.pipe()
    environment = os.environ | _KEEPS_MEMORY | own_path()
    command = [sys.executable, "-m", __name__, str(folder.absolute()), str(images), str(seed)]
    running: list[subprocess.Popen[bytes]] = []
    try:
        try:
            for worker in range(workers):
                share = [*command, str(worker), str(workers)]
                running.append(
                    subprocess.Popen(share, env=environment, stdout=writer, stderr=subprocess.PIPE)
                )
        finally:
            os.close(writer)
        while reports := os.read(reader, 4096):
            yield len(reports)
        for process in running:
            _, errors = process.communicate()
            if process.returncode:
                raise DataError(f"drawing the synthetic set failed: {errors.decode()[-2000:]}")
    finally:
        os.close(reader)
        for process in running:
            process.kill()
            process.wait()
            if process.stderr:
                process.stderr.close()


def _work(folder: str, images: str, seed: str, worker: str, workers: str) -> None:
    """Draw every ``workers``-th picture, from number ``worker`` on."""
    for picture in _pictures(int(images), int(seed))[int(worker) :: int(workers)]:
        _draw(Path(folder), picture)
        os.write(sys.stdout.fileno(), b".")


if __name__ == "__main__":
    _work(*sys.argv[1:])
