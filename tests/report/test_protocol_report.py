"""Generators left out and the order of time, as tables, pictures and a page show them."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakeface_bench.analysis.protocols import (
    improvability,
    in_order_of_time,
    unseen_generators,
    unsure_share,
)
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.study import ResidualShortcut, UnsureBand
from fakeface_bench.records.transfer import (
    EqualisedCell,
    Generalisation,
    HoldOut,
    SetScores,
    TimeStep,
)
from fakeface_bench.report.protocols import (
    FRONT_FILE,
    TIME_FILE,
    UNSEEN_FILE,
    explained,
    networks_table,
    protocol_key_metrics,
    protocol_verdict,
    time_lines,
    unseen_lines,
    unseen_table,
)
from fakeface_bench.report.transfer_page import (
    generalisation_markdown,
    matrix_verdict,
    write_generalisation_report,
)
from fakeface_bench.report.transfer_plots import UNSEEN_MAP
from tests.report.transferred_models import cell, floor, matrix, model

#: Dates of generators, and how far apart a network puts them from real images.
RELEASED = {"stylegan2": "2019-12", "stylegan3": "2021-06", "sd21": "2022-12", "sd3": "2024-06"}
APART = {"stylegan2": 2.4, "stylegan3": 1.6, "sd21": -1.2, "sd3": 0.9}


def unseen_cell(label: str, name: str, apart: float, seed: int) -> SetScores:
    found = cell(model("faces", label), f"faces: {name}", apart, seed=seed, images=160)
    scored = replace(
        found.scored,
        released=tuple(RELEASED[name] if fake else "" for fake in found.scored.y_true),
        unsure=UnsureBand(0.4, 0.6),
    )
    residual = ResidualShortcut(Estimate(0.9, 0.86, 0.94), Estimate(0.8, 0.75, 0.85), 90, 200)
    return replace(found, scored=scored, residual=residual)


@pytest.fixture(scope="module")
def record() -> Generalisation:
    """Two networks: the second is a little worse, and metadata explain one generator."""
    outs, steps = [], []
    for number, label in enumerate(("small", "large")):
        for place, (name, apart) in enumerate(APART.items()):
            without = unseen_cell(label, name, apart - 0.3 * number, place)
            if (label, name) == ("small", "sd3"):
                without = replace(without, floor=floor(0.85))
            seen = None if name == "sd21" else unseen_cell(label, name, apart + 1, place)
            outs.append(HoldOut(label, "faces", "generator", name, without, seen))
        dates = list(RELEASED.items())
        for place, (_, until) in enumerate(dates[:-1]):
            for name, released in dates[place + 1 :]:
                step = unseen_cell(label, name, APART[name] - 0.3 * number, place)
                steps.append(TimeStep(label, "faces", until, released, (name,), step))
    plain = matrix(("faces",), ("faces",), ("small", "large"))
    costs = {"small": 40.0, "large": 300.0}
    cells = tuple(
        replace(own, model=replace(own.model, cold_seconds=costs[own.model.label]))
        for own in plain.cells
    )
    plain = replace(plain, cells=cells)
    return replace(plain, hold_outs=tuple(outs), time_steps=tuple(steps))


def test_the_worst_generator_comes_first_and_is_named(record: Generalisation) -> None:
    small, large = unseen_generators(record)
    for of in (small, large):
        values = [out.without.estimates["roc_auc"].value for out in of.outs]
        assert values == sorted(values)
        assert of.worst.value == "sd21"
        assert of.mean.value == pytest.approx(np.mean(values))
        assert of.mean.low < of.mean.value < of.mean.high
    table = unseen_table(record, "ranking")
    assert [row[1] for row in table.rows][:4] == [out.value for out in small.outs]
    assert table.rows[0][-1] == "worst; reversed"
    assert unseen_lines(unseen_generators(record))[0].startswith("small on faces: mean ROC AUC 0.")
    assert "worst: sd21" in unseen_lines(unseen_generators(record))[0]
    assert "the classes reversed" in unseen_lines(unseen_generators(record))[0]


def test_only_the_next_date_counts_and_later_ones_stand_in_the_file(
    record: Generalisation,
) -> None:
    small, _ = in_order_of_time(record)
    assert [(step.until, step.released) for step in small.steps] == [
        ("2019-12", "2021-06"),
        ("2021-06", "2022-12"),
        ("2022-12", "2024-06"),
    ]
    assert len(small.later) == 3
    expected = np.mean([step.cell.estimates["roc_auc"].value for step in small.steps])
    assert small.mean.value == pytest.approx(expected)
    assert "over 3 dates; worst: 2022-12 (sd21)" in time_lines(in_order_of_time(record))[0]


def test_the_verdict_counts_what_is_above_chance_and_what_is_reversed(
    record: Generalisation,
) -> None:
    verdict = protocol_verdict(record)
    assert verdict is not None
    assert verdict == matrix_verdict(record)
    assert verdict.weight == "care"
    assert verdict.headline == (
        "Shown above chance on 6 of 8 generators never seen, over 2 networks; 2 ranked the wrong "
        "way round"
    )
    in_time = protocol_verdict(replace(record, hold_outs=()))
    assert in_time is not None
    assert "dates of what was released next" in in_time.headline
    plain = replace(record, hold_outs=(), time_steps=())
    assert protocol_verdict(plain) is None
    assert protocol_key_metrics(plain) == []


def test_key_metrics_are_of_the_protocols(record: Generalisation) -> None:
    mean, lowest, following, images = protocol_key_metrics(record)
    assert mean[1] == "mean ROC AUC, generators never seen, best network"
    assert lowest[1] == "lowest ROC AUC: sd21"
    assert following[1] == "mean ROC AUC, released next, best network"
    assert images[0] == f"{160 * (8 + 6):,}"


def test_improvability_is_the_share_of_the_error_that_the_best_does_without(
    record: Generalisation,
) -> None:
    small, large = found = unseen_generators(record)
    errors = {
        of.model: {o.value: 1 - o.without.estimates["roc_auc"].value for o in of.outs}
        for of in found
    }
    shares = []
    for name in APART:
        least = min(errors["small"][name], errors["large"][name])
        shares.append([1 - least / errors[of.model][name] for of in found])
    expected = np.mean(shares, axis=0)
    assert improvability(small, found) == pytest.approx(expected[0])
    assert improvability(large, found) == pytest.approx(expected[1])
    assert 0 <= expected[0] < expected[1] < 1
    assert improvability(small, [small]) is None
    shorter = replace(large, outs=large.outs[:1])
    only = large.outs[0].value
    assert improvability(shorter, [small, shorter]) == pytest.approx(
        dict(zip(APART, shares, strict=True))[only][1]
    ), "over the generators that both were tested on"
    perfect = replace(small.outs[0].without.estimates["roc_auc"], value=1.0)
    cell = small.outs[0].without
    known = replace(cell, estimates={**cell.estimates, "roc_auc": perfect})
    alone = replace(small, outs=(replace(small.outs[0], without=known),))
    assert improvability(alone, [alone, alone]) == 0.0
    table = networks_table(record).frame().set_index("model")["improvability"]
    assert table.to_dict() == pytest.approx({"small": expected[0], "large": expected[1]})


def test_one_network_makes_no_front(record: Generalisation) -> None:
    assert len(networks_table(record).records) == 2
    alone = tuple(out for out in record.hold_outs if out.model == "small")
    assert networks_table(replace(record, hold_outs=alone)).records == []


def test_what_metadata_explain_is_grey_and_said(record: Generalisation) -> None:
    assert explained(record) == ["sd3"]
    (panel,) = UNSEEN_MAP.panels(record)
    assert panel.columns == tuple(RELEASED)
    assert panel.rows == ("small", "large")
    grey = {
        (row, column): square.mark
        for row, squares in zip(panel.rows, panel.squares, strict=True)
        for column, square in zip(panel.columns, squares, strict=True)
        if square.value is None
    }
    assert grey == {("small", "sd3"): "within metadata"}
    assert panel.squares[0][2].mark == "reversed"


def test_the_share_unsure_is_of_the_band_that_the_model_brought(record: Generalisation) -> None:
    one = record.hold_outs[0].without
    share = unsure_share(one)
    assert share is not None
    assert share.value == np.mean((one.scored.y_score >= 0.4) & (one.scored.y_score < 0.6))
    assert unsure_share(replace(one, scored=replace(one.scored, unsure=None))) is None


def test_the_report_holds_tables_pictures_and_both_sections(
    record: Generalisation, tmp_path: Path
) -> None:
    write_generalisation_report(record, tmp_path)
    page = (tmp_path / "report.html").read_text()
    for words in (
        "Generators left out of training",
        "In the order of time",
        "Mean over generators",
    ):
        assert words in page
    assert len(re.findall("data:image/png", page)) == 3
    for name in (
        *(f"{name}.png" for name in (UNSEEN_FILE, TIME_FILE, FRONT_FILE)),
        UNSEEN_MAP.file,
    ):
        with Image.open(tmp_path / name) as picture:
            assert picture.width >= 800
    unseen = pd.read_csv(tmp_path / f"{UNSEEN_FILE}.csv")
    assert len(unseen) == 8
    first = unseen.iloc[0]
    assert (first["generator"], first["released"], first["n_fake"]) == ("sd21", "2022-12", 80)
    assert np.isnan(first["roc_auc_seen"])
    assert first["residual_floor"] == 0.9
    assert first["residual_floor_equalised"] == 0.8
    front = pd.read_csv(tmp_path / f"{FRONT_FILE}.csv")
    assert front["total_cold_seconds"].tolist() == [40.0, 300.0]
    assert front["worst_roc_auc"].is_monotonic_decreasing
    assert set(front["worst"]) == {"sd21"}
    in_time = pd.read_csv(tmp_path / f"{TIME_FILE}.csv")
    assert len(in_time) == 12
    assert list(in_time["until"][:3]) == ["2019-12", "2021-06", "2022-12"]
    text = generalisation_markdown(record)
    assert len(text) < 5_000
    assert "### Generators left out of training" in text


@pytest.fixture
def equalised(record: Generalisation) -> Generalisation:
    """The first network's hold-outs done again on equalised pictures."""

    def again(cell: SetScores) -> SetScores:
        model = replace(cell.model, label=f"{cell.model.label} (jpeg)", equalised=True)
        return replace(cell, model=model)

    label = record.models[0]
    outs = [out for out in record.hold_outs if out.model == label]
    twins = [replace(o, model=f"{label} (jpeg)", without=again(o.without)) for o in outs]
    effects = [Estimate(0.2, 0.1, 0.3), Estimate(0.0, -0.1, 0.1), Estimate(-0.2, -0.3, -0.1)]
    pairs = [
        EqualisedCell(out.without, twin.without, 120, effects[number % 3])
        for number, (out, twin) in enumerate(zip(outs, twins, strict=True))
    ]
    return replace(
        record,
        models=(label, f"{label} (jpeg)"),
        cells=(*record.cells, *(again(c) for c in record.cells if c.model.label == label)),
        hold_outs=(*outs, *twins),
        equalised=tuple(pairs),
    )


