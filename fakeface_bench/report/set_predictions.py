"""Every score that figures on test sets follow from, so that others can be computed."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fakeface_bench.records import SetScores

PREDICTIONS_FILE = "predictions.parquet"


def write_set_predictions(scores: Sequence[SetScores], folder: Path) -> None:
    """Write a row for every model, test set and image."""
    tables = [
        pd.DataFrame(
            {
                "model": cell.model.label,
                "trained_on": cell.model.data,
                "run_id": cell.model.run_id,
                "data": cell.data,
                "source": list(cell.scored.sources),
                "path": list(cell.scored.paths),
                "category": list(cell.scored.categories) or "",
                "tier": list(cell.scored.tiers),
                "digest": list(cell.digests),
                "y_true": cell.scored.y_true,
                "y_score": cell.scored.y_score,
                "threshold": cell.scored.threshold,
            }
        )
        for cell in scores
    ]
    pd.concat(tables).to_parquet(folder / PREDICTIONS_FILE, index=False)
