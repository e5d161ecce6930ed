"""No page keeps anybody from reading it: axe-core finds nothing, in light or dark."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.freeze.reports import REPORTS

axe = pytest.importorskip("axe_playwright_python.sync_playwright")

PAGES = ("comparison", "evaluation", "generalisation", "robustness", "audit")


def faults_of(browser: Any, page: Path, scheme: str) -> Iterator[str]:
    """What axe-core has against a page, a line a kind."""
    # Its script is put into the page, which lets in no script but its own.
    opened = browser.new_page(color_scheme=scheme, bypass_csp=True)
    try:
        opened.goto(page.as_uri())
        for fault in axe.Axe().run(opened).response["violations"]:
            first = fault["nodes"][0]
            why = " ".join(first["failureSummary"].split())
            yield f"{fault['impact']} {fault['id']}: {first['html'][:100]}: {why}"
    finally:
        opened.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(
    name: str, browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "report"
    folder.mkdir()
    REPORTS[name](folder)
    pages = sorted(folder.rglob("*.html"))
    assert pages
    for page in pages:
        for scheme in ("light", "dark"):
            assert list(faults_of(browser, page, scheme)) == [], (page.name, scheme)


def test_a_page_that_has_faults_is_told_so(browser: Any, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        '<html lang="en"><title>bad</title><main><h1>bad</h1><img src="data:,">'
        '<p style="color: #bbb; background: #fff">pale</p></main>'
    )
    found = "\n".join(faults_of(browser, page, "light"))
    assert "image-alt" in found
    assert "color-contrast" in found
