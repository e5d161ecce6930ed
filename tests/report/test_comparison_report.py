"""The files of a comparison: complete, the same twice, and a page that a browser shows whole."""

import csv
import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from PIL import Image

from fakeface_bench.analysis.comparison import Comparison, compare_studies
from fakeface_bench.records.study import LeftOut
from fakeface_bench.report.comparison_page import write_comparison_report
from fakeface_bench.report.comparison_plots import all_plots
from fakeface_bench.report.comparison_tables import gains
from tests.report.compared_studies import IMAGES, course, epochs, five, labels, noisy, study

TABLES = (
    *("agreement.csv", "anytime.csv", "leaderboard.csv", "portfolio.csv"),
    *("prices.csv", "steps.csv", "wrong_by_all.csv"),
)
PICTURES = (
    *("agreement.png", "anytime.png", "confusion_matrices.png"),
    *("front.png", "validation_accuracy.png"),
)
HOSTILE = (
    "<script>alert(1)</script>",
    "_hidden|$x_1$\n",
    "%{x}</script><img src=x onerror=alert(1)>",
    "x" * 4000,
    "\x00\x1b[31m\u202e顔",
    "{{ 7*7 }}{% raw %}",
)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("images")
    (folder / "test").mkdir()
    for n in range(0, IMAGES, 2):
        Image.new("RGB", (70, 50), (2 * n, 90, 120)).save(folder / f"test/{n:04}.jpg")
    return compare_studies(five(folder), [LeftOut("vgg19", "", "it never ended.")])


