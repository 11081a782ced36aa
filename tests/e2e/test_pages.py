"""The HTML that is made for people, in a real browser."""

from __future__ import annotations

import json
import math
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from forecasts.plot import Picture, Point, write
from tests.support.browser import FETCHED, Page, browser_page, find_browser
from tests.support.scoring_server import scoring_server

BROWSER = find_browser()
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None, reason="no Chromium: `make browser` fetches one, KSQLKIT_BROWSER names another"
    ),
]
needs_axe = pytest.mark.skipif(
    not (FETCHED / "axe.min.js").exists(), reason="no axe-core: `make browser` fetches it"
)
HOUR = 3_600_000
AHEAD = 24
PHONE = 380
NAME = "東京 Zürich <b>&'x' "
KINDS = ("forecast", "docs")


def picture(title: str, length: int, *, scale: float = 1.0, missing: frozenset[int] = frozenset()) -> Picture:
    def value(hour: int) -> float:
        return scale * (50 + 20 * math.sin(hour * math.pi / 12) + hour % 7)

    def at(hours: range) -> list[Point]:
        return [(h * HOUR, math.nan if h in missing else value(h)) for h in hours]

    forecast = at(range(length, length + AHEAD))
    bands = [
        (level, [(t, v - scale * level / 9, v + scale * level / 9) for t, v in forecast])
        for level in (95, 80)
    ]
    return Picture(title, at(range(length + AHEAD // 3)), forecast, bands)


PICTURES = [
    picture("JFK: theta, version 3", 144),
    picture(f"{NAME}{'and so on ' * 20}{'x' * 90}: naive, version 1", 144, scale=1e8),
    picture("long: xgboost, version 7", 2000, scale=1e-5),
    picture("holes: theta, version 1", 100, missing=frozenset({*range(20, 30), 31, *range(60, 70)})),
    Picture("new: naive, version 1", [], [(0, 4.0)], [(80, [(0, 3.0, 5.0)])]),
]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    assert BROWSER
    with browser_page(BROWSER) as found:
        yield found


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("pages")
    write(folder / "f.html", f"{NAME}departures_forecast", PICTURES)
    (folder / "functions").mkdir()
    (folder / "functions" / f"{'broken_' * 12}.py").write_text("import no_such_module_anywhere\n")
    server = scoring_server(folder, folder / "functions")
    try:
        yield {"forecast": (folder / "f.html").as_uri(), "docs": f"{server.url}/docs"}
    finally:
        server.stop()


def assert_clean(page: Page, url: str, width: int) -> None:
    assert page.requests == [url], "a page is one file"
    assert page.errors == [], "a page has nothing to complain of"
    # A phone's browser makes its window as wide as what it shows, so both have to be looked at.
    wide = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
    assert wide == [width, width], "nothing sticks out to the side"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, 1280])
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_quiet_whole_and_no_wider_than_the_window(
    page: Page, urls: dict[str, str], kind: str, width: int, scheme: str
) -> None:
    page.look(width, scheme="dark" if scheme == "dark" else "light")
    page.open(urls[kind])
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert_clean(page, urls[kind], width)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(paper) < 64) == (scheme == "dark")


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing(page: Page, urls: dict[str, str], kind: str, scheme: str) -> None:
    page.look(PHONE, scheme="dark" if scheme == "dark" else "light")
    page.open(urls[kind])
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.axe() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_and_texts_of_a_picture_stand_out(page: Page, urls: dict[str, str], scheme: str) -> None:
    """WCAG's contrast, which axe does not measure within pictures."""
    page.look(scheme="dark" if scheme == "dark" else "light")
    page.open(urls["forecast"])
    contrasts = page.evaluate("""(() => {
        const light = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(c => c / 255)
          .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
          .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0.05)
        const paper = light(getComputedStyle(document.body).backgroundColor)
        return [['text', 'fill'], ['.history', 'stroke'], ['.forecast', 'stroke'], ['.band', 'stroke']]
          .map(([mark, kind]) => light(getComputedStyle(document.querySelector('figure ' + mark))[kind]))
          .map(mark => Math.max(mark, paper) / Math.min(mark, paper))
    })()""")
    assert contrasts[0] >= 4.5
    assert min(contrasts[1:]) >= 3


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("<script>console.error('bad')</script>", "complain"),
        ("<script>missing()</script>", "complain"),
        ("<img src='data:,' alt=''><link rel=stylesheet href='http://127.0.0.1:9/x.css'>", "one file"),
        ("<div style='width:500px'>wide</div>", "to the side"),
    ],
)
def test_the_checks_see_what_is_bad(page: Page, tmp_path: Path, body: str, found: str) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(f"<!doctype html><meta name=viewport content='width=device-width'>{body}")
    page.look(PHONE)
    page.open(bad.as_uri())
    with pytest.raises(AssertionError, match=found):
        assert_clean(page, bad.as_uri(), PHONE)


