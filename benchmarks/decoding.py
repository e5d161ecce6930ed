"""A process that decodes what it is told of, a line a picture, as every command does.

benchmarks/fuzzing.py starts it: it may hang, crash or grow, and is measured while it does.
"""

import json
import os
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks.fuzzed_images import fuzzed_image, whole_pictures  # noqa: E402
from fakeface_bench.data.decode import decode_bytes, fit_image, seen_pixels  # noqa: E402
from fakeface_bench.data.facts import FACTS, read_facts  # noqa: E402
from fakeface_bench.data.listing import IMAGE_SUFFIXES  # noqa: E402
from fakeface_bench.serving.pictures import read_picture  # noqa: E402
from fakeface_bench.support.errors import DataError  # noqa: E402

SIZE = 224
#: For how long it sleeps where it is told to hang.
_HANGS_SECONDS = 3600.0
_MIB = 2**20


def answer(asked: IO[str], answers: IO[str]) -> None:
    """Decode what each line names, a seed or a bomb's file, and tell as JSON what became of it."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix, content in whole_pictures():  # whatever decoders load once is loaded
            path = _placed(Path(folder), suffix, content)
            for use in (_facts, _trained_on, _served):
                use(path, content)
        before = _largest_mib()
        for line in asked:
            answers.write(f"{json.dumps(_handled(line.strip(), Path(folder), before))}\n")
            answers.flush()


def _handled(description: str, folder: Path, before: float) -> dict[str, Any]:
    if description == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if description == "hang":
        time.sleep(_HANGS_SECONDS)
    bomb = Path(description)
    suffix, content = (
        fuzzed_image(int(description))
        if description.isdecimal()
        else (bomb.suffix, bomb.read_bytes())
    )
    path = _placed(folder, suffix, content)
    defect, said = "", ""
    seconds = 0.0
    for use in (_facts, _trained_on, _served):
        started = time.process_time()
        try:
            use(path, content)
        except DataError as error:
            said = str(error)
            defect = defect or ("" if "\n" not in said else f"several lines: {said!r}")
        except Exception as error:  # whatever it is, it is what is looked for
            defect = f"{type(error).__name__}: {error}"
        seconds = max(seconds, time.process_time() - started)
    peak = max(0.0, _largest_mib() - before)
    return {"seconds": seconds, "peak_mib": peak, "said": said, "defect": defect}


def _placed(folder: Path, suffix: str, content: bytes) -> Path:
    """Write a file as a dataset may hold it: what no dataset reads is there under a wrong name."""
    path = folder / f"picture{suffix if suffix in IMAGE_SUFFIXES else '.jpg'}"
    path.write_bytes(content)
    return path


def _facts(path: Path, content: bytes) -> None:
    """Survey a file, as every command does with a dataset."""
    facts = read_facts(path)
    assert facts.keys() == FACTS.keys(), f"other facts: {facts.keys()}"
    if facts["error"]:
        raise DataError(facts["error"])


def _trained_on(path: Path, content: bytes) -> None:
    pixels = seen_pixels(decode_bytes(path), SIZE, "crop")
    assert pixels.shape == (SIZE, SIZE, 3), f"shape {pixels.shape}"
    assert pixels.dtype == np.uint8, f"dtype {pixels.dtype}"


def _served(path: Path, content: bytes) -> None:
    picture = read_picture(content)
    assert picture.mode == "RGB", f"mode {picture.mode}"
    assert fit_image(picture, SIZE, "crop").size == (SIZE, SIZE)


def _largest_mib() -> float:
    """Return the most memory that this process has held; `getrusage` tells its parent's as well."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / _MIB
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / _MIB


if __name__ == "__main__":
    answer(sys.stdin, sys.stdout)