@pytest.fixture(scope="module")
def written(compared: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("comparison") / "new"
    write_comparison_report(compared, folder)
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    y_true, shared = labels(IMAGES), np.zeros(IMAGES)
    studies = [
        study(
            name,
            noisy(y_true, 0.2 + 0.1 * n, n, shared),
            10.0 + n,
            **dict.fromkeys(("run_id", "weights", "trained", "study", "data"), name),
            warning=name,
            paths=tuple(f"{name}{k}" for k in range(IMAGES)),
            courses=(course(n, 2.0, 0.6, 0.7 + n / 50, end=9.0, test=0.1),),
        )
        for n, name in enumerate(HOSTILE)
    ]
    paths = tuple(f"{HOSTILE[n % len(HOSTILE)]}{n}" for n in range(IMAGES))
    studies = [replace(one, paths=paths) for one in studies]
    folder = tmp_path_factory.mktemp("hostile")
    left_out = [LeftOut(name, name, name) for name in HOSTILE]
    comparison = replace(compare_studies(studies, left_out), target=0.65)
    write_comparison_report(comparison, folder)
    return folder


# The files


def test_all_files_are_written(written: Path) -> None:
    pages = {"front.html", "leaderboard.md", "report.html"}
    assert {path.name for path in written.iterdir()} == {*TABLES, *PICTURES, *pages}
    for name in PICTURES:
        with Image.open(written / name) as picture:
            assert picture.width == 864
            assert np.asarray(picture.convert("L")).std() > 4


def test_the_same_comparison_gives_the_same_bytes(
    compared: Comparison, written: Path, tmp_path: Path
) -> None:
    write_comparison_report(compared, tmp_path)
    for path in written.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_the_leaderboard_holds_everything_in_full(compared: Comparison, written: Path) -> None:
    table = pd.read_csv(written / "leaderboard.csv").set_index("label")
    assert table.index.tolist() == [entry.label for entry in compared.entries]
    small, large, middle = (table.loc[name] for name in ("small", "large", "middle"))
    assert (small["total_cold_seconds"], small["total_warm_seconds"]) == (200.0, 140.0)
    assert small["to_roc_auc_0.75_seconds"] == 90.0
    assert table["to_roc_auc_0.9_seconds"].isna().all()
    assert (large["seeds"], large["mmacs_per_image"]) == (3, 217.0)
    assert large["accuracy_std"] > 0
    assert np.isnan(small["accuracy_std"])
    assert np.isnan(large["total_cold_dollars"])
    assert middle["total_cold_dollars"] == pytest.approx(1500 / 3600 * 2)
    for key in ("accuracy", "f1_real", "f1_fake", "roc_auc"):
        assert (table[f"{key}_low_95"] <= table[key]).all()
        assert (table[key] <= table[f"{key}_high_95"]).all()
    assert table["on_front"].tolist() == [entry.on_front for entry in compared.entries]
    assert (small["machine"], small["trials"]) == ("a server, 8 threads", 12)
    assert table.loc["unfit", ["machine", "trials"]].isna().all()
    assert "energy_kwh" in table
    assert table.loc["middle (last_2_blocks)", "trained"] == "last 2 blocks"
    assert table.loc["unfit", "warning"] == "They are RANDOM."


def test_what_a_search_gained_stands_beside_what_it_took(
    compared: Comparison, written: Path
) -> None:
    (row,) = gains(compared).rows
    assert row[:2] == ("small", "0.842")
    assert row[3:] == ("0.012 (−0.010 to 0.034)", "12", "1.67 min")
    page = (written / "report.html").read_text(encoding="utf-8")
    assert "what the search gained" in page
    table = pd.read_csv(written / "leaderboard.csv").set_index("label")
    assert table.loc["small", "search_gain_low_95"] == -0.0104
    assert table["search_gain"].notna().sum() == 1


def test_the_other_tables_follow_the_comparison(compared: Comparison, written: Path) -> None:
    along_front = pd.read_csv(written / "steps.csv")
    counts = along_front["family"].value_counts()
    assert counts["front"] == len(compared.along_front)
    assert counts["cheaper than best"] == len(compared.to_best)
    assert along_front["tests"].nunique() == 1
    assert along_front["mcnemar_p"].tolist()[0] == pytest.approx(compared.along_front[0].test.p)
    agreement = pd.read_csv(written / "agreement.csv")
    assert len(agreement) == 10
    apart = agreement["only_first_right"] + agreement["only_second_right"]
    assert (1 - apart / IMAGES).tolist() == pytest.approx(agreement["share_called_alike"].tolist())
    wrong = pd.read_csv(written / "wrong_by_all.csv")
    assert len(wrong) == len(compared.agreement.wrong_by_all) > 0
    score = wrong["score: unfit"]
    assert ((score < 0.5) == (wrong["label"] == "fake")).all()


def test_plotly_knows_every_option_of_the_plots(compared: Comparison) -> None:
    shown = json.dumps(all_plots(compared), allow_nan=False)
    colours = shown.replace('"$ink"', '"black"').replace('"$pale"', '"grey"')
    colours = colours.replace('"$line"', '"grey"').replace('"$card"', '"white"')
    for views in json.loads(colours).values():
        for plot in views.values():
            assert len(go.Figure(plot).data) == len(plot["data"])


def test_the_page_says_what_its_words_mean(written: Path) -> None:
    page = page_text(written / "report.html")
    for words in (
        "These images do not tell the two apart",
        "Of one seed over other images alone",
        "over other seeds and other images",
        "trials that failed or were killed are charged too",
        "Wilson interval",
        "Energy, this run, kWh",
        "Peak memory, this run, GB",
        "all pairs of studies",
    ):
        assert words in page.replace("\N{NO-BREAK SPACE}", " "), words
    assert "A tie:" not in page


def test_the_page_says_what_each_study_ran_on(written: Path) -> None:
    runs = page_text(written / "report.html").rpartition("<h2>Where it comes from</h2>")[2]
    assert re.findall(r'<th scope="col"[^>]*>(.*?)</th>', runs)[-3:] == [
        *("Seeds", "Trials", "Machine")
    ]
    assert "a server, 8 threads</td>" in runs


def test_one_study_is_reported(tmp_path: Path) -> None:
    alone = study("alone", noisy(labels(IMAGES), 9.0, 0, np.zeros(IMAGES)), 0.0)
    write_comparison_report(compare_studies([replace(alone, epochs=epochs(1))]), tmp_path)
    page = page_text(tmp_path / "report.html")
    assert "One study, nothing to compare it with: alone" in page
    assert "One study stands on the front: there is no step to take." in page
    assert "No study was left out." in page
    assert f"0 images of {IMAGES}." in page
    assert pd.read_csv(tmp_path / "steps.csv").empty
    assert pd.read_csv(tmp_path / "agreement.csv").empty


# Names from outside


def page_text(path: Path) -> str:
    """Return a page without its scripts' content."""
    content = path.read_text(encoding="utf-8")
    return re.sub(r"<script[^>]*>.*?</script>", "<script></script>", content, flags=re.DOTALL)


@pytest.mark.parametrize(("name", "scripts"), [("report.html", 3), ("front.html", 3)])
def test_hostile_names_stay_text_on_the_pages(hostile: Path, name: str, scripts: int) -> None:
    page = page_text(hostile / name)
    assert page.count("<script") == scripts
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert "x" * 500 not in page
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", page)
    data = re.search(r'id="plots">(.*?)</script>', (hostile / name).read_text("utf-8"), re.DOTALL)
    assert data
    plots = json.loads(data[1])
    names = [t.get("name", "") for t in plots["front"]["accuracy"]["data"]]
    assert any(text.startswith("&lt;script&gt;") for text in names)
    assert not any("<script" in text or "<img" in text for text in names)


def test_hostile_names_keep_one_row_a_line(hostile: Path) -> None:
    for name in (*TABLES, "time_to_target.csv"):
        lines = (hostile / name).read_bytes().decode("utf-8").splitlines()
        assert len({len(cells) for cells in csv.reader(lines)}) == 1, name
    assert len(pd.read_csv(hostile / "leaderboard.csv")) == len(HOSTILE)


# In a browser

HOLDS_PLOTS = "document.querySelectorAll('.plot .main-svg').length"
TEXT_COLOUR = "getComputedStyle(document.querySelector('#plot-front .xtitle')).fill"


class Visit:
    """A page opened in a browser, with what it said and what it asked for."""

    def __init__(self, browser: Any, path: Path, width: int, **given: Any) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 800}, **given)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.resolve().as_uri())
        self.page.wait_for_selector("html[data-drawn]", timeout=20_000)

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *_: object) -> None:
        self.page.close()

    def value(self, script: str) -> Any:
        return self.page.evaluate(script)

    def until(self, script: str) -> None:
        """Wait for what is to become true; the page's own policy forbids Playwright's way."""
        until = time.monotonic() + 10
        while not self.value(script):
            assert time.monotonic() < until, f"not within 10 s: {script}"
            self.page.wait_for_timeout(30)

    @property
    def requests(self) -> list[str]:
        return [url for url in self.asked if not url.startswith(("data:", "blob:"))]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("which", ["written", "hostile"])
