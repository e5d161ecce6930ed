"""Which generator made each fake, and when that was released.

What a file `generators.csv` says comes first, then a dataset's row of the catalogue, then the names
of folders. A generator that is known here has its date from `GENERATORS` where nothing states one.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fakeface_bench.config import CLASS_NAMES, FAKE
from fakeface_bench.data.class_words import stored_name
from fakeface_bench.data.label_table import (
    GENERATORS_FILE,
    FilesByName,
    LabelTable,
    absent_words,
    read_table,
    some,
)
from fakeface_bench.data.listing import PlacedImage, printable
from fakeface_bench.support.errors import DataError


@dataclass(frozen=True, slots=True)
class Generator:
    """A generator of faces, or a way to manipulate them.

    Attributes:
        released: Year and month of its paper's first version, or of its first public release.
        source: Of that date: an arXiv number, or what was released.
        also: Other names of it, in small letters and digits, without the v of a version.
    """

    key: str
    title: str
    released: str
    source: str
    also: tuple[str, ...] = ()


GENERATORS: tuple[Generator, ...] = (
    Generator("face2face", "Face2Face", "2016-06", "CVPR 2016"),
    Generator("cyclegan", "CycleGAN", "2017-03", "arXiv:1703.10593"),
    Generator("progan", "ProGAN", "2017-10", "arXiv:1710.10196", ("pggan",)),
    Generator("stargan", "StarGAN", "2017-11", "arXiv:1711.09020"),
    Generator("deepfakes", "Deepfakes", "2017-12", "first public code"),
    Generator("biggan", "BigGAN", "2018-09", "arXiv:1809.11096"),
    Generator("stylegan", "StyleGAN", "2018-12", "arXiv:1812.04948", ("stylegan1",)),
    Generator("gaugan", "GauGAN", "2019-03", "arXiv:1903.07291", ("spade",)),
    Generator("neuraltextures", "NeuralTextures", "2019-04", "arXiv:1904.12356"),
    Generator("stylegan2", "StyleGAN2", "2019-12", "arXiv:1912.04958"),
    Generator("faceshifter", "FaceShifter", "2019-12", "arXiv:1912.13457"),
    Generator("adm", "ADM", "2021-05", "arXiv:2105.05233", ("guideddiffusion",)),
    Generator("stylegan3", "StyleGAN3", "2021-06", "arXiv:2106.12423"),
    Generator("openforensics", "OpenForensics", "2021-07", "arXiv:2107.14480"),
    Generator("vqdm", "VQ-Diffusion", "2021-11", "arXiv:2111.14822", ("vqdiffusion",)),
    Generator("glide", "GLIDE", "2021-12", "arXiv:2112.10741"),
    Generator("stable_diffusion_1_4", "Stable Diffusion 1.4", "2022-08", "weights", ("sd14",)),
    Generator("stable_diffusion_inpainting", "Stable Diffusion Inpainting", "2022-10", "weights"),
    Generator(
        "stable_diffusion_1_5", "Stable Diffusion 1.5", "2022-10", "weights", ("sd15", "sd5")
    ),
    Generator("stable_diffusion_2_1", "Stable Diffusion 2.1", "2022-12", "weights", ("sd21",)),
    Generator("inswapper", "inswapper", "2023-03", "weights of InsightFace", ("insightface",)),
    Generator(
        "stable_diffusion_xl", "Stable Diffusion XL", "2023-07", "weights", ("sdxl", "sdxl10")
    ),
    Generator("dalle_3", "DALL-E 3", "2023-10", "public service"),
    Generator("stable_diffusion_3", "Stable Diffusion 3", "2024-06", "weights", ("sd3", "sd30")),
    Generator(
        "flux_1", "FLUX.1", "2024-08", "weights", ("flux", "flux1dev", "flux1schnell", "flux1pro")
    ),
)
_KNOWN = {name: row for row in GENERATORS for name in (row.key.replace("_", ""), *row.also)}
_LONGEST_NAME = 80
_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")


def generator_named(name: str) -> Generator | None:
    """Return the known generator of a name, however it is written; None for others."""
    plain = re.sub(r"[\W_]+", "", name).lower()
    return _KNOWN.get(plain) or _KNOWN.get(re.sub(r"v(?=\d)", "", plain))


@dataclass(frozen=True, slots=True)
class Made:
    """What made some pictures, in their order; empty texts where nobody knows.

    Attributes:
        categories: What holds or shows each: `PlacedImage.category`, or of real ones what
            `generators.csv` calls their source.
        generators: Of fakes.
        released: When that was released, as a table states it.
        skipped: What of `generators.csv` could not be used: its path and the reason.
    """

    categories: list[str]
    generators: list[str]
    released: list[str]
    skipped: list[tuple[str, str]]


def what_made(
    folder: Path,
    images: Sequence[PlacedImage],
    rules: Mapping[str, str],
    classes: Mapping[str, int],
) -> Made:
    """Find what made each picture of a dataset.

    Args:
        folder: Of the dataset.
        rules: Of a dataset's row: by what a path within the folder begins with or holds (a regular
            expression), the generator of a fake; the first that matches counts.
        classes: Labels that the user gives to names.
    """
    found = pd.DataFrame(
        {
            "label": [image.label for image in images],
            "category": [image.category for image in images],
            "released": [image.released for image in images],
        }
    )
    table = _table_file(folder, images)
    skipped: list[tuple[str, str]] = []
    if table is not None:
        found, skipped = _by_table(found, read_table(table), images, classes)
    elif rules:
        found["generator"] = _by_rules(folder, images, rules)
    else:
        found["generator"] = _by_category(found)
    is_fake = found["label"] == FAKE
    found["generator"] = _named_safely(found["generator"].where(is_fake, ""))
    found["released"] = found["released"].where(is_fake, "")
    category, generator, released = (
        found[name].tolist() for name in ("category", "generator", "released")
    )
    return Made(category, generator, released, skipped)


def _table_file(folder: Path, images: Sequence[PlacedImage]) -> Path | None:
    """Return the shallowest table above all pictures, at most in the folder itself."""
    above = Path(os.path.commonpath([image.path.parent for image in images] or [folder]))
    places = [place for place in (above, *above.parents) if place.is_relative_to(folder)]
    files = (place / GENERATORS_FILE for place in reversed(places))
    return next((file for file in files if file.is_file()), None)


def _named_safely(generators: pd.Series) -> pd.Series:
    """Let names hold what every store takes within a metric's; refuse two that become one."""
    safe = {name: stored_name(name).strip("_.")[:_LONGEST_NAME] for name in generators.unique()}
    first: dict[str, str] = {}
    for name, short in safe.items():
        if first.setdefault(short, name) != name:
            raise DataError(
                f"the generators {first[short]!r} and {name!r} would both be named {short!r}; "
                "rename one of them."
            )
    return generators.map(safe)


