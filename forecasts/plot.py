"""A forecast as a picture: history, forecast, bands, and the last forecast against what came. SVG written by hand; PNG
by matplotlib where it is installed."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from math import ceil, floor, isnan, log10, nan
from pathlib import Path
from typing import Any

from forecasts.publish import Row, millis, timestamp
from forecasts.series import Panel
from forecasts.spec import Spec
from forecasts.tables import series_columns
from ksqlkit.errors import UserError

WIDTH, HEIGHT, TOP, PLOT = (
    900,
    300,
    34,
    236,
)  # of a picture; TOP is for its title, what is below PLOT for the times
HISTORY = 6  # horizons that are drawn before the forecast
# Plain colours, without variables: programs that draw SVG know no more. The forecast is dashed and bands have edges, so
# that nothing is told by colour alone.
STYLE = """
text{font:12px system-ui,sans-serif;fill:#333}
.title{font-size:14px}
svg{overflow:visible}
.grid{stroke:#ddd}
.band{fill:#4878d0;fill-opacity:.18;stroke:#4878d0;stroke-width:.6}
.history,.forecast{fill:none;stroke:#333;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}
.forecast{stroke:#d65f00;stroke-width:2;stroke-dasharray:6 4}
.dot{stroke-width:5;stroke-dasharray:none}
.grid,.band,.history,.forecast{vector-effect:non-scaling-stroke}
@media screen and (prefers-color-scheme:dark){
text{fill:#ddd}.grid{stroke:#3a3d44}.history{stroke:#ddd}
.band{fill:#7aa5ff;stroke:#7aa5ff}.forecast{stroke:#ff9a4d}}
"""
PAGE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h1{font-size:clamp(1.3rem,6vw,2rem)}h1,h2{overflow-wrap:anywhere;line-height:1.25}
h2{font-size:1.1rem;margin:2rem 0 .5rem}
figure{margin:0;break-inside:avoid}.key{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem}
.table{overflow:auto;max-height:24rem}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.1rem .8rem .1rem 0;text-align:right;white-space:nowrap}th:first-child{text-align:left}
summary{cursor:pointer}
@media (max-width:30rem){.middle{display:none}}
@media print{.table{max-height:none}}
@media screen and (prefers-color-scheme:dark){body{color:#ddd;background:#16181d}}
"""
Point = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """One series: (time, value) points, NaN where one is missing; `bands` by level, the widest first."""

    title: str
    history: list[Point]
    forecast: list[Point]
    bands: list[tuple[int, list[tuple[int, float, float]]]]


def make_pictures(rows: Sequence[Row], panel: Panel, spec: Spec) -> list[Picture]:
    """Pictures of published rows before and beside the history that is known by now."""
    names = series_columns(spec)
    place = {series: i for i, series in enumerate(panel.ids)}
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in sorted((r for r in rows if r["MEAN"] is not None), key=lambda r: r["STEP"]):
        groups.setdefault(tuple(row[n] for n in names), []).append(row)
    pictures = []
    for series, steps in sorted(groups.items(), key=lambda g: str(g[0])):
        i = place.get(series)
        history: list[Point] = []
        if i is not None:
            line = panel.values[i, -min(panel.lengths[i], HISTORY * spec.horizon) :]
            first = panel.ends[i] - (len(line) - 1) * panel.step
            history = [(first + k * panel.step, float(v)) for k, v in enumerate(line)]
        times = [millis(r["FORECAST_TS"]) for r in steps]
        bands = [
            (level, [(t, r[f"LO_{level}"], r[f"HI_{level}"]) for t, r in zip(times, steps, strict=True)])
            for level in sorted(spec.levels, reverse=True)
        ]
        title = f"{' '.join(map(str, series))}: {steps[0]['MODEL']}, version {steps[0]['VERSION']}"
        forecast = [(t, r["MEAN"]) for t, r in zip(times, steps, strict=True)]
        pictures.append(Picture(title, history, forecast, bands))
    return pictures


def write(path: Path, name: str, pictures: list[Picture]) -> None:
    """Write .html, .svg or .png. Raises UserError for another ending, or where PNG's library is missing."""
    if path.suffix == ".html":
        path.write_text(_page(name, pictures), "utf-8")
    elif path.suffix == ".svg":
        path.write_text(svg(pictures), "utf-8")
    elif path.suffix == ".png":
        _write_png(path, name, pictures)
    else:
        raise UserError(f"{path} is not .html, .svg or .png")


def svg(pictures: list[Picture]) -> str:
    """All pictures below each other, and what their marks mean."""
    parts, x, tall, left = [], 0, HEIGHT * len(pictures) + TOP, _gutter(pictures)
    for width, sample in _key(pictures):
        parts.append(f"<g transform='translate({x} 8)'>{sample}</g>")
        x += width + 20
    for i, picture in enumerate(pictures):
        title = html.escape(_short(picture.title))
        parts.append(
            f"<svg y='{TOP + i * HEIGHT}' width='{WIDTH}' height='{HEIGHT}'>"
            f"<text x='{left}' y='20' class='title'>{title}</text>"
            f"<svg x='{left}' y='{TOP}' width='{WIDTH - left}'>{_draw(picture)}</svg></svg>"
        )
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH + 20}' height='{tall}' "
        f"viewBox='-10 0 {WIDTH + 20} {tall}'><style>{STYLE}"
        "@media screen and (prefers-color-scheme:dark){svg{background:#16181d}}</style>"
        f"{''.join(parts)}</svg>\n"
    )


def _page(name: str, pictures: list[Picture]) -> str:
    """Pictures as wide as the window; the numbers, which a picture shows to eyes only, fold out as a table."""
    key = "".join(f"<svg width='{width}' height='16'>{sample}</svg>" for width, sample in _key(pictures))
    figures, left = [], _gutter(pictures)
    for picture in pictures:
        title = html.escape(picture.title)
        figures.append(
            f"<h2 dir='auto'>{title}</h2><figure><svg role='img' aria-label='{title}' "
            f"height='{PLOT + 24}' style='margin-left:{left}px;width:calc(100% - {left}px)'>{_draw(picture)}"
            "</svg></figure>"
            f"<details><summary>Numbers</summary><div class='table' tabindex='0' role='region' "
            f"aria-label='Numbers of {title}'>{_table(picture)}</div></details>"
        )
    title = html.escape(name)
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title>"
        "<meta name='viewport' content='width=device-width'><meta name='color-scheme' content='light dark'>"
        f"<style>{STYLE}{PAGE}</style></head><body><main><h1>{title}</h1><p>Times are UTC.</p>"
        f"<div class='key'>{key}</div>\n" + "\n".join(figures) + "\n</main></body></html>\n"
    )


def _key(pictures: list[Picture]) -> list[tuple[int, str]]:
    """What each mark means: a sample and its words, with the width in pixels that they need."""
    line = "<line x1='1' x2='27' y1='8' y2='8' class='{}'/>"
    marks = [(line.format("history"), "what came"), (line.format("forecast"), "forecast")]
    for i, (level, _) in enumerate(pictures[0].bands if pictures else ()):
        # Bands lie on each other, so the sample of an inner one is as dark as all the outer ones together.
        marks.append(
            ("<rect x='1' y='2' width='26' height='12' class='band'/>" * (i + 1), f"{level} % interval")
        )
    return [(36 + 7 * len(text), f"{mark}<text x='34' y='12'>{text}</text>") for mark, text in marks]


def _table(picture: Picture) -> str:
    came = dict(picture.history)
    levels = "".join(
        f"<th scope='col'>{level} % from</th><th scope='col'>to</th>" for level, _ in picture.bands
    )
    lines = []
    for i, (time, mean) in enumerate(picture.forecast):
        numbers = [mean, *(bound for _, band in picture.bands for bound in band[i][1:]), came.get(time, nan)]
        cells = "".join(f"<td>{'' if isnan(n) else format(n, '.6g')}</td>" for n in numbers)
        lines.append(f"<tr><th scope='row'>{_minute(time)}</th>{cells}</tr>")
    return (
        f"<table><thead><tr><th scope='col'>Time</th><th scope='col'>Forecast</th>{levels}"
        f"<th scope='col'>What came</th></tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )


def _draw(picture: Picture) -> str:
    """Marks in a box that stretches with the picture's width, and texts that do not."""
    times = [t for t, _ in picture.history + picture.forecast]
    first, last, (low, high) = min(times), max(times), _range(picture)
    across, up = WIDTH / max(last - first, 1), PLOT / (high - low)

    def place(time: int, value: float) -> str:
        return f"{(time - first) * across:.1f},{PLOT - (value - low) * up:.1f}"

    marks, texts = [], []
    for value, text in _ticks(low, high):
        y = PLOT - (value - low) * up
        marks.append(f"<line x2='{WIDTH}' y1='{y:.1f}' y2='{y:.1f}' class='grid'/>")
        texts.append(f"<text x='-8' y='{y + 4:.1f}' text-anchor='end'>{text}</text>")
    for level, band in picture.bands:
        edge = [place(t, high) for t, _, high in band] + [place(t, low) for t, low, _ in reversed(band)]
        marks.append(
            f"<polygon points='{' '.join(edge)}' class='band'><title>{level} % interval</title></polygon>"
        )
    for points, mark in ((picture.history, "history"), (picture.forecast, "forecast")):
        for missing, run in groupby(points, key=lambda p: isnan(p[1])):
            placed = [] if missing else [place(t, v) for t, v in run]
            if placed:
                # A point on its own is a line of no length, which round ends make a dot.
                alone = len(placed) == 1
                line = " ".join(placed * 2 if alone else placed)
                marks.append(f"<polyline points='{line}' class='{mark}{' dot' if alone else ''}'/>")
    ends = [(0, "start"), (50, "middle"), (100, "end")] if last > first else [(0, "start")]
    texts += [
        f"<text x='{share}%' y='{PLOT + 16}' text-anchor='{anchor}' class='{anchor}'>"
        f"{_minute(first + (last - first) * share // 100)}</text>"
        for share, anchor in ends
    ]
    return (
        f"<svg width='100%' height='{PLOT}' viewBox='0 0 {WIDTH} {PLOT}' preserveAspectRatio='none'>"
        f"{''.join(marks)}</svg>{''.join(texts)}"
    )


def _range(picture: Picture) -> tuple[float, float]:
    """The lowest and the highest value to be drawn, and a little room."""
    values = [v for _, v in picture.history + picture.forecast if not isnan(v)]
    values += [v for _, band in picture.bands for _, low, high in band for v in (low, high)]
    low, high = min(values), max(values)
    spare = 0.05 * (high - low) or abs(low) / 10 or 1.0
    return low - spare, high + spare


def _gutter(pictures: list[Picture]) -> int:
    """Pixels that the longest number of the scales needs on the left."""
    return 14 + 7 * max((len(text) for p in pictures for _, text in _ticks(*_range(p))), default=0)


def _short(title: str) -> str:
    """What fits into one line of an image."""
    return title if len(title) <= 100 else f"{title[:60]} … {title[-37:]}"


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """About three to eight round numbers from `low` to `high`, as values and texts."""
    power = 10.0 ** floor(log10((high - low) / 3))
    step = next(n * power for n in (5, 2, 1) if n * power <= (high - low) / 3 or n == 1)
    places = max(0, -floor(log10(step)))
    kind = f",.{places}f" if places < 8 and max(abs(low), abs(high)) < 1e15 else ".15g"
    return [(k * step, format(k * step, kind)) for k in range(ceil(low / step), floor(high / step) + 1)]


def _minute(time: int) -> str:
    return timestamp(time)[:16].replace("T", " ")


def _write_png(path: Path, name: str, pictures: list[Picture]) -> None:
    try:
        figures = import_module("matplotlib.figure")
    except ImportError:
        raise UserError(
            "PNG needs matplotlib", hint="pip install 'ksqlkit[plot]', or write .html or .svg."
        ) from None
    import numpy as np

    figure = figures.Figure(figsize=(WIDTH / 100, HEIGHT / 100 * len(pictures)), layout="constrained")
    figure.suptitle(name)
    for axes, picture in zip(
        np.ravel(figure.subplots(len(pictures), 1, squeeze=False)), pictures, strict=True
    ):
        axes.set_title(_short(picture.title), fontsize=9)
        # One sample for all: in a legend each would have the same shade.
        meaning = {
            p[0]: f"{', '.join(str(q) for q, _ in picture.bands)} % intervals" for p in picture.bands[:1]
        }
        for level, band in picture.bands:
            times, low, high = (list(column) for column in zip(*band, strict=True))
            axes.fill_between(
                np.array(times, "datetime64[ms]"),
                low,
                high,
                color="#4878d0",
                alpha=0.18,
                label=meaning.get(level),
            )
        for points, colour, line in (
            (picture.history, "#333333", "what came"),
            (picture.forecast, "#d65f00", "forecast"),
        ):
            axes.plot(
                np.array([t for t, _ in points], "datetime64[ms]"),
                [v for _, v in points],
                color=colour,
                linewidth=1,
                linestyle="--" if line == "forecast" else "-",
                marker="." if len(points) == 1 else None,
                label=line,
            )
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", fontsize=8, ncols=5)
    figure.savefig(path, dpi=100)
