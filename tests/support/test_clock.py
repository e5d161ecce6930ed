"""A clock tells what this process took of the processors, and what others did meanwhile."""

import subprocess
import sys
import time

import psutil
import pytest

from fakeface_bench.support.machine import Clock

BUSY = "import time\nend = time.perf_counter() + 60\nwhile time.perf_counter() < end: pass"


def work(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_processor_seconds_are_those_of_work_and_not_of_waiting() -> None:
    clock = Clock()
    time.sleep(0.3)
    assert clock.processor_seconds() < 0.2 < clock.seconds()
    end = time.process_time() + 0.4  # however many others share the processors
    while time.process_time() < end:
        pass
    assert 0.2 < clock.processor_seconds() < 0.7


def test_a_process_that_was_waited_for_counts_and_one_of_all_time_counts_all() -> None:
    work(0.1)
    clock, of_process = Clock(), Clock(began=0.0)
    subprocess.run([sys.executable, "-c", "sum(range(5 * 10**7))"], check=True)
    assert clock.processor_seconds() > 0.1
    assert of_process.processor_seconds() >= clock.processor_seconds() + 0.05


def test_what_others_take_is_told_apart_from_ones_own_work() -> None:
    """One process more on each processor takes at least a third of them from nobody else."""
    alone = Clock()
    work(0.5)
    own = alone.others_share()
    count = len(psutil.Process().cpu_affinity() if hasattr(psutil.Process, "cpu_affinity") else [0])
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        time.sleep(0.5)
        shared = Clock()
        time.sleep(1.5)
        taken = shared.others_share()
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert 0 <= own < taken <= 1
    assert taken > 0.5


def test_parts_are_added_up_also_where_a_block_fails() -> None:
    clock = Clock()

    def fail() -> None:
        with clock.timing("model"):
            time.sleep(0.05)
            raise ValueError("bad")

    for _ in range(2):
        with pytest.raises(ValueError, match="bad"):
            fail()
    assert 0.1 <= clock.parts["model"] < clock.seconds() + 0.01
