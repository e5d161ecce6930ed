"""Made by `python docs/stub.py`."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd

from fakeface_bench.api.callbacks import Callback
from fakeface_bench.api.detector import Detector
from fakeface_bench.api.results import (
    Audit,
    Comparison,
    Evaluation,
    Matrix,
    Robustness,
    Study,
    Verification,
)
from fakeface_bench.records.registration import Registration
from fakeface_bench.support.errors import (
    DataError,
    DiskError,
    FakefaceError,
    ModelError,
    StopSearch,
    StopTrial,
    StudyError,
    UsageError,
    WeightsError,
)
from fakeface_bench.support.progress import Progress

__all__ = [
    "Callback",
    "DataError",
    "Detector",
    "DiskError",
    "FakefaceError",
    "ModelError",
    "StopSearch",
    "StopTrial",
    "StudyError",
    "UsageError",
    "WeightsError",
    "architectures",
    "audit",
    "compare",
    "datasets",
    "evaluate",
    "explain",
    "generalise",
    "load_detector",
    "load_index",
    "load_study",
    "metrics",
    "predict",
    "publish",
    "register",
    "robustness",
    "run_study",
    "run_suite",
    "verify",
]

#: An option that is text; several values are a list, numbers are numbers.
_Text = str | float | os.PathLike[str] | Sequence[str | float | os.PathLike[str]]

FORMER_NAMES: dict[str, str]
PROCESS_BEGAN: float
__version__: str

def architectures() -> pd.DataFrame:
    """Return the networks there are, by name: parameters, million multiply-accumulates, side.

    Example:
        >>> int(architectures().loc["mobilenetv3_small", "image_size_px"])
        224
    """

def audit(
    *,
    data: _Text | pd.DataFrame | Sequence[Any] = "synthetic",
    classes: _Text = "",
    seed: int = 0,
    output: _Text = "",
    progress: bool | Progress = True,
) -> Audit:
    """Look for what would make results on a dataset worthless.

    Args:
        progress: As in `run_study`.
        data: Dataset by name, or a folder; several joined by '+'.
        classes: What folders' names mean that are not understood by themselves:
            real:nature,fake:ai.
        seed: Of the split, where the dataset has no official one.
        output: Folder to write the report to, besides MLflow.

    Returns:
        What was found.

    Raises:
        DataError: If the dataset cannot be read as one of real and fake faces.

    Example:
        >>> audit(data="path/to/faces").findings  # doctest: +SKIP
    """

def compare(
    *,
    data: _Text = "",
    runs: _Text = "",
    detectors: _Text = "",
    description: _Text = "",
    allow_unsafe_model: bool = False,
    output: _Text = "comparison",
    dollars_per_hour: float = 0.0,
    margin: float = 0.01,
    budget_minutes: float = 0.0,
    target: float = 0.0,
    published: _Text = "",
    progress: bool | Progress = True,
) -> Comparison:
    """Compare the newest finished study of each network on one dataset.

    Args:
        progress: As in `run_study`.
        data: Dataset as it was studied, or the first digits of its digest; empty for the newest's.
        runs: MLflow runs of the studies to compare, joined by commas; empty chooses by dataset.
        detectors: Detectors of others to test on the same images, joined by commas: FILE.keras,
            FILE.onnx, MLflow models of any flavour.
        description: YAML file that says how to read a detector of others: pixels, fake, threshold
            and so on; empty for the one beside it.
        allow_unsafe_model: Load a model too that holds a Lambda layer or a pickle: code of its
            author, which then runs with your rights.
        output: Folder to write the report to, besides MLflow; empty for none.
        dollars_per_hour: What the machine costs; 0 for what each study was told.
        margin: How far below the best test accuracy a cheaper study may be shown to be, at most;
            0.01 is one percentage point.
        budget_minutes: Minutes from a cold start that you have: what they buy is told; 0 for none.
        target: Validation ROC AUC that networks are timed to, over their seeds; 0 for none.
        published: Published folders to compare too, joined by commas; alone, or with runs. One that
            does not follow from its own scores is refused.

    Returns:
        The comparison.

    Raises:
        UsageError: If there are no studies to compare, or they are of different test images.

    Example:
        >>> compare(runs=[first.run_id, second.run_id]).steps  # doctest: +SKIP
    """

def datasets() -> pd.DataFrame:
    """Return the datasets that are known by name: images, kind of fakes, licence, page.

    Example:
        >>> "140k" in datasets().index
        True
    """

def evaluate(
    *,
    model: _Text = "best",
    data: _Text | pd.DataFrame | Sequence[Any] = "synthetic",
    classes: _Text = "",
    limit: int = 0,
    description: _Text = "",
    cluster: _Text = "none",
    trial_cores: int = 0,
    trial_gpus: float = 0.0,
    share: Literal["auto", "paths", "bytes"] = "auto",
    output: _Text = "evaluation",
    allow_unsafe_model: bool = False,
    progress: bool | Progress = True,
) -> Evaluation:
    """Score a finished model on datasets that nothing of it was selected on.

    Args:
        progress: As in `run_study`.
        model: Address in the registry, MLflow run of a study, folder of an MLflow model; a detector
            of others, FILE.keras or FILE.onnx; or best: the cheapest shown to be within a point of
            the most accurate.
        data: Test sets by name, or folders of faces, joined by commas; one class suffices.
        classes: What folders' names mean that are not understood by themselves:
            real:nature,fake:ai.
        limit: At most this many images per class of each set; 0 for all.
        description: YAML file that says how to read a detector of others: pixels, fake, threshold
            and so on; empty for the one beside it.
        cluster: Where pictures are extracted and scored, and trials run: none (this process), local
            (processes of this machine), auto (the Ray cluster of this machine, or of RAY_ADDRESS),
            HOST:PORT, or ray://HOST:PORT.
        trial_cores: Processor cores that a trial, or another unit of work, computes with, wherever
            it runs; results of trials depend on it. 0: all of its machine.
        trial_gpus: GPUs, or a share of one, that a trial, or another unit of work, takes on a
            cluster.
        share: How files reach a cluster: paths (it sees this machine's folders), bytes, or auto
            (each node is asked).
        output: Folder to write the report to, besides MLflow; empty for none.
        allow_unsafe_model: Load a model too that holds a Lambda layer or a pickle: code of its
            author, which then runs with your rights.

    Returns:
        Its metrics on each of them.

    Raises:
        UsageError: If there is no such model or dataset.

    Example:
        >>> evaluate(model=study.run_id, data="other/faces").table  # doctest: +SKIP
    """

def explain(
    *,
    model: _Text,
    paths: _Text,
    output: _Text = "explanation",
    allow_unsafe_model: bool = False,
    progress: bool | Progress = True,
) -> pd.DataFrame:
    """Draw pictures beside what in them spoke to a model for real or for fake.

    Args:
        progress: As in `run_study`.
        model: models:/NAME@champion, the id of a study's run, or a folder.
        paths: Files, folders, and quoted patterns of them.
        output: Folder to write the pictures to.
        allow_unsafe_model: Load a model too that holds a Lambda layer or a pickle: code of its
            author, which then runs with your rights.

    Returns:
        `evidence.csv` of the output folder, a row a file; where that holds files already, of one
        that is made beside it.

    Raises:
        UsageError: If there is no such model, or a pattern finds nothing.

    Example:
        >>> explain(model=study.run_id, paths=["a.jpg"], output="evidence")  # doctest: +SKIP
    """

def generalise(
    *,
    models: Any = "mobilenetv3",
    train: _Text | pd.DataFrame | Sequence[Any] = "synthetic",
    test: _Text | pd.DataFrame | Sequence[Any] = "",
    hold_out: Literal["none", "source", "tier", "generator"] = "none",
    order: Literal["none", "released"] = "none",
    at_once: int = 1,
    output: _Text = "generalisation",
    classes: _Text = "",
    trials: int = 20,
    epochs: int = 10,
    image_size: int = 0,
    batch_size: int = 0,
    weights: _Text = "auto",
    fit: Literal["crop", "resize"] = "crop",
    input: Literal["rgb", "residual", "npr"] = "rgb",
    equalise: _Text = "none",
    canvas: int = 0,
    balance: Literal["none", "classes", "sources", "generators"] = "none",
    fine_tune: _Text = "frozen",
    augment: Literal["search", "none", "light", "strong"] = "search",
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto",
    engine: Literal["auto", "tensorflow", "tensorflow_bf16", "onnxruntime"] = "auto",
    cache_gb: float = 0.0,
    classifier: _Text = "search",
    features: _Text = "search",
    pooling: _Text = "search",
    dropout: _Text = "search",
    batch_norm: _Text = "search",
    units: _Text = "search",
    activation: _Text = "search",
    loss: _Text = "search",
    learning_rate: _Text = "search",
    weight_decay: _Text = "search",
    C: _Text = "search",
    fine_learning_rate: _Text = "search",
    fine_weight_decay: _Text = "search",
    sampler: Literal["tpe", "random", "grid", "cmaes"] = "tpe",
    pruner: Literal["median", "hyperband", "none"] = "median",
    patience: int = 5,
    parallel: int = 1,
    cluster: _Text = "none",
    trial_cores: int = 0,
    trial_gpus: float = 0.0,
    share: Literal["auto", "paths", "bytes"] = "auto",
    folds: int = 0,
    limit: int = 0,
    seed: int = 0,
    unsure_error: float = 0.05,
    seeds: int = 1,
    refits: int = 1,
    anytime: bool = False,
    storage: _Text = "",
    timeout_minutes: float = 0.0,
    dollars_per_hour: float = 0.0,
    progress: bool | Progress = True,
) -> Matrix:
    """Fill a matrix: a study of each training set, scored on each test set.

    Of `train=[a, b, [a, b]]` the last is a mixture of the first two.

    Args:
        progress: As in `run_study`.
        models: Architectures, joined by commas; see 'fakeface-bench list'.
        train: Training sets, joined by commas; several that are joined by '+' are one.
        test: Test sets, joined by commas; empty for every dataset named in TRAIN.
        hold_out: Also leave each source, tier or generator of a training set out in turn, and test
            on it.
        order: Also train on what was released up to each date in turn, and test on what came after.
        at_once: Studies that run at once, each with its trials on the cluster, which it needs.
        output: Folder to write the report to, besides MLflow; empty for none.
        classes: What folders' names mean that are not understood by themselves:
            real:nature,fake:ai.
        trials: Finished trials that the study shall hold in the end.
        epochs: Most epochs of one fit; early stopping may end it sooner.
        image_size: Side of the network's input in pixels; 0 for the architecture's own.
        batch_size: Images per step; 0 suits the machine in extraction and is searched in training.
        weights: pretrained (imagenet, or a foundation model's own), random, a Keras weights file or
            a preset's folder; or auto: pretrained where it can be had.
        fit: How images meet the input: centre crop at native resolution, or resized.
        input: What a network trained from scratch reads: colours, their high-pass residuals, or
            what scaling down loses (NPR).
        equalise: none; or jpeg: every picture passes one JPEG first (of the lowest quality common
            in the dataset; jpeg75: of 75), and the ROC AUC that this costs is told.
        canvas: Side in pixels that the centre square of every picture is scaled to first, before
            any JPEG of equalise, and what this costs is told likewise; 0 for none.
        balance: What weighs the same in training, however many images it has.
        fine_tune: Layers trained under the head: frozen (none), norms (normalisation alone),
            last_block, last_2_blocks and so on, all, or a number of last layers.
        augment: What is done to the pictures that train layers under the head.
        precision: Numeric precision in which trained layers compute; auto measures.
        engine: What frozen layers run on; auto: onnxruntime on processors where it can, else
            tensorflow. tensorflow_bf16 has train and valid pass in bfloat16, test in float32.
        cache_gb: Disk for what trained layers read each epoch; 0: a quarter of the free disk, at
            most 20.
        classifier: head, logistic_regression (on frozen features).
        features: What the classifier reads: last, all_blocks, last+residual, all_blocks+residual.
        pooling: avg, max, avg+max, avg+std, max2x2; cls, cls+avg of a class token.
        dropout: Rate before the head's output; 0..0.6 is searched.
        batch_norm: true, false.
        units: Width of the head's hidden layer; 0: none.
        activation: Activation of the hidden layer: relu, swish, tanh.
        loss: See 'fakeface-bench list'.
        learning_rate: Of the head; 0.0001..0.01 is searched.
        weight_decay: Of the head; 0.00001..0.1 is searched.
        C: Inverse penalty of logistic regression; 0.0001..10 is searched.
        fine_learning_rate: Of unfrozen layers; 0.00003..0.001 is searched.
        fine_weight_decay: Of unfrozen layers; 0.0001..0.1 is searched.
        sampler: How options are drawn.
        pruner: What ends trials early.
        patience: Epochs without a better validation ROC AUC that end a fit; 0: none do.
        parallel: Trials that are drawn together, from what all earlier ones found, so that a
            cluster, or several processes of one study, run them at once; results depend on it.
        cluster: Where pictures are extracted and scored, and trials run: none (this process), local
            (processes of this machine), auto (the Ray cluster of this machine, or of RAY_ADDRESS),
            HOST:PORT, or ray://HOST:PORT.
        trial_cores: Processor cores that a trial, or another unit of work, computes with, wherever
            it runs; results of trials depend on it. 0: all of its machine.
        trial_gpus: GPUs, or a share of one, that a trial, or another unit of work, takes on a
            cluster.
        share: How files reach a cluster: paths (it sees this machine's folders), bytes, or auto
            (each node is asked).
        folds: Parts of train and validation together that are held out in turn, by which options
            are chosen; the winner is then fitted on all of them. 0: validation is held out.
        limit: At most this many images per split and class; 0 for all.
        seed: Seed of the split, random weights, the search and every fit.
        unsure_error: Chooses a band of scores in which the model is unsure, so that at most this
            share of the validation pictures outside it is wrong; 0: no band.
        seeds: Times that the whole study is done, search and fit, each with a seed of its own; the
            first's model is kept. Comparisons speak of networks from 3 on.
        refits: Fits of the winner alone, each with a seed of its own; the first is kept.
        anytime: After the end, also score on test what would have been taken earlier; nothing is
            chosen by it.
        storage: Optuna storage URL; empty for what FAKEFACE_STORAGE says, else a SQLite file beside
            MLflow's.
        timeout_minutes: After this time no new trial starts; 0 for never.
        dollars_per_hour: What the machine costs; 0 for no price.

    Returns:
        The matrix.

    Raises:
        StudyError: If studies failed; those that did not are kept, and found by the next call.

    Example:
        >>> generalise(train="faces", hold_out="generator").unseen  # doctest: +SKIP
    """

def load_detector(
    model: str,
    *,
    allow_unsafe_model: bool = False,
) -> Detector:
    """Load a trained model.

    Args:
        model: `models:/NAME@champion`, the id of a study's run, or a folder.
        allow_unsafe_model: Load a model too that could run code of its author.

    Raises:
        UsageError: If there is no such model.
        ModelError: If it is damaged, or would run code.

    Example:
        >>> detector = load_detector(study.run_id)  # doctest: +SKIP
        >>> detector.predict("photos/*.jpg")  # doctest: +SKIP
    """

def load_index(
    data: Any = "synthetic",
    *,
    seed: int = 0,
    limit: int = 0,
    leave_out: str | Sequence[str] = (),
    classes: str = "",
    progress: bool | Progress = True,
) -> pd.DataFrame:
    """Return the images that studies of a dataset use: audited, without copies, split.

    Args:
        data: As in `run_study`.
        seed: Of the split, where the dataset has none of its own.
        limit: At most this many per split and class; 0 for all.
        leave_out: As in `run_study`.
        classes: As in `run_study`.
        progress: As in `run_study`.

    Returns:
        A row an image: `path` below its source's folder, `file`, `label` (1 for fake), `split`,
        `source`, `tier`, `generator`, `released`, `digest` (SHA-256) and what of the image tells
        copies and twins.

    Raises:
        DataError: If the dataset cannot be read as one of real and fake faces.

    Example:
        >>> load_index("path/to/faces").groupby(["split", "label"]).size()  # doctest: +SKIP
    """

def load_study(
    run_id: str,
) -> Study:
    """Return a finished study by the id of its MLflow run.

    Raises:
        UsageError: If MLflow knows no such run, or it is no finished study.

    Example:
        >>> load_study("0123456789abcdef0123456789abcdef").trials  # doctest: +SKIP
    """

def metrics() -> pd.DataFrame:
    """Return the metrics that studies tell, by key.

    Example:
        >>> metrics().loc["roc_auc", "title"]
        'area under the ROC curve'
    """

def predict(
    model: str,
    pictures: Any,
    *,
    allow_unsafe_model: bool = False,
) -> pd.DataFrame:
    """Say of each picture whether a trained model takes it for real or fake.

    Args:
        model: As in `load_detector`, which saves loading it again.
        pictures: As in `Detector.predict`.
        allow_unsafe_model: As in `load_detector`.

    Returns:
        A row a picture, as `Detector.predict` returns them.

    Example:
        >>> predict("models:/fakeface@champion", "photos/*.jpg")  # doctest: +SKIP
    """

def publish(
    *,
    run: _Text,
    folder: _Text | pd.DataFrame | Sequence[Any],
    with_model: bool = False,
    progress: bool | Progress = True,
) -> pathlib.Path:
    """Publish a finished study or comparison as a folder that others can check.

    It holds metrics, the score of each image by its digest, costs, options, versions and a page; no
    picture, path or password.

    Args:
        progress: As in `run_study`.
        run: MLflow run of a study or comparison; or newest, the newest study's.
        folder: Folder to write to.
        with_model: Publish the model of each study too.

    Returns:
        The folder; where the one asked for holds files already, another beside it.

    Raises:
        UsageError: If MLflow knows no such run, or no longer holds what is published of it.

    Example:
        >>> publish(run=study.run_id, folder="published")  # doctest: +SKIP
    """

def register(
    *,
    run: _Text = "best",
    name: _Text = "fakeface",
    data_digest: _Text = "",
    force: bool = False,
    progress: bool | Progress = True,
) -> Registration:
    """Register the model of a finished study; the champion if it passes the gate.

    Args:
        progress: As in `run_study`.
        run: MLflow run of a study; or best: the cheapest shown to be within a point of the most
            accurate.
        name: Name of the registered model.
        data_digest: First digits of the digest of the dataset, or its name, that best chooses in;
            empty for the newest study's.
        force: Make it the champion whatever the gate says; recorded as a tag.

    Returns:
        What became of it: `address`, `passed`, `is_champion`, `lines`.

    Raises:
        ModelError: If the model, loaded again, does not give the scores that its study logged.

    Example:
        >>> register(run=study.run_id, name="fakeface").address  # doctest: +SKIP
    """

def robustness(
    *,
    models: _Text = "best",
    data: _Text | pd.DataFrame | Sequence[Any] = "",
    classes: _Text = "",
    limit: int = 0,
    seed: int = 0,
    description: _Text = "",
    cluster: _Text = "none",
    trial_cores: int = 0,
    trial_gpus: float = 0.0,
    share: Literal["auto", "paths", "bytes"] = "auto",
    output: _Text = "robustness",
    allow_unsafe_model: bool = False,
    progress: bool | Progress = True,
) -> Robustness:
    """Score trained models on test pictures that are compressed, scaled, blurred and the like.

    Args:
        progress: As in `run_study`.
        models: Trained models, joined by commas: registry addresses, runs, folders, FILE.keras,
            FILE.onnx, or best.
        data: Test set by name, or a folder of faces; empty for the first model's own test split.
        classes: What folders' names mean that are not understood by themselves:
            real:nature,fake:ai.
        limit: At most this many images per class; 0 for all.
        seed: Of the noise.
        description: YAML file that says how to read a detector of others: pixels, fake, threshold
            and so on; empty for the one beside it.
        cluster: Where pictures are extracted and scored, and trials run: none (this process), local
            (processes of this machine), auto (the Ray cluster of this machine, or of RAY_ADDRESS),
            HOST:PORT, or ray://HOST:PORT.
        trial_cores: Processor cores that a trial, or another unit of work, computes with, wherever
            it runs; results of trials depend on it. 0: all of its machine.
        trial_gpus: GPUs, or a share of one, that a trial, or another unit of work, takes on a
            cluster.
        share: How files reach a cluster: paths (it sees this machine's folders), bytes, or auto
            (each node is asked).
        output: Folder to write the report to, besides MLflow; empty for none.
        allow_unsafe_model: Load a model too that holds a Lambda layer or a pickle: code of its
            author, which then runs with your rights.

    Returns:
        ROC AUC and accuracy of every severity, and their means.

    Raises:
        UsageError: If there is no such model or dataset.

    Example:
        >>> robustness(models=study.run_id).table  # doctest: +SKIP
    """

def run_study(
    *,
    model: Any = "mobilenetv3",
    data: _Text | pd.DataFrame | Sequence[Any] = "synthetic",
    classes: _Text = "",
    trials: int = 20,
    epochs: int = 10,
    image_size: int = 0,
    batch_size: int = 0,
    weights: _Text = "auto",
    fit: Literal["crop", "resize"] = "crop",
    input: Literal["rgb", "residual", "npr"] = "rgb",
    equalise: _Text = "none",
    canvas: int = 0,
    leave_out: _Text = "",
    balance: Literal["none", "classes", "sources", "generators"] = "none",
    fine_tune: _Text = "frozen",
    augment: Literal["search", "none", "light", "strong"] = "search",
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto",
    engine: Literal["auto", "tensorflow", "tensorflow_bf16", "onnxruntime"] = "auto",
    cache_gb: float = 0.0,
    classifier: _Text = "search",
    features: _Text = "search",
    pooling: _Text = "search",
    dropout: _Text = "search",
    batch_norm: _Text = "search",
    units: _Text = "search",
    activation: _Text = "search",
    loss: _Text = "search",
    learning_rate: _Text = "search",
    weight_decay: _Text = "search",
    C: _Text = "search",
    fine_learning_rate: _Text = "search",
    fine_weight_decay: _Text = "search",
    sampler: Literal["tpe", "random", "grid", "cmaes"] = "tpe",
    pruner: Literal["median", "hyperband", "none"] = "median",
    patience: int = 5,
    parallel: int = 1,
    cluster: _Text = "none",
    trial_cores: int = 0,
    trial_gpus: float = 0.0,
    share: Literal["auto", "paths", "bytes"] = "auto",
    folds: int = 0,
    limit: int = 0,
    seed: int = 0,
    unsure_error: float = 0.05,
    seeds: int = 1,
    refits: int = 1,
    anytime: bool = False,
    storage: _Text = "",
    timeout_minutes: float = 0.0,
    dollars_per_hour: float = 0.0,
    study: _Text = "",
    register: _Text = "",
    again: bool = False,
    callbacks: Sequence[Callback] = (),
    progress: bool | Progress = True,
) -> Study:
    """Search one network's options on one dataset, and record the study in MLflow.

    The study is looked up first: one that is finished is returned, and with more trials topped up.
    In an active MLflow run it becomes that run's child.

    Args:
        callbacks: Hear of trials and epochs as they run, and may stop them.
        progress: Show how far it is; False for silence, where warnings are Python's; or an object
            with `stage`, `say` and `warn`.
        model: Architecture; see 'fakeface-bench list'. Or a network of yours: NETWORK.keras, or
            onnx:NETWORK.onnx.
        data: Dataset by name, or a folder of faces; several are joined by '+'.
        classes: What folders' names mean that are not understood by themselves:
            real:nature,fake:ai.
        trials: Finished trials that the study shall hold in the end.
        epochs: Most epochs of one fit; early stopping may end it sooner.
        image_size: Side of the network's input in pixels; 0 for the architecture's own.
        batch_size: Images per step; 0 suits the machine in extraction and is searched in training.
        weights: pretrained (imagenet, or a foundation model's own), random, a Keras weights file or
            a preset's folder; or auto: pretrained where it can be had.
        fit: How images meet the input: centre crop at native resolution, or resized.
        input: What a network trained from scratch reads: colours, their high-pass residuals, or
            what scaling down loses (NPR).
        equalise: none; or jpeg: every picture passes one JPEG first (of the lowest quality common
            in the dataset; jpeg75: of 75), and the ROC AUC that this costs is told.
        canvas: Side in pixels that the centre square of every picture is scaled to first, before
            any JPEG of equalise, and what this costs is told likewise; 0 for none.
        leave_out: Generators, tiers or sources of the dataset whose images are not used, joined by
            commas.
        balance: What weighs the same in training, however many images it has.
        fine_tune: Layers trained under the head: frozen (none), norms (normalisation alone),
            last_block, last_2_blocks and so on, all, or a number of last layers.
        augment: What is done to the pictures that train layers under the head.
        precision: Numeric precision in which trained layers compute; auto measures.
        engine: What frozen layers run on; auto: onnxruntime on processors where it can, else
            tensorflow. tensorflow_bf16 has train and valid pass in bfloat16, test in float32.
        cache_gb: Disk for what trained layers read each epoch; 0: a quarter of the free disk, at
            most 20.
        classifier: head, logistic_regression (on frozen features).
        features: What the classifier reads: last, all_blocks, last+residual, all_blocks+residual.
        pooling: avg, max, avg+max, avg+std, max2x2; cls, cls+avg of a class token.
        dropout: Rate before the head's output; 0..0.6 is searched.
        batch_norm: true, false.
        units: Width of the head's hidden layer; 0: none.
        activation: Activation of the hidden layer: relu, swish, tanh.
        loss: See 'fakeface-bench list'.
        learning_rate: Of the head; 0.0001..0.01 is searched.
        weight_decay: Of the head; 0.00001..0.1 is searched.
        C: Inverse penalty of logistic regression; 0.0001..10 is searched.
        fine_learning_rate: Of unfrozen layers; 0.00003..0.001 is searched.
        fine_weight_decay: Of unfrozen layers; 0.0001..0.1 is searched.
        sampler: How options are drawn.
        pruner: What ends trials early.
        patience: Epochs without a better validation ROC AUC that end a fit; 0: none do.
        parallel: Trials that are drawn together, from what all earlier ones found, so that a
            cluster, or several processes of one study, run them at once; results depend on it.
        cluster: Where pictures are extracted and scored, and trials run: none (this process), local
            (processes of this machine), auto (the Ray cluster of this machine, or of RAY_ADDRESS),
            HOST:PORT, or ray://HOST:PORT.
        trial_cores: Processor cores that a trial, or another unit of work, computes with, wherever
            it runs; results of trials depend on it. 0: all of its machine.
        trial_gpus: GPUs, or a share of one, that a trial, or another unit of work, takes on a
            cluster.
        share: How files reach a cluster: paths (it sees this machine's folders), bytes, or auto
            (each node is asked).
        folds: Parts of train and validation together that are held out in turn, by which options
            are chosen; the winner is then fitted on all of them. 0: validation is held out.
        limit: At most this many images per split and class; 0 for all.
        seed: Seed of the split, random weights, the search and every fit.
        unsure_error: Chooses a band of scores in which the model is unsure, so that at most this
            share of the validation pictures outside it is wrong; 0: no band.
        seeds: Times that the whole study is done, search and fit, each with a seed of its own; the
            first's model is kept. Comparisons speak of networks from 3 on.
        refits: Fits of the winner alone, each with a seed of its own; the first is kept.
        anytime: After the end, also score on test what would have been taken earlier; nothing is
            chosen by it.
        storage: Optuna storage URL; empty for what FAKEFACE_STORAGE says, else a SQLite file beside
            MLflow's.
        timeout_minutes: After this time no new trial starts; 0 for never.
        dollars_per_hour: What the machine costs; 0 for no price.
        study: Name; empty derives it from the rest.
        register: Name to register the winner under, as its champion where it passes the gate.
        again: Refit, score and record a study that is finished once more; its trials are kept.

    Returns:
        The finished study.

    Raises:
        UsageError: If an option cannot have its value.
        DataError: If the dataset cannot be read as one of real and fake faces.
        StudyError: If the study cannot go on.

    Example:
        >>> study = run_study(model="residual", data="synthetic", trials=2)  # doctest: +SKIP
        >>> study.metrics.loc["roc_auc", "test"]  # doctest: +SKIP
    """

def run_suite(
    *,
    models: Any = "simple_cnn,simple_cnn_pool,mobilenetv3,vgg19",
    output: _Text = "comparison",
    margin: float = 0.01,
    budget_minutes: float = 0.0,
    target: float = 0.0,
    at_once: int = 1,
    data: _Text | pd.DataFrame | Sequence[Any] = "synthetic",
    classes: _Text = "",
    trials: int = 20,
    epochs: int = 10,
    image_size: int = 0,
    batch_size: int = 0,
    weights: _Text = "auto",
    fit: Literal["crop", "resize"] = "crop",
    input: Literal["rgb", "residual", "npr"] = "rgb",
    equalise: _Text = "none",
    canvas: int = 0,
    leave_out: _Text = "",
    balance: Literal["none", "classes", "sources", "generators"] = "none",
    fine_tune: _Text = "frozen",
    augment: Literal["search", "none", "light", "strong"] = "search",
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto",
    engine: Literal["auto", "tensorflow", "tensorflow_bf16", "onnxruntime"] = "auto",
    cache_gb: float = 0.0,
    classifier: _Text = "search",
    features: _Text = "search",
    pooling: _Text = "search",
    dropout: _Text = "search",
    batch_norm: _Text = "search",
    units: _Text = "search",
    activation: _Text = "search",
    loss: _Text = "search",
    learning_rate: _Text = "search",
    weight_decay: _Text = "search",
    C: _Text = "search",
    fine_learning_rate: _Text = "search",
    fine_weight_decay: _Text = "search",
    sampler: Literal["tpe", "random", "grid", "cmaes"] = "tpe",
    pruner: Literal["median", "hyperband", "none"] = "median",
    patience: int = 5,
    parallel: int = 1,
    cluster: _Text = "none",
    trial_cores: int = 0,
    trial_gpus: float = 0.0,
    share: Literal["auto", "paths", "bytes"] = "auto",
    folds: int = 0,
    limit: int = 0,
    seed: int = 0,
    unsure_error: float = 0.05,
    seeds: int = 1,
    refits: int = 1,
    anytime: bool = False,
    storage: _Text = "",
    timeout_minutes: float = 0.0,
    dollars_per_hour: float = 0.0,
    progress: bool | Progress = True,
) -> Comparison:
    """Study several networks on one dataset, each in a process of its own, and compare them.

    Args:
        progress: As in `run_study`.
        models: Architectures, joined by commas; see 'fakeface-bench list'.
        output: Folder to write the comparison to, besides MLflow; empty for none.
        margin: How far below the best test accuracy a cheaper study may be shown to be, at most;
            0.01 is one percentage point.
        budget_minutes: Minutes from a cold start that you have: what they buy is told; 0 for none.
        target: Validation ROC AUC that networks are timed to, over their seeds; 0 for none.
        at_once: Studies that run at once, each with its trials on the cluster, which it needs.
        data: Dataset by name, or a folder of faces; several are joined by '+'.
        classes: What folders' names mean that are not understood by themselves:
            real:nature,fake:ai.
        trials: Finished trials that the study shall hold in the end.
        epochs: Most epochs of one fit; early stopping may end it sooner.
        image_size: Side of the network's input in pixels; 0 for the architecture's own.
        batch_size: Images per step; 0 suits the machine in extraction and is searched in training.
        weights: pretrained (imagenet, or a foundation model's own), random, a Keras weights file or
            a preset's folder; or auto: pretrained where it can be had.
        fit: How images meet the input: centre crop at native resolution, or resized.
        input: What a network trained from scratch reads: colours, their high-pass residuals, or
            what scaling down loses (NPR).
        equalise: none; or jpeg: every picture passes one JPEG first (of the lowest quality common
            in the dataset; jpeg75: of 75), and the ROC AUC that this costs is told.
        canvas: Side in pixels that the centre square of every picture is scaled to first, before
            any JPEG of equalise, and what this costs is told likewise; 0 for none.
        leave_out: Generators, tiers or sources of the dataset whose images are not used, joined by
            commas.
        balance: What weighs the same in training, however many images it has.
        fine_tune: Layers trained under the head: frozen (none), norms (normalisation alone),
            last_block, last_2_blocks and so on, all, or a number of last layers.
        augment: What is done to the pictures that train layers under the head.
        precision: Numeric precision in which trained layers compute; auto measures.
        engine: What frozen layers run on; auto: onnxruntime on processors where it can, else
            tensorflow. tensorflow_bf16 has train and valid pass in bfloat16, test in float32.
        cache_gb: Disk for what trained layers read each epoch; 0: a quarter of the free disk, at
            most 20.
        classifier: head, logistic_regression (on frozen features).
        features: What the classifier reads: last, all_blocks, last+residual, all_blocks+residual.
        pooling: avg, max, avg+max, avg+std, max2x2; cls, cls+avg of a class token.
        dropout: Rate before the head's output; 0..0.6 is searched.
        batch_norm: true, false.
        units: Width of the head's hidden layer; 0: none.
        activation: Activation of the hidden layer: relu, swish, tanh.
        loss: See 'fakeface-bench list'.
        learning_rate: Of the head; 0.0001..0.01 is searched.
        weight_decay: Of the head; 0.00001..0.1 is searched.
        C: Inverse penalty of logistic regression; 0.0001..10 is searched.
        fine_learning_rate: Of unfrozen layers; 0.00003..0.001 is searched.
        fine_weight_decay: Of unfrozen layers; 0.0001..0.1 is searched.
        sampler: How options are drawn.
        pruner: What ends trials early.
        patience: Epochs without a better validation ROC AUC that end a fit; 0: none do.
        parallel: Trials that are drawn together, from what all earlier ones found, so that a
            cluster, or several processes of one study, run them at once; results depend on it.
        cluster: Where pictures are extracted and scored, and trials run: none (this process), local
            (processes of this machine), auto (the Ray cluster of this machine, or of RAY_ADDRESS),
            HOST:PORT, or ray://HOST:PORT.
        trial_cores: Processor cores that a trial, or another unit of work, computes with, wherever
            it runs; results of trials depend on it. 0: all of its machine.
        trial_gpus: GPUs, or a share of one, that a trial, or another unit of work, takes on a
            cluster.
        share: How files reach a cluster: paths (it sees this machine's folders), bytes, or auto
            (each node is asked).
        folds: Parts of train and validation together that are held out in turn, by which options
            are chosen; the winner is then fitted on all of them. 0: validation is held out.
        limit: At most this many images per split and class; 0 for all.
        seed: Seed of the split, random weights, the search and every fit.
        unsure_error: Chooses a band of scores in which the model is unsure, so that at most this
            share of the validation pictures outside it is wrong; 0: no band.
        seeds: Times that the whole study is done, search and fit, each with a seed of its own; the
            first's model is kept. Comparisons speak of networks from 3 on.
        refits: Fits of the winner alone, each with a seed of its own; the first is kept.
        anytime: After the end, also score on test what would have been taken earlier; nothing is
            chosen by it.
        storage: Optuna storage URL; empty for what FAKEFACE_STORAGE says, else a SQLite file beside
            MLflow's.
        timeout_minutes: After this time no new trial starts; 0 for never.
        dollars_per_hour: What the machine costs; 0 for no price.

    Returns:
        Their comparison.

    Raises:
        StudyError: If studies failed; those that did not are kept, and found by the next call.

    Example:
        >>> run_suite(models=["residual", "mobilenetv3_small"]).leaderboard  # doctest: +SKIP
    """

def verify(
    *,
    folder: _Text | pd.DataFrame | Sequence[Any],
    data: _Text | pd.DataFrame | Sequence[Any] = "",
    retrain: bool = False,
    weights: _Text = "",
    model: Any = "",
    output: _Text = "",
    progress: bool | Progress = True,
) -> Verification:
    """Check a published folder: does everything in it follow from its scores?

    With `data`, also whether that is the same dataset and, if the model was published, whether it
    gives the same scores; with `retrain`, whether the study comes out so once more.

    Args:
        progress: As in `run_study`.
        folder: What 'fakeface-bench publish' wrote.
        data: The dataset, by name or folder, to hold against the published digests and to score
            with the published model; empty: neither.
        retrain: Also run the whole study again, on data.
        weights: Weights file for retrain, where the study started from a file.
        model: Network file for retrain, where the network is its author's own.
        output: CSV file to write every check to; empty for none.

    Returns:
        Every check, and whether all passed.

    Raises:
        UsageError: If there is no such folder.

    Example:
        >>> verify(folder="published").passed  # doctest: +SKIP
    """
