"""Which network should spot generated faces, and what does it cost to train?"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("fakeface_bench")
except PackageNotFoundError:  # `mlflow run` starts the project from its folder, not installed
    __version__ = "0.1.0"