@needs_axe
def test_axe_sees_what_is_bad(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<!doctype html><html lang=en><title>t</title><main><h1>t</h1><p style='color:#ccc'>pale")
    page.open(bad.as_uri())
    assert [text.split(": ")[:2] for text in page.axe()] == [["serious", "color-contrast"]]


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_a_forecast_is_drawn_within_its_figure(page: Page, urls: dict[str, str], width: int) -> None:
    page.look(width)
    page.open(urls["forecast"])
    assert page.evaluate("[...document.querySelectorAll('h2')].map(h => h.textContent)") == [
        p.title for p in PICTURES
    ]
    drawn = page.evaluate("""[...document.querySelectorAll('figure')].map(f => {
        const outer = f.getBoundingClientRect()
        return [...f.querySelectorAll('polyline, polygon, text')].map(e => [e, e.getBoundingClientRect()])
          .filter(([e, b]) => getComputedStyle(e).display != 'none').map(([e, b]) => [e.tagName,
            b.left > outer.left - 5 && b.right < outer.right + 5
              && b.top > outer.top - 5 && b.bottom < outer.bottom + 5,
            b.width + b.height > 0 || e.classList.contains('dot')])
    })""")
    for marks, shown in zip(drawn, PICTURES, strict=True):
        assert all(inside and seen for _, inside, seen in marks), shown.title
        assert sum(tag == "polygon" for tag, *_ in marks) == len(shown.bands)
        assert sum(tag == "text" for tag, *_ in marks) >= 4
    lines = [sum(tag == "polyline" for tag, *_ in marks) for marks in drawn]
    assert lines == [2, 2, 2, 5, 1], "no line where values are missing, and a dot for one between two gaps"


def test_texts_do_not_lie_on_each_other(page: Page, urls: dict[str, str]) -> None:
    page.look(PHONE)
    page.open(urls["forecast"])
    assert (
        page.evaluate("""[...document.querySelectorAll('figure, .key')].flatMap(f => {
        const all = [...f.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()])
          .filter(([_, b]) => b.width)
        return all.flatMap(([t, a], i) => all.slice(i + 1).filter(([_, b]) =>
          a.left < b.right && b.left < a.right && a.top < b.bottom - 2 && b.top < a.bottom - 2).map(([u]) => [t, u]))
    })""")
        == []
    )


def test_what_marks_mean_is_told_by_more_than_colour(page: Page, urls: dict[str, str]) -> None:
    page.look()
    page.open(urls["forecast"])
    key = page.evaluate("[...document.querySelectorAll('.key text')].map(t => t.textContent)")
    assert key == ["what came", "forecast", "95 % interval", "80 % interval"]
    style = "e => { const s = getComputedStyle(e); return s.strokeDasharray + s.strokeWidth }"
    for name in ("history", "forecast"):
        sample, line = page.evaluate(
            f"['.key', 'figure'].map(p => document.querySelector(p + ' .{name}')).map({style})"
        )
        assert sample == line
    dashes = (
        "['history', 'forecast'].map(n => getComputedStyle(document.querySelector('.' + n)).strokeDasharray)"
    )
    assert len(set(page.evaluate(dashes))) == 2
    assert page.evaluate("getComputedStyle(document.querySelector('.band')).stroke") != "none", (
        "bands have edges"
    )


def test_a_band_tells_its_level_under_the_mouse(page: Page, urls: dict[str, str]) -> None:
    page.look()
    page.open(urls["forecast"])
    told = page.evaluate("""[...document.querySelectorAll('figure')[0].querySelectorAll('polygon')].map(p => {
        const point = p.points[2].matrixTransform(p.getScreenCTM())
        return document.elementFromPoint(point.x, point.y + 3).querySelector('title').textContent
    })""")
    assert told == ["95 % interval", "80 % interval"]


def test_the_numbers_fold_out_by_keyboard(page: Page, urls: dict[str, str]) -> None:
    page.look(PHONE)
    page.open(urls["forecast"])
    page.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.press("Enter")
    rows = page.evaluate(
        "[...document.querySelectorAll('details[open] tbody tr')].map(r => "
        "[...r.children].map(c => c.innerText))"
    )
    first = PICTURES[0]
    assert [float(r[1]) for r in rows] == pytest.approx([v for _, v in first.forecast], rel=1e-5)
    assert [float(r[2]) for r in rows] == pytest.approx([low for _, low, _ in first.bands[0][1]], rel=1e-5)
    came = dict(first.history)
    assert [r[-1] for r in rows] == [format(came[t], ".6g") if t in came else "" for t, _ in first.forecast]
    assert rows[0][0] == "1970-01-07 00:00"
    page.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == f"Numbers of {first.title}"


def test_docs_show_every_function_and_links_lead_to_it(page: Page, urls: dict[str, str]) -> None:
    with urllib.request.urlopen(urls["docs"].replace("/docs", "/v1/functions")) as answer:
        functions = [f for f in json.load(answer)["functions"] if not f["detail_of"]]
    page.look(PHONE)
    page.open(urls["docs"])
    shown = page.evaluate("[...document.querySelectorAll('section')].map(s => [s.id, s.innerText])")
    assert [name for name, _ in shown] == [f["name"] for f in functions]
    for function, (_, text) in zip(functions, shown, strict=True):
        assert function["example"] in text
        assert text.count(f"\n{function['name']}(") >= len(function["overloads"])
    told = page.evaluate("[...document.querySelectorAll('.bad')].map(p => p.innerText)")
    assert [text[:11] for text in told] == ["Not loaded:"], "said in words, not in red alone"
    for _ in range(1 + len(functions)):
        page.press("Tab")
    page.press("Enter")
    last = functions[-1]["name"]
    assert page.evaluate("location.hash") == f"#{last}"
    assert page.evaluate(f"document.getElementById('{last}').getBoundingClientRect().top < innerHeight")


@pytest.mark.parametrize("kind", KINDS)
def test_paper_is_white_also_where_the_window_is_dark(page: Page, urls: dict[str, str], kind: str) -> None:
    page.look(700, scheme="dark", media="print")
    page.open(urls[kind])
    colours = "['color', 'backgroundColor'].map(n => getComputedStyle(document.body)[n])"
    assert page.evaluate(colours) == ["rgb(34, 34, 34)", "rgb(255, 255, 255)"]
    assert_clean(page, urls[kind], 700)