def test_a_second_matrix_stands_beside_the_first_and_says_what_was_history(
    equalised: Generalisation, tmp_path: Path
) -> None:
    verdict = protocol_verdict(equalised)
    assert verdict is not None
    assert "over 2 networks" not in verdict.headline, "it is one network"
    assert "(jpeg)" not in verdict.paragraph
    panels = UNSEEN_MAP.panels(equalised)
    assert [panel.title for panel in panels] == ["", "equalised"]
    assert panels[1].rows == (equalised.models[1],)
    write_generalisation_report(equalised, tmp_path)
    rows = pd.read_csv(tmp_path / "equalised.csv")
    assert len(rows) == len(equalised.equalised)
    assert list(rows["remark"][:3]) == [
        "falls when equalised",
        "not shown to fall",
        "better equalised",
    ]
    assert list(rows["residual_floor_untouched"].dropna().unique()) == [0.9]
    assert list(rows["residual_floor_equalised"].dropna().unique()) == [0.8]
    unseen = pd.read_csv(tmp_path / f"{UNSEEN_FILE}.csv").set_index("model")
    assert set(unseen.loc[equalised.models[0], "residual_floor"]) == {0.9}
    assert set(unseen.loc[equalised.models[1], "residual_floor"]) == {0.8}
    page = (tmp_path / "report.html").read_text()
    assert "What was processing history" in page
    assert "falls when equalised" in generalisation_markdown(equalised)


def test_a_record_without_protocols_shows_nothing_of_them(
    record: Generalisation, tmp_path: Path
) -> None:
    write_generalisation_report(replace(record, hold_outs=(), time_steps=()), tmp_path)
    assert not list(tmp_path.glob("unseen*")) + list(tmp_path.glob("in_time*"))
    assert "order of time" not in (tmp_path / "report.html").read_text()