def test_the_page_fits_and_needs_nothing_from_outside(
    browser: Any, which: str, width: int, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(which) / "report.html"
    with Visit(browser, path, width) as visit:
        assert visit.said == []
        assert visit.requests == [path.resolve().as_uri()]
        assert visit.value(HOLDS_PLOTS) >= 3
        assert visit.value("document.documentElement.scrollWidth") <= width
        assert visit.value("document.querySelectorAll('.plot .point, .plot .points path').length")


def test_each_matrix_fits_its_card(browser: Any, written: Path) -> None:
    wider = "[...document.querySelectorAll('.matrix')].filter(m => m.scrollWidth > m.clientWidth)"
    for width in (390, 1200):
        with Visit(browser, written / "report.html", width) as visit:
            assert visit.value(f"{wider}.length") == 0, width


def test_the_leaderboard_is_not_cut_where_there_is_room(browser: Any, written: Path) -> None:
    first = "document.querySelector('.sticky')"
    for width in (1000, 1200, 1280):
        with Visit(browser, written / "report.html", width) as visit:
            inner = visit.value(f"{first}.scrollWidth")
            assert inner <= visit.value(f"{first}.clientWidth"), width
            heads = "[...document.querySelectorAll('.sticky th')].map(th => th.clientHeight)"
            assert max(visit.value(heads)) < 100


def test_the_front_alone_is_a_page(browser: Any, written: Path) -> None:
    with Visit(browser, written / "front.html", 390) as visit:
        assert visit.said == []
        assert visit.value(HOLDS_PLOTS) >= 1
        assert visit.value("document.documentElement.scrollWidth") <= 390


def test_plots_follow_light_and_dark(browser: Any, written: Path) -> None:
    with Visit(browser, written / "report.html", 1280, color_scheme="light") as visit:
        light = visit.value(TEXT_COLOUR)
        visit.page.emulate_media(color_scheme="dark")
        changed = f"{TEXT_COLOUR} !== {json.dumps(light)}"
        visit.until(changed)
        dark = visit.value(TEXT_COLOUR)
        assert (light, dark) == ("rgb(31, 35, 40)", "rgb(230, 232, 234)")
        assert visit.said == []


def test_buttons_change_the_plots(browser: Any, written: Path) -> None:
    with Visit(browser, written / "report.html", 1280) as visit:
        title = "document.querySelector('#plot-front .ytitle').textContent"
        assert visit.value(title) == "Test accuracy"
        visit.page.click("button[data-plot='front'][data-view='roc_auc']")
        visit.until(f"{title} === 'Test ROC AUC'")
        pressed = "button[data-plot='front'][aria-pressed='true']"
        assert visit.page.inner_text(pressed) == "ROC AUC"
        title = "document.querySelector('#plot-curves .xtitle').textContent"
        assert visit.value(title) == "Epoch"
        visit.page.click("button[data-view='elapsed']")
        visit.until(f"{title} === 'Elapsed time (log scale)'")
        traces = "document.querySelectorAll('#plot-curves .scatterlayer .trace').length"
        assert visit.value(traces) == 5
        visit.page.click("button[data-study='1'] >> nth=0")
        visit.until(f"{traces} === 4")
        hidden = "document.querySelectorAll(\"button[aria-pressed='false'][data-study]\").length"
        assert visit.value(hidden) == 3  # below each plot of lines
