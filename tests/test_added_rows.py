"""A row in a table is all that an addition takes: each is added to a copy, and passes there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: File of the package, the line before which a row is added, the row.
ROWS = {
    "backbones/catalogue.py": (
        '    Architecture(\n        key="simple_cnn",',
        '    Architecture("added_cnn", "", "unit", 176, 1_392, 4, filters=(8, 16)),\n',
    ),
    "training/losses.py": (
        '    "focal": Loss(',
        '    "added_loss": Loss("labels smoothed by 0.2", 1, lambda: _binary(0.2)),\n',
    ),
    "training/poolings.py": (
        '    "max2x2": Pooling(',
        '    "added_pooling": Pooling("maximum and deviation", ("max", "std")),\n',
    ),
    "data/corruptions.py": (
        '    Corruption(\n        key="jpeg",',
        '    Corruption("added", "Fog", "σ", "fog of {}", "0", _worse(3, 4), blurred),\n',
    ),
    "data/catalogue.py": (
        '    Dataset(\n        key="140k",',
        '    Dataset("added", "of a friend", "friend/faces", "https://example.org/faces", '
        '"{real,fake}", {(None, "real"): 5, (None, "fake"): 5}, 64, "GAN", "free", "a friend", '
        "fetch_kaggle),\n",
    ),
    "data/generators.py": (
        '    Generator("stylegan3",',
        '    Generator("added_gan", "Added GAN 2", "2021-06", "arXiv:0000.00000", ("agan2",)),\n',
    ),
    "config.py": (
        '    "strong": Augmentation(',
        '    "added": Augmentation("mirroring alone", flip=True),\n',
    ),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and its tests, each table one row longer."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("fakeface_bench", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for file, (before, row) in ROWS.items():
        path = folder / "fakeface_bench" / file
        text = path.read_text()
        assert text.count(before) == 1, f"{file} has no such line"
        path.write_text(text.replace(before, row + before))
    return folder


def run(copy: Path, *arguments: str) -> str:
    """Run Python in the copy and return what it printed."""
    process = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def test_what_is_added_is_listed_and_can_be_asked_for(copy: Path) -> None:
    listed = run(copy, "fakeface_bench", "list")
    for key in ("added_cnn", "added_loss", "added_pooling", "mirroring alone"):
        assert key in listed
    assert "friend/faces" in run(copy, "fakeface_bench", "datasets")
    assert "added" in run(copy, "fakeface_bench", "run", "--help").split("--augment")[1][:60]


@pytest.mark.slow
def test_what_is_added_passes_the_contracts_of_its_table(copy: Path) -> None:
    arguments = ("pytest", "-q", "-p", "no:cacheprovider", "tests/test_contracts.py", "-k", "added")
    printed = run(copy, *arguments)
    assert "20 passed" in printed, printed


def test_fakes_of_an_added_generator_are_known_and_dated(copy: Path) -> None:
    code = copy / "made.py"
    code.write_text(
        "from pathlib import Path\n"
        "from fakeface_bench.data.generators import generator_named, what_made\n"
        "from fakeface_bench.data.listing import PlacedImage\n"
        "images = [PlacedImage(Path(f'{n}.png'), None, 1, n) for n in ('AGAN-2', 'added_gan')]\n"
        "found = what_made(Path('.'), images, {}, {})\n"
        "print(found.generators, generator_named(found.generators[0]).released)\n"
    )
    printed = "['added_gan', 'added_gan'] 2021-06\n"
    assert run(copy, "made") == printed


def test_pictures_pass_an_added_corruption(copy: Path) -> None:
    code = copy / "corrupted.py"
    code.write_text(
        "from PIL import Image\n"
        "from fakeface_bench.data.corruptions import CONDITIONS, pictures_of\n"
        "image = Image.effect_noise((32, 32), 80).convert('RGB')\n"
        "made = list(pictures_of(image, 'ab' * 32, 0))[1:]\n"
        "fog = [m for m, (c, _) in zip(made, CONDITIONS) if c.key == 'added']\n"
        "print(len(fog), all(m.size == image.size and m != image for m in fog))\n"
    )
    assert run(copy, "corrupted") == "2 True\n"
