"""What the tests of the Python interface share: a place for a module's studies."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workplace import Workplace, quicken, workplace


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, tiny_faces: Path, session_cache: Path
) -> Workplace:
    """Where a module's studies are kept."""
    return workplace(tmp_path_factory.mktemp("api"), tiny_faces, session_cache)


@pytest.fixture
def here(place: Workplace) -> Iterator[None]:
    """Work there, without pictures that nobody looks at."""
    with place.here() as patch:
        quicken(patch)
        yield
