"""How a study was asked, in words: what names of studies and comparisons tell apart by."""

from dataclasses import fields

from fakeface_bench.config import SearchConfig, StudyConfig

#: How names of studies show an option, in the order in which they hold them; what its default is
#: called: nothing where it goes without saying, None where it is shown like any value.
_OPTION_WORDS = {
    "limit": ("limit {}", "all images"),
    "folds": ("{} folds", ""),
    "image_size": ("{} px", "usual size"),
    "weights": ("{} weights", None),
    "fit": ("{}d", "cropped"),
    "input": ("{} input", ""),
    "balance": ("balanced {}", "not balanced"),
    "batch_size": ("batches of {}", ""),
    "augment": ("augment {}", "augment searched"),
    "precision": ("{}", "precision measured"),
    "engine": ("{}", "engine by network"),
    **{each.name: (f"{each.name} {{}}", "") for each in fields(SearchConfig)},
    "trials": ("{} trials", None),
    "epochs": ("{} epochs", None),
    "timeout_minutes": ("{} minutes", "no time limit"),
    "seed": ("seed {}", None),
    "seeds": ("{} seeds", "1 seed"),
    "refits": ("{} refits", ""),
}
NAMED_OPTIONS = tuple(_OPTION_WORDS)


def format_option(key: str, value: object) -> str:
    """Format an option of a study as names hold it: `limit 150`, `96 px`, `seed 3`.

    Empty where it is as usual and that goes without saying.

    Args:
        key: One of `NAMED_OPTIONS`.
        value: As a request or, in text, a run holds it.
    """
    words, usual = _OPTION_WORDS[key]
    default = StudyConfig.options()[key].default
    if isinstance(default, str):
        shown, is_default = str(value), value == default
    else:
        number = float(str(value))
        shown, is_default = f"{number:g}", number == default
    return usual if usual is not None and is_default else words.format(shown)
