"""How much each training image weighs, so that a class or a dataset with few is not drowned."""

import numpy as np
import numpy.typing as npt
import pandas as pd

#: What each choice of `config.BALANCES` makes weigh the same.
_CELLS = {"classes": ["label"], "sources": ["source", "label"]}


def sample_weights(rows: pd.DataFrame, balance: str) -> npt.NDArray[np.float32] | None:
    """Return the weight of each row in the training loss, 1 on average.

    Args:
        rows: Columns `source` and `label`.
        balance: `classes`: real and fake weigh the same; `sources`: each class of each dataset
            (one with a single class has half the weight of the others); `none`: every image.

    Returns:
        Shape (n,): n over (number of cells × images in the row's cell), as scikit-learn's
        `class_weight="balanced"`; None where every image weighs the same.
    """
    if balance == "none":
        return None
    cells = rows.groupby(_CELLS[balance])["label"]
    weights = len(rows) / (cells.ngroups * cells.transform("size"))
    return weights.to_numpy(np.float32)
