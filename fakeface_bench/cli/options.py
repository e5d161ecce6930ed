"""The options that several commands share."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from fakeface_bench.config import (
    AUGMENTS,
    AUTO,
    BALANCES,
    FITS,
    PRECISIONS,
    SEARCHED,
    STORAGE_VARIABLE,
    GeneraliseConfig,
    StudyConfig,
)
from fakeface_bench.support.errors import UsageError
from fakeface_bench.support.processes import RUN_VARIABLE
from fakeface_bench.support.text import holds_password

Command = Callable[..., Any]

_HELP = (
    "Load a model too that holds a Lambda layer or a pickle: code of whoever made it, which then "
    "runs with your rights."
)


def _warned(context: click.Context, _: click.Parameter, allowed: bool) -> bool:
    """Tell who allows it what that means, before anything is fetched."""
    if allowed and not context.resilient_parsing:
        from fakeface_bench.cli.console import ConsoleProgress
        from fakeface_bench.tracking.model_source import WARNING

        ConsoleProgress().warn(WARNING)
    return allowed


#: Where what follows on the command line may be a path.
allow_unsafe_flag = click.option("--allow-unsafe-model", is_flag=True, callback=_warned, help=_HELP)
#: Where MLproject gives a value.
allow_unsafe_option = click.option(
    "--allow-unsafe-model",
    type=click.BOOL,
    is_flag=False,
    flag_value=True,
    default=False,
    callback=_warned,
    help=_HELP,
)
classes_option = click.option(
    "--classes",
    default="",
    help="What folders' names mean that are not understood by themselves: real:nature,fake:ai.",
)


_DEFAULT = StudyConfig()


def _storage(context: click.Context, parameter: click.Parameter, given: str) -> str:
    """Return the storage, which the environment names where the command line does not.

    Raises:
        UsageError: If a password is where everybody sees it, or would not be told from the rest.
    """
    if holds_password(given):
        run_id = os.environ.get(RUN_VARIABLE, "")
        raise UsageError(
            "storage holds a password, and a command line and MLflow's params show it to "
            f"everybody: put the URL into the variable {STORAGE_VARIABLE}, or the password into "
            f"PGPASSWORD or ~/.pgpass, and leave it out of storage.{_how_to_delete(run_id)}"
        )
    storage = given or os.environ.get(STORAGE_VARIABLE, "")
    if holds_password(storage) and re.search(r"\s", storage):
        raise UsageError(
            f"the password in {STORAGE_VARIABLE} holds white space; write it as %20, and other "
            "marks of URLs likewise."
        )
    return storage


def _how_to_delete(run_id: str) -> str:
    """Say how what `mlflow run` has logged before this process began is gone again."""
    return run_id and (
        f" 'mlflow run' has logged it already: 'mlflow runs delete --run-id {run_id}', then "
        f"'mlflow gc --run-ids {run_id}', deletes it for good."
    )


#: By name, in the order in which help shows them.
_OPTIONS: Mapping[str, Callable[[Command], Command]] = {
    "data": click.option(
        "--data",
        default=_DEFAULT.data,
        help="Dataset by name, or a folder of faces; several are joined by '+'.",
    ),
    "classes": classes_option,
    "trials": click.option(
        "--trials",
        type=click.IntRange(1, 10_000),
        default=_DEFAULT.trials,
        help="Finished trials that the study shall hold in the end.",
    ),
    "epochs": click.option(
        "--epochs",
        type=click.IntRange(1, 1000),
        default=_DEFAULT.epochs,
        help="Most epochs of one fit; early stopping may end it sooner.",
    ),
    "image_size": click.option(
        "--image-size",
        type=click.IntRange(0, 2048),
        default=_DEFAULT.image_size,
        help="Side of the network's input in pixels; 0 for the architecture's own.",
    ),
    "batch_size": click.option(
        "--batch-size",
        type=click.IntRange(0, 4096),
        default=_DEFAULT.batch_size,
        help="Images per step; 0 suits the machine in extraction and is searched in training.",
    ),
    "weights": click.option(
        "--weights",
        default=_DEFAULT.weights,
        help="imagenet, random, a Keras weights file; or auto: imagenet where it can be had.",
    ),
    "fit": click.option(
        "--fit",
        type=click.Choice(FITS),
        default=_DEFAULT.fit,
        help="How images meet the input: centre crop at native resolution, or resized.",
    ),
    "equalise": click.option(
        "--equalise",
        default=_DEFAULT.equalise,
        help="none; or jpeg: every picture passes one JPEG first (of the lowest quality common in "
        "the dataset; jpeg75: of 75), and the ROC AUC that this costs is told.",
    ),
    "leave_out": click.option(
        "--leave-out",
        default=_DEFAULT.leave_out,
        help="Tiers or sources of the dataset whose images are not used, joined by commas.",
    ),
    "balance": click.option(
        "--balance",
        type=click.Choice(BALANCES),
        default=_DEFAULT.balance,
        help="What weighs the same in training, however many images it has.",
    ),
    "fine_tune": click.option(
        "--fine-tune",
        default=_DEFAULT.fine_tune,
        help="Layers trained under the head: frozen (none), last_block, last_2_blocks and so on, "
        "all, or a number of last layers.",
    ),
    "augment": click.option(
        "--augment",
        type=click.Choice((SEARCHED, *AUGMENTS)),
        default=_DEFAULT.augment,
        help="What is done to the pictures that train such layers.",
    ),
    "precision": click.option(
        "--precision",
        type=click.Choice((AUTO, *PRECISIONS)),
        default=_DEFAULT.precision,
        help="In what numbers such layers compute; auto measures.",
    ),
    "cache_gb": click.option(
        "--cache-gb",
        type=click.FloatRange(0),
        default=_DEFAULT.cache_gb,
        help="Disk for what such layers read each epoch; 0: a quarter of the free disk, at most "
        "20.",
    ),
    "limit": click.option(
        "--limit",
        type=click.IntRange(0),
        default=_DEFAULT.limit,
        help="At most this many images per split and class; 0 for all.",
    ),
    "seed": click.option(
        "--seed",
        type=click.IntRange(0, 2**31 - 1),
        default=_DEFAULT.seed,
        help="Of the split, random weights, the search and every fit.",
    ),
    "seeds": click.option(
        "--seeds",
        type=click.IntRange(1, 100),
        default=_DEFAULT.seeds,
        help="Fits of the winner, each with a seed of its own; the first is kept.",
    ),
    "storage": click.option(
        "--storage",
        default=_DEFAULT.storage,
        callback=_storage,
        help=f"Optuna storage URL; empty for what {STORAGE_VARIABLE} says, else a SQLite file "
        "beside MLflow's.",
    ),
    "timeout_minutes": click.option(
        "--timeout-minutes",
        type=click.FloatRange(0),
        default=_DEFAULT.timeout_minutes,
        help="After this time no new trial starts; 0 for never.",
    ),
    "dollars_per_hour": click.option(
        "--dollars-per-hour",
        type=click.FloatRange(0),
        default=_DEFAULT.dollars_per_hour,
        help="What the machine costs; 0 for no price.",
    ),
}


def study_options(command: Command) -> Command:
    """Give a command every option of a study but its model and name."""
    return _with(command, list(_OPTIONS))


def matrix_options(command: Command) -> Command:
    """Give a command the options that all studies of a matrix share."""
    shared = GeneraliseConfig().as_params()
    return _with(command, [name for name in _OPTIONS if name in shared])


def _with(command: Command, names: Sequence[str]) -> Command:
    for name in reversed(names):
        command = _OPTIONS[name](command)
    return command
