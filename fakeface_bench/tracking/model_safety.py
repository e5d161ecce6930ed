"""What in the folder of an MLflow model could run code of whoever made it; nothing is loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fakeface_bench.architectures.unsafe_files import what_runs_code

ALLOW_UNSAFE = "--allow-unsafe-model"
#: For who gives that option.
WARNING = f"{ALLOW_UNSAFE}: a model may run code of whoever made it, with all your rights"
#: MLflow's loader of the models that this project logs, which are code and data.
_LOADER = "mlflow.pyfunc.loaders.code_model"


def unsafe_part(folder: Path, flavors: Mapping[str, Any]) -> str:
    """Return the first thing that could, in words; empty where nothing could.

    The code that a logged model brings for serving is not meant: no command here runs it.

    Args:
        folder: Of the model.
        flavors: As its file `MLmodel` has them.
    """
    how = flavors.get("python_function", {})
    if "python_model" in how:
        return f"a pickle ({how['python_model']}, as MLmodel says)"
    if (loader := str(how.get("loader_module", _LOADER))) != _LOADER:
        return f"a loader of another kind ({loader}, as MLmodel says)"
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if found := what_runs_code(path):
            return f"{found} in {path.relative_to(folder).as_posix()}"
    return ""