def _by_category(found: pd.DataFrame) -> pd.Series:
    """Take a category for a generator where it is known as one, or where only fakes bear it."""
    of_real = set(found.loc[found["label"] != FAKE, "category"])

    def generator(category: str) -> str:
        known = filter(None, map(generator_named, category.split("/")))
        if row := next(known, None):
            return row.key
        return "" if category in of_real or category.isdecimal() else category

    return found["category"].map({name: generator(name) for name in set(found["category"])})


def _by_rules(folder: Path, images: Sequence[PlacedImage], rules: Mapping[str, str]) -> pd.Series:
    start = len(str(folder)) + 1  # much quicker than `Path.relative_to`
    paths = pd.Series([str(image.path)[start:] for image in images], dtype="str")
    made = pd.Series("", index=paths.index, dtype="str")
    for pattern, generator in reversed(list(rules.items())):
        made[paths.str.contains(pattern)] = generator
    return made


def _by_table(
    found: pd.DataFrame,
    table: LabelTable,
    images: Sequence[PlacedImage],
    classes: Mapping[str, int],
) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Return what a table says of each picture, and what of it could not be used."""
    lacking = [what for what in ("path", "generator") if what not in table.columns]
    if lacking:
        raise DataError(
            f"{table.file} has no column of {'file names' if 'path' in lacking else 'generators'}; "
            "its columns are file, generator and, where they are known, label and released."
        )
    files = FilesByName(table.file.parent, [image.path for image in images])
    numbers = {image.path: number for number, image in enumerate(images)}
    labels = table.labels(classes) if "label" in table.columns else {}
    absent: list[str] = []
    told: dict[int, tuple[str, str]] = {}
    columns = map(table.values, ("path", "label", "generator", "released"))
    for name, label, generator, released in zip(*columns, strict=True):
        path = files.named(name, None, table.file.name, exactly=True)
        if path is None:
            absent.append(name)
            continue
        number = numbers[path]
        if label and labels[label] != images[number].label:
            stated, placed = CLASS_NAMES[labels[label]], CLASS_NAMES[images[number].label]
            raise DataError(
                f"{table.file.name} says that {name!r} is {stated}, and the folders that it is "
                f"{placed}; mend one of them."
            )
        row = generator_named(generator)
        said = (row.key if row else generator, released)
        if number in told and told[number] != said:
            raise DataError(
                f"{table.file.name} has several rows for {name!r} that differ; keep one."
            )
        told[number] = said
    made, dates = (
        pd.Series({n: told.get(n, ("", ""))[place] for n in found.index}, dtype="str")
        for place in (0, 1)
    )
    skipped = [(printable(table.file), absent_words(absent))] if absent else []
    found = found.assign(generator=made, released=dates)
    is_fake = found["label"] == FAKE
    unnamed = found.index[is_fake & (found["generator"] == "")]
    if len(unnamed):
        names = some([_within(table, images[number].path) for number in unnamed])
        fakes = f"{len(unnamed):,} of {is_fake.sum():,} fakes"
        skipped.append((printable(table.file), f"names no generator of {fakes}, such as {names}"))
    sources = found["generator"].where(~is_fake & (found["generator"] != ""), found["category"])
    return found.assign(category=sources), skipped


def _within(table: LabelTable, path: Path) -> str:
    return printable(path.relative_to(table.file.parent))


def release_dates(fakes: pd.DataFrame) -> pd.Series:
    """Return when the generator of each fake was released: as stated of any, else as it is known.

    A year, month or day as ISO 8601 writes it; empty where nobody knows.

    Args:
        fakes: Columns `generator` and `released`, of all datasets that are used together.
    """
    dates: dict[str, str] = {}
    stated = fakes[["generator", "released"]].drop_duplicates()
    for generator, released in stated.itertuples(index=False):
        if released and not _DATE.fullmatch(released):
            raise DataError(
                f"the generator {generator!r} was released {released!r}, which is no date; write "
                "2022-12, or a year or a day alike."
            )
        if not generator:
            continue
        if released and dates.setdefault(generator, released) != released:
            raise DataError(
                f"the generator {generator!r} was released {dates[generator]} and {released}; keep "
                "one date, or give its versions names of their own."
            )
    for generator in set(fakes["generator"]) - dates.keys() - {""}:
        row = generator_named(generator)
        dates[generator] = row.released if row else ""
    known = fakes["generator"].map(dates)
    return known.where(fakes["generator"] != "", fakes["released"]).astype("str")
