"""The options that trials draw: how each is searched, and how a user fixes or narrows it.

Importing it needs no TensorFlow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from math import isfinite
from typing import Any, TypeAlias

from fakeface_bench.config import (
    CLASSIFIERS,
    HEAD,
    LOGISTIC_REGRESSION,
    RESIDUAL,
    SEARCHED,
    SearchConfig,
    listed,
)
from fakeface_bench.support.errors import UsageError
from fakeface_bench.training.losses import LOSSES
from fakeface_bench.training.poolings import ACTIVATIONS, FEATURES, POOLINGS, features_with


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from low to high, both included.

    Attributes:
        log: Whether they are drawn alike from each order of magnitude.
    """

    low: float
    high: float
    log: bool = False


Values: TypeAlias = tuple[Any, ...]
#: What trials draw an option from; of one value nothing is drawn.
Candidates: TypeAlias = Values | Range


def values_of(candidates: Candidates) -> Values:
    """Return the values of a list; none of a range."""
    return () if isinstance(candidates, Range) else candidates


@dataclass(frozen=True, slots=True)
class SearchedOption:
    """One row of `OPTIONS`.

    Attributes:
        searched: What trials draw from, where nothing else is asked.
        limits: What a number may be at all; None where values have names.
        classifier: The one of `CLASSIFIERS` that has this option; empty for both.
        tuning: Whether it is of pretrained layers that are trained.
    """

    searched: Candidates
    limits: tuple[float, float] | None = None
    classifier: str = ""
    tuning: bool = False

    @property
    def log(self) -> bool:
        """Whether ranges of it are drawn on a logarithmic scale."""
        return isinstance(self.searched, Range) and self.searched.log

    @property
    def whole(self) -> bool:
        """Whether its numbers are whole."""
        return self.limits is not None and isinstance(self.searched, tuple)


#: The least that a rate, or an inverse penalty, may be: they are above 0.
_TINY = 1e-10

OPTIONS: Mapping[str, SearchedOption] = {
    "classifier": SearchedOption(CLASSIFIERS),
    "features": SearchedOption(tuple(FEATURES)),
    "pooling": SearchedOption(tuple(POOLINGS)),
    "dropout": SearchedOption(Range(0.0, 0.6), (0.0, 0.95), HEAD),
    "batch_norm": SearchedOption((False, True), None, HEAD),
    "units": SearchedOption((0, 64, 128, 256, 512), (0, 8192), HEAD),
    "activation": SearchedOption(tuple(ACTIVATIONS), None, HEAD),
    "loss": SearchedOption(tuple(LOSSES), None, HEAD),
    "learning_rate": SearchedOption(Range(1e-4, 1e-2, log=True), (_TINY, 1.0), HEAD),
    "weight_decay": SearchedOption(Range(1e-5, 1e-1, log=True), (0.0, 1.0), HEAD),
    "C": SearchedOption(Range(1e-4, 1e1, log=True), (_TINY, 1e10), LOGISTIC_REGRESSION),
    # Lower than the head's: what pretrained layers know is to be bent and not replaced.
    "fine_learning_rate": SearchedOption(Range(3e-5, 1e-3, log=True), (_TINY, 1.0), tuning=True),
    "fine_weight_decay": SearchedOption(Range(1e-4, 1e-1, log=True), (0.0, 1.0), tuning=True),
}


#: Options of which a network may have some values only.
_OF_NETWORKS = ("classifier", "features")


@dataclass(frozen=True, slots=True)
class Trained:
    """What of a network is trained, which decides what options there are.

    Attributes:
        frozen: Whether nothing under the head is: features are read.
        tuned: Whether pretrained layers are trained after the head.
        maps: Whether there is a network at all, whose maps are read.
    """

    frozen: bool
    tuned: bool
    maps: bool = True

    def offers(self, name: str) -> Candidates:
        """Return what an option may be; no values where there is no such option."""
        row = OPTIONS[name]
        if name == "classifier":
            return CLASSIFIERS if self.frozen else (HEAD,)
        if name == "features":
            return features_with(residual=self.frozen) if self.maps else (RESIDUAL,)
        if name == "pooling" and not self.maps:
            return ()
        if row.tuning:
            return row.searched if self.tuned else ()
        if row.classifier == LOGISTIC_REGRESSION:
            return row.searched if self.frozen else ()
        return row.searched


