"""Pictures: what is drawn is what is published, in HTML, SVG and PNG."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forecasts.plot import Picture, _ticks, make_pictures, svg, write
from forecasts.publish import Row, make_rows
from forecasts.refresh import forecast_panel
from forecasts.series import Panel
from forecasts.spec import Spec
from ksqlkit.errors import UserError

HOUR = 3_600_000
SPEC = Spec("f", "S", ("K",), "V", "T", horizon=6, models=("theta",), seasons=(12,), folds=2)
NAMES = ("a", "<b> & 'c'")


def panel(length: int) -> Panel:
    values = np.stack([20 + 5 * np.sin(np.arange(length) * np.pi / 6) + k for k in range(2)])
    return Panel(tuple((n,) for n in NAMES), values, ((length - 1) * HOUR,) * 2, (length,) * 2, HOUR)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    results = forecast_panel(panel(100), SPEC)
    return [{**row, "K": row["K"]} for row in make_rows(results, SPEC, now=0, run_id="r")]


@pytest.fixture(scope="module")
def pictures(rows: list[Row]) -> list[Picture]:
    return make_pictures(rows, panel(103), SPEC)


def test_a_picture_holds_what_was_published_and_what_came(rows: list[Row], pictures: list[Picture]) -> None:
    first = next(p for p in pictures if p.title.startswith("a: "))
    mine = [r for r in rows if r["K"] == "a"]
    assert [v for _, v in first.forecast] == [r["MEAN"] for r in mine]
    assert [t for t, _ in first.forecast] == [h * HOUR for h in range(100, 106)]
    assert first.history[-1][0] == 102 * HOUR, "and what came since"
    assert [level for level, _ in first.bands] == [95, 80], "the widest lies behind"
    for _, band in first.bands:
        assert all(
            low <= mean <= high for (_, low, high), (_, mean) in zip(band, first.forecast, strict=True)
        )


class Tags(HTMLParser):
    """Counts tags; a page that is not well-formed leaves some open."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "line", "polygon", "polyline") or tag == "polygon":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_one_page_that_needs_nothing_else(tmp_path: Path, pictures: list[Picture]) -> None:
    write(tmp_path / "f.html", "f <x>", pictures)
    text = (tmp_path / "f.html").read_text("utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert "<b> &" not in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in text
    assert (tags.seen.count("figure"), tags.seen.count("polygon"), tags.seen.count("polyline")) == (2, 4, 4)


def test_every_mark_lies_within_the_picture(tmp_path: Path, pictures: list[Picture]) -> None:
    write(tmp_path / "f.svg", "f", pictures)
    root = ElementTree.parse(tmp_path / "f.svg").getroot()
    pointed = [e for e in root.iter() if "points" in e.attrib]
    assert len(pointed) == 8
    for element in pointed:
        for pair in element.attrib["points"].split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= 900
            assert 0 <= y <= 300


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12))
@example(0.0, 3 * 999.9999999999999)
@example(0.0, 0.3)
def test_a_scale_has_a_few_round_numbers_each_told_as_it_is(low: float, span: float) -> None:
    high = low + max(span, abs(low) * 1e-9)
    ticks = _ticks(low, high)
    assert 2 <= len(ticks) <= 9
    step = ticks[1][0] - ticks[0][0]
    for value, text in ticks:
        assert low - step / 100 <= value <= high + step / 100
        assert abs(float(text.replace(",", "")) - value) <= step / 100


def test_nothing_is_drawn_where_values_are_missing() -> None:
    history = [(h * HOUR, float("nan") if h in (0, 3, 5, 6) else 1.0 * h) for h in range(9)]
    root = ElementTree.fromstring(svg([Picture("p", history, [(9 * HOUR, 9.0), (10 * HOUR, 8.0)], [])]))
    lines = [e for e in root.iter() if e.get("points") and "history" in e.attrib["class"]]
    assert [len(e.attrib["points"].split()) for e in lines] == [2, 2, 2]
    assert [e.attrib["class"] for e in lines] == ["history", "history dot", "history"]


def test_png_shows_a_line_a_forecast_and_bands(tmp_path: Path, pictures: list[Picture]) -> None:
    image = pytest.importorskip("matplotlib.image")
    write(tmp_path / "f.png", "f", pictures)
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = (255 * image.imread(tmp_path / "f.png")[:, :, :3]).round().astype(int)
    assert pixels.shape == (600, 900, 3)

    def near(colour: tuple[int, int, int]) -> int:
        return int((np.abs(pixels - colour).sum(2) < 30).sum())

    assert near((0x33, 0x33, 0x33)) > 300, "history"
    assert near((0xD6, 0x5F, 0x00)) > 100, "forecast"
    band = np.array((0x48, 0x78, 0xD0)) * 0.18 + 255 * 0.82
    assert near(tuple(map(int, band))) > 100, "interval"


def test_without_matplotlib_it_says_what_to_do(
    tmp_path: Path, pictures: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UserError, match="matplotlib") as caught:
        write(tmp_path / "f.png", "f", pictures)
    assert "ksqlkit[plot]" in str(caught.value.hint)
    with pytest.raises(UserError, match="html"):
        write(tmp_path / "f.gif", "f", pictures)
