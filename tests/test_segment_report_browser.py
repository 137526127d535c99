"""The report on segments in a real browser: on a screen, on a phone, in the dark, on paper; and that it asks nobody."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from stampbook.segment_report.page import page
from stampbook.segment_report.sections import sections
from tests.browser import Browser, browser
from tests.segment_survey import CHINESE, SCRIPT, full

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PHONE = 390


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    survey = full()
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(survey, sections(survey)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


def test_it_loads_without_a_complaint_and_without_asking_anybody(tab: Browser, report: Path) -> None:
    tab.requests.clear()
    tab.complaints.clear()
    tab.show(report)
    assert tab.value("document.querySelectorAll('figure').length") == 9
    assert tab.complaints == []
    assert set(tab.requests) == {report.as_uri()}


def test_a_page_that_asks_is_caught(tab: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<img src='https://example.org/x.png'><script>nothing.there</script>", encoding="utf-8")
    tab.requests.clear()
    tab.complaints.clear()
    tab.show(bad)
    assert "https://example.org/x.png" in tab.requests
    assert any("nothing is not defined" in complaint for complaint in tab.complaints)


@pytest.mark.parametrize("width", [320, PHONE, 768, 1280])
def test_it_is_never_wider_than_the_window(tab: Browser, report: Path, width: int) -> None:
    tab.show(report, width=width)
    tab.value("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.value("window.innerWidth") == width


def test_a_phone_gets_pictures_of_its_own_whose_text_is_large_enough(tab: Browser, report: Path) -> None:
    tab.show(report, width=PHONE)
    shown = "[...document.querySelectorAll('svg')].filter(each => each.getBoundingClientRect().width)"
    assert tab.value(f"{shown}.length") == 9
    heights = tab.value(
        f"{shown}.flatMap(e => [...e.querySelectorAll('text')]).map(e => e.getBoundingClientRect().height)"
    )
    assert len(heights) > 100
    assert min(heights) >= 9
    overflowing = tab.value(
        f"{shown}.flatMap(svg => [...svg.querySelectorAll('text')].filter(text => {{"
        "const a = text.getBoundingClientRect(), b = svg.getBoundingClientRect();"
        "return a.left < b.left - 2 || a.right > b.right + 2 || a.top < b.top - 2 || a.bottom > b.bottom + 2"
        "}).map(text => text.textContent))"
    )
    assert overflowing == []


def test_wide_tables_scroll_in_a_box_that_a_keyboard_reaches(tab: Browser, report: Path) -> None:
    tab.show(report, width=PHONE)
    boxes = "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth)"
    assert tab.value(f"{boxes}.length") > 0
    assert tab.value(f"{boxes}.every(box => box.tabIndex === 0 && box.getAttribute('aria-label'))") is True


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_by_day_and_by_night(tab: Browser, report: Path, dark: bool) -> None:  # noqa: FBT001 - a case
    tab.show(report, dark=dark)
    page_colour = tab.value("getComputedStyle(document.body).backgroundColor")
    assert page_colour == ("rgb(21, 24, 29)" if dark else "rgb(255, 255, 255)")
    ratios = tab.value(
        """(() => {
          const rgb = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
          const light = colour => rgb(colour).map(c => c / 255)
            .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
            .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
          const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
          const page = getComputedStyle(document.body).backgroundColor;
          const plain = [...document.querySelectorAll('h1, h2, p, a, dt, dd, td, th, caption, figcaption, summary')]
            .map(e => ratio(getComputedStyle(e).color, page));
          const drawn = [...document.querySelectorAll('svg text[fill=currentColor]')]
            .map(e => ratio(getComputedStyle(e).fill, page));
          return [Math.min(...plain), Math.min(...drawn), drawn.length];
        })()"""
    )
    assert ratios[0] >= 4.5
    assert ratios[1] >= 4.5
    assert ratios[2] > 50


def test_names_from_data_are_shown_and_do_nothing(tab: Browser, report: Path) -> None:
    tab.show(report)
    assert tab.value("document.scripts.length") == 0
    assert tab.value("document.title") == "Segments of Tea & <b>cake</b>"
    cells = tab.value("[...document.querySelectorAll('td, th')].map(each => each.textContent)")
    assert SCRIPT in cells
    assert CHINESE in cells
    assert tab.value(f"[...document.querySelectorAll('svg text')].some(each => each.textContent.includes('{CHINESE}'))")


def test_it_prints_on_pages_with_its_pictures_whole(tab: Browser, report: Path) -> None:
    tab.show(report)
    printed = tab.pdf()
    assert printed.startswith(b"%PDF-")
    pages = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert 5 <= pages <= 20
    tab.ask("Emulation.setEmulatedMedia", media="print")
    tab.ask("Emulation.setDeviceMetricsOverride", width=680, height=1000, deviceScaleFactor=1, mobile=False)
    shown = tab.value("[...document.querySelectorAll('svg')].map(e => e.getBoundingClientRect()).filter(e => e.width)")
    assert len(shown) == 9
    assert tab.value("document.documentElement.scrollWidth") <= 680
    tab.ask("Emulation.setEmulatedMedia", media="")