def narrowed(config: SearchConfig) -> dict[str, Candidates]:
    """Return what a request fixes or narrows, by option; the others are searched as usual.

    Raises:
        UsageError: If a value is none of its option, in words that say what is.
    """
    found = {}
    for name, row in OPTIONS.items():
        text = str(getattr(config, name)).strip()
        if text != SEARCHED and (candidates := _parsed(name, row, text)) != row.searched:
            found[name] = candidates
    return found


def format_candidates(candidates: Candidates) -> str:
    """Return them as they are asked for: `0.3`, `focal,hinge`, `0.1..0.5`."""
    if isinstance(candidates, Range):
        return f"{_as_text(candidates.low)}..{_as_text(candidates.high)}"
    return ",".join(_as_text(value) for value in candidates)


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    # All the digits that a number may be asked with: a definition holds this text.
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def search_definition(config: SearchConfig) -> dict[str, object]:
    """Return all that a request says of the search, less what is as usual; written one way."""
    usual = SearchConfig()
    others = {each.name: getattr(config, each.name) for each in fields(config)}
    return {name: format_candidates(found) for name, found in narrowed(config).items()} | {
        name: value
        for name, value in others.items()
        if name not in OPTIONS and value != getattr(usual, name)
    }


def _parsed(name: str, row: SearchedOption, text: str) -> Candidates:
    if row.limits is None:
        return _named_values(name, row, text)
    low, dots, high = text.partition("..")
    if dots:
        ends = (_number(name, row, low), _number(name, row, high))
        if ends[0] >= ends[1]:
            raise UsageError(f"{name} {text!r} is no range: its first number is not the lower one.")
        if row.log and ends[0] <= 0:
            raise UsageError(
                f"{name} {text!r} begins at 0, and it is drawn alike from each order of "
                f"magnitude: begin higher, or list values, as {name}=0,{high.strip()}."
            )
        return Range(*ends, log=row.log)
    values = tuple(sorted({_number(name, row, each) for each in listed(text)}))
    if not values:
        raise _no_value(name, row, text)
    return values


def _named_values(name: str, row: SearchedOption, text: str) -> Values:
    by_text = {_as_text(value): value for value in values_of(row.searched)}
    asked = [each.lower() if name == "batch_norm" else each for each in listed(text)]
    for each in asked:
        if each not in by_text:
            raise _no_value(name, row, each)
    if not asked:
        raise _no_value(name, row, text)
    return tuple(value for known, value in by_text.items() if known in asked)


def _number(name: str, row: SearchedOption, text: str) -> float:
    try:
        value = int(text) if row.whole else float(text)
    except ValueError as error:
        raise _no_value(name, row, text.strip()) from error
    assert row.limits is not None
    if not isfinite(value) or not row.limits[0] <= value <= row.limits[1]:
        raise _no_value(name, row, text.strip())
    return value


