"""The tables of an audit, whole, as CSV: one line a row, whatever the names hold."""

import numpy as np
import pandas as pd

from fakeface_bench.analysis.audit import Fact
from fakeface_bench.config import CLASS_NAMES, FAKE
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.class_words import SPLITS
from fakeface_bench.data.index import made_by
from fakeface_bench.records.study import ShortcutFloor
from fakeface_bench.report.format import counted
from fakeface_bench.support.text import visible

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
#: Columns that say what a picture is of, or what made it.
_MADE_BY = ("category", "generator", "released", "tier")
_CLASSES = dict(enumerate(CLASS_NAMES))


def balance(audit: Audit) -> pd.DataFrame:
    """Count images by source, split, class, what made them: those used, and those left out."""
    files = audit.files
    keys = ["source", "split", "class", *_MADE_BY]
    table = files.assign(**{"class": _classes(files["label"]), "used": files["left_out"] == ""})
    sizes = table.groupby(keys)["used"].agg(images="sum", left_out="size").reset_index()
    sizes["left_out"] -= sizes["images"]
    order = sizes["split"].map({split: number for number, split in enumerate(SPLITS)}).fillna(9)
    sizes = sizes.assign(order=order).sort_values(["source", "order", *keys[2:]])
    return _shown(sizes.drop(columns="order"), "source", *_MADE_BY)


def formats(facts: tuple[Fact, ...]) -> pd.DataFrame:
    """Count each value of each fact by class, with its share of the class."""
    tables = [
        fact.counts.assign(
            real_share=fact.shares["real"].round(6), fake_share=fact.shares["fake"].round(6)
        )
        .rename_axis(index="value")
        .reset_index()
        .assign(fact=fact.key)
        for fact in facts
    ]
    columns = ["fact", "value", *CLASS_NAMES, "real_share", "fake_share"]
    return _shown(pd.concat(tables, ignore_index=True)[columns], "value")


def quantisation(audit: Audit) -> pd.DataFrame:
    """Count each JPEG quantisation table by class; `share` is of the class's images."""
    files = audit.used
    jpeg = files[files["quantisation"] != ""]
    groups = jpeg.groupby(["label", "quantisation"])["quality"].agg(["size", "mean"]).reset_index()
    of_class = files["label"].value_counts()
    table = pd.DataFrame(
        {
            "class": _classes(groups["label"]),
            "quantisation": groups["quantisation"],
            "images": groups["size"],
            "share": (groups["size"] / groups["label"].map(of_class)).round(6),
            "mean_luminance": groups["mean"].round(3),
        }
    )
    return table.sort_values(["class", "images"], ascending=False, kind="stable")


def file_sizes(audit: Audit) -> pd.DataFrame:
    """Return quantiles of the size in bytes, a row a class that has images."""
    files = audit.used
    rows = [
        {"class": name, "images": len(sizes)}
        | {
            f"q{100 * q:g}": value
            for q, value in zip(QUANTILES, np.quantile(sizes, QUANTILES), strict=True)
        }
        for label, name in _CLASSES.items()
        if len(sizes := files.loc[files["label"] == label, "size"].to_numpy(dtype=np.float64))
    ]
    return pd.DataFrame(rows, columns=["class", "images", *(f"q{100 * q:g}" for q in QUANTILES)])


def by_maker(audit: Audit) -> pd.DataFrame:
    """Return how the files of each generator and each source of real images were made.

    Of its format, size and JPEG tables the most frequent, each with its share; no row where no
    generator is known. What sets one apart, a detector may read in place of a face.
    """
    files = audit.used
    if not len(files) or not files["generator"].any():
        return pd.DataFrame(columns=_OF_MAKERS)
    sizes = files["width"].astype("str") + "×" + files["height"].astype("str")
    files = files.assign(made_by=made_by(files), pixel_size=sizes)
    rows = []
    for (label, maker), of in files.groupby(["label", "made_by"]):
        jpeg = of[of["quantisation"] != ""]
        rows.append(
            {
                "made_by": _maker(str(maker), int(str(label))),
                "class": _CLASSES[int(str(label))],
                "released": of["released"].max(),
                "images": len(of),
                "median_bytes": float(of["size"].median()),
                **_most_frequent("format", of["format"]),
                **_most_frequent("pixel_size", of["pixel_size"]),
                "jpeg_tables": jpeg["quantisation"].nunique(),
                **_most_frequent("jpeg_table", jpeg["quantisation"]),
                "mean_luminance": float(jpeg["quality"].mean()),
            }
        )
    return _shown(pd.DataFrame(rows, columns=_OF_MAKERS), "made_by")


