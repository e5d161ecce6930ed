"""Which network should spot generated faces, and what does it cost to train?"""

import time
from importlib.metadata import PackageNotFoundError, version

#: By `time.perf_counter`; the interpreter's own start, some 0.05 s, lies before.
PROCESS_BEGAN = time.perf_counter()

try:
    __version__ = version("fakeface_bench")
except PackageNotFoundError:  # `mlflow run` starts the project from its folder, not installed
    __version__ = "0.1.0"
