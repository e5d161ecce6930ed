"""One study as it is asked for."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from fakeface_bench.config.names import AUTO, FROZEN, SEARCHED, UNTOUCHED, listed
from fakeface_bench.credentials import without_credentials

#: Names the study's storage, for a process whose command line is not to show a password.
STORAGE_VARIABLE = "FAKEFACE_STORAGE"

_EQUALISE = re.compile(r"jpeg(\d{0,3})")

#: How an option is told where studies differ by it, in the order in which names hold them; what its
#: default is called.
_TOLD = {
    "limit": ("limit {}", "all images"),
    "image_size": ("{} px", "usual size"),
    "weights": ("{} weights", ""),
    "fit": ("{}d", "cropped"),
    "balance": ("balanced {}", "not balanced"),
    "batch_size": ("batches of {}", "usual batches"),
    "augment": ("augment {}", "augment searched"),
    "precision": ("{}", "precision measured"),
    "trials": ("{} trials", ""),
    "epochs": ("{} epochs", ""),
    "timeout_minutes": ("{} minutes", "no time limit"),
    "seed": ("seed {}", ""),
    "seeds": ("{} seeds", "1 seed"),
}
TOLD_OPTIONS = tuple(_TOLD)


def option_told(key: str, value: object) -> str:
    """Say an option of a study in words, as a name holds it: `limit 150`, `96 px`, `seed 3`.

    Args:
        key: One of `TOLD_OPTIONS`.
        value: As it was asked, or as a run holds it, in text.
    """
    words, usual = _TOLD[key]
    default = getattr(StudyConfig(), key)
    if isinstance(default, str):
        shown, is_default = str(value), value == default
    else:
        number = float(str(value))
        shown, is_default = f"{number:g}", number == default
    return usual if usual and is_default else words.format(shown)


def equalising_quality(equalise: str) -> int | None:
    """Return the quality of the JPEG that `equalise` names, from 1 to 100.

    0 for `jpeg`, which leaves it to the dataset, and for `none`. None for what is neither.
    """
    if equalise in (UNTOUCHED, "jpeg"):
        return 0
    found = _EQUALISE.fullmatch(equalise)
    quality = int(found[1]) if found else 0
    return quality if 1 <= quality <= 100 else None


@dataclass(frozen=True, slots=True)
class StudyConfig:
    """One study as asked for on the command line; a 0 or an empty text means "choose for me".

    Attributes:
        model: Key or alias of a row of `ARCHITECTURES`.
        data: Key of a row of `DATASETS`, or a folder; several are joined by `+`.
        classes: Names of folders, or values of a table, that mean real or fake besides the known
            ones: `real:nature,fake:ai`.
        trials: Finished trials that the study shall hold in the end, at least 1.
        epochs: Most epochs of one fit, at least 1.
        image_size: Side of the network's square input in pixels.
        batch_size: Images per step, through the backbone and in training.
        weights: `auto`, `imagenet`, `random`, or a Keras weights file.
        fit: How images meet the network's input, one of `FITS`.
        equalise: What every picture passes before anything else, real and fake alike: `jpeg`, of
            the lowest quality that is common in the dataset, so that none shows how it was kept;
            `jpeg75` and the like, of that quality; `none`.
        leave_out: Names of tiers or sources, joined by commas, whose images are not used.
        balance: What weighs the same in training, one of `BALANCES`.
        fine_tune: Which layers under the head are trained: `frozen` for none, `last_block`,
            `last_2_blocks` and so on, `all`, or a number of last layers.
        augment: What is done to the pictures that train such layers: one of `AUGMENTS`, or
            `search`.
        precision: In what numbers such layers compute: one of `PRECISIONS`, or `auto`.
        cache_gb: Disk for what trained layers read again each epoch, in 10⁹ bytes; what is
            larger is computed anew each time. 0: a quarter of the free disk, at most 20.
        limit: At most this many images per split and class.
        seed: Of the split, of random weights, of the search and of every fit.
        seeds: Fits of the winner, each with a seed of its own from `seed` on; the first is kept.
        study: Name of the study; derived from what defines its results when empty.
        storage: Optuna storage URL.
        timeout_minutes: After this time no new trial starts.
        dollars_per_hour: What the machine costs.
        register: Name under which the winner is registered; it is not when empty.
        again: Whether a study that is finished is refitted, scored and recorded anew.
    """

    model: str = "mobilenetv3"
    data: str = "synthetic"
    classes: str = ""
    trials: int = 20
    epochs: int = 10
    image_size: int = 0
    batch_size: int = 0
    weights: str = "auto"
    fit: str = "crop"
    equalise: str = UNTOUCHED
    leave_out: str = ""
    balance: str = "none"
    fine_tune: str = FROZEN
    augment: str = SEARCHED
    precision: str = AUTO
    cache_gb: float = 0.0
    limit: int = 0
    seed: int = 0
    seeds: int = 1
    study: str = ""
    storage: str = ""
    timeout_minutes: float = 0.0
    dollars_per_hour: float = 0.0
    register: str = ""
    again: bool = False

    @property
    def left_out(self) -> list[str]:
        """The tiers and sources that are left out."""
        return listed(self.leave_out)

    def as_params(self) -> dict[str, Any]:
        """Return the record as flat params, keyed as on the command line."""
        return asdict(self)

    def shown_params(self) -> dict[str, Any]:
        """Return them as a run shows them: without the storage's credentials, nor `again`.

        A study asked for again is the same study.
        """
        shown = self.as_params() | {"storage": without_credentials(self.storage)}
        return {key: value for key, value in shown.items() if key != "again"}