def _maker(name: str, label: int) -> str:
    """Return a generator, a source of real images, or a dataset that tells no generator."""
    source = name.removesuffix("/")
    return f"{source}, not told" if label == FAKE and source != name else source


_OF_MAKERS = [
    *("made_by", "class", "released", "images", "median_bytes", "format", "format_share"),
    *("pixel_size", "pixel_size_share", "jpeg_tables", "jpeg_table", "jpeg_table_share"),
    "mean_luminance",
]


def _most_frequent(name: str, values: pd.Series) -> dict[str, object]:
    """Return the most frequent of some values, the first by name of several, and its share."""
    if values.empty:
        return {name: "", f"{name}_share": float("nan")}
    counts = values.value_counts()
    most = min(counts.index[counts == counts.max()])
    return {name: most, f"{name}_share": round(float(counts[most] / len(values)), 6)}


def duplicates(audit: Audit) -> pd.DataFrame:
    """Return every listed pair with what is known of both images.

    Pairs across splits come first, then those with opposite labels; within these identical ones,
    then the most alike.
    """
    pairs = audit.pairs.sort_values("distance", kind="stable")
    first = [pairs["across_splits"], pairs["opposite_labels"], pairs["kind"] == "identical"]
    order = np.lexsort([~column.to_numpy(dtype=bool) for column in reversed(first)])
    pairs = pairs.iloc[order]
    ends = pd.DataFrame(
        {
            "source": audit.files["source"],
            "path": audit.files["path"],
            "split": audit.files["split"],
            "label": _classes(audit.files["label"]),
        }
    )
    ends = _shown(ends, "source", "path")
    sides = [
        ends.take(pairs[side].to_numpy(dtype=np.int64))
        .add_prefix(f"{side}_")
        .reset_index(drop=True)
        for side in ("first", "second")
    ]
    rest = pairs[["kind", "distance", "across_splits", "opposite_labels"]].reset_index(drop=True)
    return pd.concat([*sides, rest], axis="columns")


def problems(audit: Audit) -> pd.DataFrame:
    """Return what is wrong with which file: unreadable, wrong extension, animated, skipped."""
    files, skipped = audit.files, audit.skipped
    unreadable = files[files["error"] != ""]
    wrong = files[files["wrong_extension"].astype(bool)]
    animated = files[files["frames"] > 1]
    detail = {
        "unreadable": (unreadable, unreadable["error"]),
        "wrong extension": (wrong, "holds " + wrong["format"].astype("str")),
        "animated": (animated, animated["frames"].map(lambda n: counted(n, "frame"))),
        "skipped": (skipped, skipped["reason"]),
    }
    tables = [
        pd.DataFrame(
            {"source": rows["source"], "path": rows["path"], "problem": problem, "detail": text},
            dtype="object",
        )
        for problem, (rows, text) in detail.items()
    ]
    return _shown(pd.concat(tables, ignore_index=True), "source", "path", "detail")


def left_out(audit: Audit) -> pd.DataFrame:
    """Return the files that a study would not use, and why."""
    files = audit.files[audit.files["left_out"] != ""]
    table = files[["source", "path", "split"]].assign(
        **{"class": _classes(files["label"]), "reason": files["left_out"]}
    )
    return _shown(table, "source", "path")


def shortcut(audit: Audit) -> pd.DataFrame:
    """Return the floor of all facts together, and that of each group alone, strongest first.

    `source` is empty for the whole dataset; the same of each source follows, and last what residual
    statistics reach.
    """
    floor, source_floors = audit.floor, audit.source_floors
    floors = {**({} if floor is None else {"": floor}), **source_floors}
    rows = [
        (source, name, value, *bounds, of.images)
        for source, of in floors.items()
        for name, value, *bounds in (
            ("all together", of.roc_auc, of.low_95, of.high_95),
            *((name, value, None, None) for name, value in strongest_first(of)),
        )
    ]
    if found := audit.residual:
        rows += [
            ("", name, estimate.value, estimate.low, estimate.high, found.images)
            for name, estimate in (
                ("residual statistics", found.untouched),
                (f"residual statistics, jpeg{found.jpeg_quality}", found.equalised),
            )
        ]
    columns = ["source", "facts", "roc_auc", "low_95", "high_95", "images"]
    return _shown(pd.DataFrame(rows, columns=columns), "source")


def strongest_first(floor: ShortcutFloor) -> list[tuple[str, float]]:
    """Return what each group of facts reaches alone."""
    return sorted(floor.alone.items(), key=lambda item: -item[1])


def _classes(labels: pd.Series) -> pd.Series:
    return labels.map(_CLASSES)


def _shown(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return table.assign(**{name: table[name].map(visible) for name in columns})
