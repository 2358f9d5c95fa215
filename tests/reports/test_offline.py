"""Reports open in a real browser without a network: nothing is asked for, everything promised is drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.reports.conftest import NAMES, Scene
from workbench.reports.runner import payload_of, read_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LOOK = """() => {
  const big = e => { const r = e.getBoundingClientRect(); return r.width > 60 && r.height > 20; };
  const seen = s => [...document.querySelectorAll(s)].filter(big).length;
  const text = document.querySelector('figure svg text');
  return {
    tables: seen('table[data-wb-table]'),
    figures: [...document.querySelectorAll('figure[data-wb-figure]')].filter(
      f => f.querySelector('svg') && big(f.querySelector('svg'))).length,
    images: document.images.length,
    scripts: document.scripts.length,
    hit: window.hit === undefined ? 0 : window.hit,
    ink: getComputedStyle(document.querySelector('h1')).color,
    paper: getComputedStyle(document.body).backgroundColor,
    chart_ink: text ? getComputedStyle(text).fill : '',
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
}"""


@dataclass(frozen=True)
class Seen:
    """What a browser saw of one page."""

    facts: dict[str, Any]
    requests: list[str]
    errors: list[str]


def look(browser: Any, path: Path, *, scheme: str = "light", width: int = 1100) -> Seen:
    """Open a page with the network off and return what is there."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, offline=True, color_scheme=scheme
    )
    page = context.new_page()
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.goto(path.resolve().as_uri(), wait_until="load")
    facts = page.evaluate(LOOK)
    context.close()
    return Seen(facts, requests, errors)


@pytest.mark.parametrize("name", NAMES)
def test_a_report_is_whole_without_a_network(browser: Any, scene: Scene, name: str) -> None:
    """No request but the file itself; as many tables and figures are drawn as the notebook promised."""
    made = scene.reports[name]
    assert made.incomplete_because is None
    seen = look(browser, made.html)
    promised = payload_of(read_notebook(made.folder / f"{name}.ipynb"))["promised"]
    assert seen.requests == [made.html.resolve().as_uri()]
    assert seen.errors == []
    assert {key: seen.facts[key] for key in ("tables", "figures")} == promised
    assert promised["figures"] >= 3


@pytest.mark.parametrize("name", NAMES)
def test_hostile_history_stays_text(browser: Any, scene: Scene, name: str) -> None:
    """Scripts and images in names, errors and reasons neither run nor load; they are read as text."""
    seen = look(browser, scene.reports[name].html)
    assert (seen.facts["hit"], seen.facts["images"], seen.facts["scripts"]) == (0, 0, 0)
    assert "&lt;script&gt;window.hit=1" in scene.reports[name].html.read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_figure_is_legible_on_its_page(browser: Any, scene: Scene, scheme: str) -> None:
    """On light and on dark pages the words of a figure stand out from the paper (contrast above 7)."""
    facts = look(browser, scene.reports[NAMES[0]].html, scheme=scheme).facts
    assert contrast(facts["chart_ink"], facts["paper"]) > 7
    assert contrast(facts["ink"], facts["paper"]) > 7


def test_a_narrow_page_does_not_scroll_sideways(browser: Any, scene: Scene) -> None:
    """On a phone wide tables and figures scroll within themselves, not the page."""
    assert look(browser, scene.reports[NAMES[0]].html, width=400).facts["wide"] <= 0


def contrast(first: str, second: str) -> float:
    """Return the contrast of two CSS colours as WCAG defines it."""
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of `rgb(r, g, b)`."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
