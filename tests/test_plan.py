"""What a study's run is called: short, and no two alike that were asked differently."""

from dataclasses import replace
from pathlib import Path

import pytest

from fakeface_bench.config import StudyConfig
from fakeface_bench.resolve import make_plan
from tests.backbones.test_weights import SMALL, mobilenet, saved

ASKED = StudyConfig(model="mobilenetv3_small", weights="imagenet")


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({}, "mobilenetv3_small on synthetic"),
        ({"limit": 150}, "mobilenetv3_small on synthetic, limit 150"),
        ({"image_size": 96, "trials": 5}, "mobilenetv3_small on synthetic, 96 px, 5 trials"),
        ({"weights": "random"}, "mobilenetv3_small on synthetic, random weights"),
        ({"seed": 3, "seeds": 2}, "mobilenetv3_small on synthetic, seed 3, 2 seeds"),
        ({"refits": 4}, "mobilenetv3_small on synthetic, 4 refits"),
        ({"fit": "resize", "epochs": 3}, "mobilenetv3_small on synthetic, resized, 3 epochs"),
        ({"timeout_minutes": 2.5}, "mobilenetv3_small on synthetic, 2.5 minutes"),
        (
            {"fine_tune": "last_block", "equalise": "jpeg75", "augment": "none"},
            "mobilenetv3_small (last_block) on synthetic, jpeg75, augment none",
        ),
        ({"study": "mine"}, "mobilenetv3_small on synthetic, study mine"),
        ({"model": "simple_cnn", "weights": "auto"}, "simple_cnn on synthetic"),
        ({"storage": "sqlite:///x.db", "cache_gb": 2.0}, "mobilenetv3_small on synthetic"),
    ],
)
def test_what_is_not_as_usual_is_in_the_name(changes: dict[str, object], title: str) -> None:
    assert make_plan(replace(ASKED, **changes)).title == title  # type: ignore[arg-type]


def test_weights_of_a_file_are_called_by_its_name(tmp_path: Path) -> None:
    network = mobilenet()
    for name, description in (("faces.weights.h5", "faces"), (f"{'x' * 40}.h5", f"{'x' * 23}…")):
        path = saved(network, tmp_path, name)
        title = make_plan(replace(ASKED, weights=str(path))).title
        assert title == f"{SMALL.key} on synthetic, {description} weights"
