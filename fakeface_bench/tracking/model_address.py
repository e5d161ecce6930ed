"""What may name a model, told apart without MLflow: its import alone takes seconds."""

import re
from pathlib import Path

from fakeface_bench.errors import UsageError
from fakeface_bench.folders import existing_path

#: How an address that MLflow resolves begins.
ADDRESSES = ("models:/", "runs:/")
_ADDRESS = re.compile(r"models:/[^/]+([/@].+)?|runs:/[0-9a-f]{32}/.+")
_MLMODEL = "MLmodel"
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_SHORT_NAME = re.compile(r"[\w. -]+(@|/)\w+")
_HOW = (
    "A model is a registry address (models:/fakeface@champion, models:/fakeface/3), a run (its id, "
    "or runs:/ID/model) or the folder of an MLflow model."
)


def model_folder(model: str) -> Path | None:
    """Return the folder that a model's name is, or None where MLflow must be asked.

    Args:
        model: Address in the registry, run or its id, folder of an MLflow model or its file
            `MLmodel`.

    Raises:
        UsageError: If it is neither.
    """
    if model.startswith(ADDRESSES):
        if not _ADDRESS.fullmatch(model):
            raise UsageError(f"{model!r} is no address of a model. {_HOW}")
        return None
    path = existing_path(model) if model else None
    if path is not None:
        folder = path.parent if path.name == _MLMODEL else path
        if not (folder / _MLMODEL).is_file():
            raise UsageError(f"{model!r} is no MLflow model: it holds no file {_MLMODEL}. {_HOW}")
        return folder
    if not _RUN_ID.fullmatch(model):
        hint = f" Did you mean 'models:/{model}'?" if _SHORT_NAME.fullmatch(model) else ""
        raise UsageError(f"no model {model!r}: there is no such file.{hint} {_HOW}")
    return None
