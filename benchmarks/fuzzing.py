"""What hostile pictures do to decoding: in processes of their own, where no harm is done.

    python benchmarks/fuzzing.py --images 10000 --output RESULT.json

Damaged pictures by seed, then every bomb. A process that answers no more, or is gone, is seen and
named by the picture that it had. The exit code is 1 where any did harm.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.figures import keep, machine  # noqa: E402
from benchmarks.image_bombs import bombs  # noqa: E402

_DECODING = Path(__file__).with_name("decoding.py")
#: Longer than this no picture may keep a processor busy.
LONGEST_SECONDS = 5.0
#: After this a process that does not answer is killed: its picture hangs.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of one hostile picture.

    Attributes:
        name: Its seed, or what bomb it is.
        seconds: Of a processor, the longest of three: for facts, training's pixels, serving's.
        peak_mib: By how much its process has grown until then, at its largest, in 2²⁰ bytes.
        said: Why it was refused; empty where it was decoded.
        defect: What should not have happened; empty otherwise.
        lost: Whether it took its process with it.
    """

    name: str
    seconds: float
    peak_mib: float
    said: str = ""
    defect: str = ""
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Fuzzing:
    """What became of many."""

    images: Sequence[Handled]
    seconds: float

    @property
    def defects(self) -> list[Handled]:
        """Those that did harm, or took too long."""
        return [image for image in self.images if image.defect or image.seconds > LONGEST_SECONDS]

    def figures(self) -> dict[str, float]:
        """Return what a benchmark tells of it."""
        return {
            "images": len(self.images),
            "decoded": sum(not image.said for image in self.images),
            "refused": sum(bool(image.said) for image in self.images),
            "defects": len(self.defects),
            "seconds": self.seconds,
            "slowest_seconds": max(image.seconds for image in self.images),
            "peak_mib": max(image.peak_mib for image in self.images),
        }


def fuzz(pictures: Iterable[int | str], processes: int | None = None) -> Fuzzing:
    """Hand pictures to processes, and tell what became of each, in their order.

    Args:
        pictures: Seeds of damaged ones, names of bombs; or `crash` and `hang`, which do as they
            say.
        processes: As many as there are processors when None.
    """
    return _all(list(map(str, pictures)), processes or os.cpu_count() or 1)


def explode(names: Iterable[str] = (), processes: int = 1) -> Fuzzing:
    """Do the same with bombs, all of them where none is named, each in a process of its own."""
    return _all(list(names) or list(bombs()), processes, each_alone=True)


def _all(names: Sequence[str], processes: int, each_alone: bool = False) -> Fuzzing:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(processes) as pool:
        asked = [_Asked(name, _made(name, Path(folder))) for name in names]
        parts = (
            [[one] for one in asked]
            if each_alone
            else [asked[n::processes] for n in range(processes)]
        )
        found = [
            image for part in pool.map(lambda part: list(_answers(part)), parts) for image in part
        ]
    placed = {image.name: image for image in found}
    return Fuzzing([placed[name] for name in names], time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A picture's name, and what a process is told of it: a seed, or a bomb's file."""

    name: str
    description: str


def _made(name: str, folder: Path) -> str:
    """Write a bomb here: the memory of the process that decodes it is measured."""
    if name not in bombs():
        return name
    suffix, make = bombs()[name]
    path = folder / f"{len(list(folder.iterdir()))}{suffix}"
    path.write_bytes(make())
    return str(path)


def _answers(asked: Sequence[_Asked]) -> Iterator[Handled]:
    """Ask a process about pictures one by one; a new one goes on after one that is lost."""
    left = list(asked)
    while left:
        with subprocess.Popen(
            [sys.executable, str(_DECODING)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            os.set_blocking(process.stderr.fileno(), False)
            while left and process.poll() is None:
                handled = _answer(process, left.pop(0))
                yield handled
                if handled.lost:
                    break
            process.kill()


def _answer(process: subprocess.Popen[bytes], asked: _Asked) -> Handled:
    name = asked.name
    process.stdin.write(f"{asked.description}\n".encode())
    process.stdin.flush()
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ)
        if not waiting.select(PATIENCE_SECONDS):
            return Handled(name, PATIENCE_SECONDS, 0.0, defect="it hangs", lost=True)
    line = process.stdout.readline()
    if not line:
        code, noise = process.wait(), _noise(process)[-300:]
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Handled(name, 0.0, 0.0, defect=f"the process is gone: {how}: {noise}", lost=True)
    noise = _noise(process)
    description = json.loads(line)
    return Handled(
        name, **{**description, "defect": description["defect"] or (noise and f"printed: {noise}")}
    )


def _noise(process: subprocess.Popen[bytes]) -> str:
    """Return what Python has printed; libtiff prints by itself, past all of Pillow."""
    said = (process.stderr.read() or b"").decode(errors="replace").strip()
    return said if ".py" in said else ""


@click.command()
@click.option("--images", default=10_000, show_default=True, help="Damaged pictures.")
@click.option("--seed", default=0, show_default=True, help="Of the first; the next has the next.")
@click.option("--output", type=click.Path(path_type=Path), help="Also write the metrics as JSON.")
def main(images: int, seed: int, output: Path | None) -> None:
    """Hand damaged pictures and bombs to the decoders of this machine."""
    found = {"damaged pictures": fuzz(range(seed, seed + images)), "bombs": explode()}
    figures = {name: fuzzing.figures() for name, fuzzing in found.items()}
    for name, counted in figures.items():
        click.echo(
            f"{counted['images']:>8,} {name}: {counted['decoded']:,} decoded, "
            f"{counted['refused']:,} refused, {counted['defects']:,} did harm; the slowest took "
            f"{counted['slowest_seconds']:.2f} s, growth {counted['peak_mib']:,.0f} MiB at most"
        )
    defects = [image for fuzzing in found.values() for image in fuzzing.defects]
    for image in defects:
        click.echo(f"{image.name}: {image.seconds:.2f} s {image.defect}")
    keep({"machine": machine("numpy", "pillow"), "seed": seed, **figures}, output)
    sys.exit(1 if defects else 0)


if __name__ == "__main__":
    main()