def _no_value(name: str, row: SearchedOption, text: str) -> UsageError:
    """Say what an option takes, and the nearest name there is."""
    usual = format_candidates(row.searched)
    if row.limits is None:
        near = get_close_matches(text.lower(), usual.split(","), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        return UsageError(
            f"{name} {text!r} is none of {usual.replace(',', ', ')} (one, several joined by "
            f"commas, or {SEARCHED!r}){hint}"
        )
    kind = "whole number" if row.whole else "number"
    low, high = row.limits
    return UsageError(
        f"{name} {text!r} is no {kind} from {low:g} to {high:g}: give one, several joined by "
        f"commas, a range as LOW..HIGH, or {SEARCHED!r} ({usual})."
    )


def usable(config: SearchConfig, trained: Trained) -> SearchConfig:
    """Return a request without what a network does not have, for networks that share it."""
    kept: dict[str, str] = {}
    for name, candidates in narrowed(config).items():
        offered = trained.offers(name)
        if name in _OF_NETWORKS:
            candidates = tuple(each for each in values_of(candidates) if each in values_of(offered))
        if offered and candidates:
            kept[name] = format_candidates(candidates)
    return replace(config, **dict.fromkeys(OPTIONS, SEARCHED) | kept)  # type: ignore[arg-type]


def check_search(config: SearchConfig, trained: Trained, network: str) -> None:
    """Refuse options that a network does not have, and what sampler and options do not agree on.

    Args:
        network: Its name, and what is trained of it, as messages call it.
    """
    asked = narrowed(config)
    for name, candidates in asked.items():
        offered = trained.offers(name)
        if not offered:
            raise UsageError(f"{name} is no option of {network}; leave it out.")
        for value in values_of(candidates) if name in _OF_NETWORKS else ():
            if value not in values_of(offered):
                raise UsageError(
                    f"{name} {value!r} is nothing that {network} has: "
                    f"{format_candidates(offered).replace(',', ', ')}."
                )
    classifiers = values_of(asked.get("classifier", trained.offers("classifier")))
    _check_classifier(asked, classifiers)
    if trained.maps:
        _check_positions(asked, trained)
    in_play = {
        name: asked.get(name, offered)
        for name in OPTIONS
        if (offered := trained.offers(name)) and OPTIONS[name].classifier in ("", *classifiers)
    }
    _check_sampler(config.sampler, len(classifiers), in_play)
    for option, usual in (("sampler", "tpe"), ("pruner", "median")):
        if config.parallel > 1 and getattr(config, option) in ("cmaes", "hyperband"):
            raise UsageError(
                f"{option} {getattr(config, option)!r} needs one trial after another, and parallel "
                f"is {config.parallel}: leave parallel out, or take {usual!r}."
            )


def _check_classifier(asked: Mapping[str, Candidates], classifiers: Sequence[str]) -> None:
    for name in asked:
        owner = OPTIONS[name].classifier
        if owner and owner not in classifiers:
            raise UsageError(
                f"{name} is an option of classifier {owner!r}, and classifier is "
                f"{','.join(classifiers)!r}; leave one of them out."
            )


def _check_positions(asked: Mapping[str, Candidates], trained: Trained) -> None:
    """Refuse a pooling of the last map alone, fixed together with features of every map."""
    poolings = asked.get("pooling", tuple(POOLINGS))
    features = asked.get("features", trained.offers("features"))
    if not allowed_poolings(poolings, features):
        raise UsageError(
            f"pooling {format_candidates(poolings)!r} reads the last map alone, and features is "
            f"{format_candidates(features)!r}; leave one of them out."
        )


def allowed_poolings(poolings: Candidates, features: Candidates) -> Values:
    """Return the poolings that some of these features can be read with."""
    last = any(not FEATURES[key].all_blocks for key in values_of(features))
    return tuple(key for key in values_of(poolings) if last or not POOLINGS[key].last_only)


def _check_sampler(sampler: str, classifiers: int, in_play: Mapping[str, Candidates]) -> None:
    ranges = {name: row for name, row in in_play.items() if isinstance(row, Range)}
    if sampler == "grid" and ranges:
        name, example = next(iter(ranges.items()))
        raise UsageError(
            f"sampler 'grid' tries listed values, and {', '.join(ranges)} "
            f"{'is a range' if len(ranges) == 1 else 'are ranges'}: fix or list them, as "
            f"{name}={example.low:g},{example.high:g}."
        )
    if sampler != "cmaes":
        return
    if classifiers > 1:
        raise UsageError(
            "sampler 'cmaes' searches the numbers of one classifier: fix classifier to 'head'."
        )
    if len(ranges) < 2:
        raise UsageError(
            f"sampler 'cmaes' searches two ranges of numbers or more, and there "
            f"{'is one' if ranges else 'are none'}: take 'tpe'."
        )
