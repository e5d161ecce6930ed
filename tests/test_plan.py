"""What a study's run is called: short, and no two alike that were asked differently."""

from dataclasses import replace
from pathlib import Path

import pytest

from fakeface_bench.config import StudyConfig
from fakeface_bench.resolve import make_plan
from fakeface_bench.tracking.names import run_name
from tests.backbones.test_weights import SMALL, mobilenet, saved

ASKED = StudyConfig(model="mobilenetv3_small", weights="imagenet")


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({}, "mobilenetv3_small"),
        ({"limit": 150}, "mobilenetv3_small, limit 150"),
        ({"image_size": 96, "trials": 5}, "mobilenetv3_small, 96 px, 5 trials"),
        ({"weights": "random"}, "mobilenetv3_small, random weights"),
        ({"seed": 3, "seeds": 2}, "mobilenetv3_small, seed 3, 2 seeds"),
        ({"refits": 4}, "mobilenetv3_small, 4 refits"),
        ({"fit": "resize", "epochs": 3}, "mobilenetv3_small, resized, 3 epochs"),
        ({"timeout_minutes": 2.5}, "mobilenetv3_small, 2.5 minutes"),
        (
            {"fine_tune": "last_block", "equalise": "jpeg75", "augment": "none"},
            "mobilenetv3_small (last_block), jpeg75, augment none",
        ),
        ({"study": "mine"}, "mobilenetv3_small, study mine"),
        ({"model": "simple_cnn", "weights": "auto"}, "simple_cnn"),
        ({"storage": "sqlite:///x.db", "cache_gb": 2.0}, "mobilenetv3_small"),
    ],
)
def test_what_is_not_as_usual_is_in_the_name(changes: dict[str, object], title: str) -> None:
    assert make_plan(replace(ASKED, **changes)).title == title  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["study", "compare", "evaluate", "matrix", "robust", "audit"])
def test_mlflows_list_shows_kind_and_dataset(kind: str) -> None:
    """It has room for twenty characters of a run's name."""
    assert run_name(kind, "140k", "x").startswith(f"{kind} 140k: ")
    shown = run_name(kind, "all_faces_of_2024", "mobilenetv3_small")[:20]
    assert shown.startswith(f"{kind} all…of_2024")


def test_weights_of_a_file_are_called_by_its_name(tmp_path: Path) -> None:
    network = mobilenet()
    for name, description in (("faces.weights.h5", "faces"), (f"{'x' * 40}.h5", f"{'x' * 23}…")):
        path = saved(network, tmp_path, name)
        title = make_plan(replace(ASKED, weights=str(path))).title
        assert title == f"{SMALL.key}, {description} weights"
