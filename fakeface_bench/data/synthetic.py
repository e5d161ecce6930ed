"""The embedded default dataset 'synthetic': drawn portraits, half with a generator's traces.

It lets every study run without a download, in the folders of the 140k set. An image depends on
the seed, its split, its class and its number alone, so files are equal, byte for byte, however
many images are asked for, in whatever order processes draw them, and on whatever machine the same
release of Pillow runs.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from fakeface_bench.data.synthetic_camera import (
    Floats,
    between,
    draw_background,
    grain,
    light_on,
    photograph,
    to_floats,
)
from fakeface_bench.data.synthetic_faces import draw_portrait
from fakeface_bench.data.synthetic_people import Person, draw_person
from fakeface_bench.data.synthetic_traces import mismatch, regenerate
from fakeface_bench.errors import DataError

SPLITS = ("train", "valid", "test")
LABELS = ("real", "fake")
ROOT = Path("real_vs_fake") / "real-vs-fake"
_IMAGES_WORTH_A_PROCESS = 40
"""A process takes about as long to start as this many images take to draw."""


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
    ImageDraw.Draw(mask).polygon(head.ravel().tolist(), fill=255)
    on_face = to_floats(mask.reduce(2)) / np.float32(255)
    pores = np.float32(between(rng, 0.015, 0.035)) * on_face + np.float32(0.01)
    gain = light_on(person.pose, rng) * (1 + pores * grain(rng, on_face.shape))
    return np.asarray(to_floats(canvas.reduce(2)) * gain[..., None], np.float32)


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
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
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
