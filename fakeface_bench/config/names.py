"""The words that a request may use, and the two classes."""

#: Positive class, whatever the alphabetical order of the folders.
FAKE = 1
REAL = 0
CLASS_NAMES = ("real", "fake")

#: How an image meets the network's input: see `data.images.fit_image`.
FITS = ("crop", "resize")
#: What every picture passes first, real and fake alike: see `config.study.equalising_quality`.
UNTOUCHED = "none"
#: What weighs the same in training, however many images it has: see `features.balance`.
BALANCES = ("none", "classes", "sources")
#: What is done to training pictures: see `data.augmentations`; `search` leaves it to the trials.
AUGMENTS = ("none", "light", "strong")
SEARCHED = "search"
#: In what numbers trained layers compute: see `training.precision`; `auto` measures.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
AUTO = "auto"
#: Names the study that a comparison would take, where a run is asked for.
BEST = "best"
#: Of `HOLD_OUTS`: what leaves a matrix alone.
NOTHING = "none"
#: Digits of a digest that are shown to people.
DIGEST_DIGITS = 12
#: The layers of a backbone that are trained: see `architectures.fine_tuning`.
FROZEN = "frozen"


def listed(names: str) -> list[str]:
    """Return what is joined by commas."""
    return [part.strip() for part in names.split(",") if part.strip()]
