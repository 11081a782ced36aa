"""A forecast as a picture: history, forecast, bands, and the last forecast against what came. SVG written by hand; PNG
by matplotlib where it is installed."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from forecasts.publish import Row, millis, timestamp
from forecasts.series import Panel
from forecasts.spec import Spec
from forecasts.tables import series_columns
from ksqlkit.errors import UserError

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 900, 300, 70, 30, 34
HISTORY = 6  # horizons that are drawn before the forecast
Point = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """One series: (time, value) points; `bands` by level, the widest first."""

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
            history = [(first + k * panel.step, float(v)) for k, v in enumerate(line) if v == v]
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
        body = "\n".join(f"<figure>{svg([p])}</figure>" for p in pictures)
        title = html.escape(name)
        path.write_text(
            f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title>"
            f"<body style='font-family:system-ui;margin:2em'><h1>{title}</h1>\n{body}\n</body></html>\n",
            "utf-8",
        )
    elif path.suffix == ".svg":
        path.write_text(svg(pictures), "utf-8")
    elif path.suffix == ".png":
        _write_png(path, name, pictures)
    else:
        raise UserError(f"{path} is not .html, .svg or .png")


def svg(pictures: list[Picture]) -> str:
    """All pictures below each other."""
    parts = [f"<g transform='translate(0 {i * HEIGHT})'>{_draw(p)}</g>" for i, p in enumerate(pictures)]
    size = f"width='{WIDTH}' height='{HEIGHT * len(pictures)}'"
    view = f"viewBox='0 0 {WIDTH} {HEIGHT * len(pictures)}'"
    style = "font-family='sans-serif' font-size='12'"
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size} {view} {style}>{''.join(parts)}</svg>\n"


def _draw(picture: Picture) -> str:
    times = [t for t, _ in picture.history + picture.forecast]
    values = [v for _, v in picture.history + picture.forecast]
    values += [v for _, band in picture.bands for _, low, high in band for v in (low, high)]
    first, last, low, high = min(times), max(times), min(values), max(values)
    across, up = (WIDTH - LEFT - 10) / max(last - first, 1), (HEIGHT - BOTTOM - TOP) / ((high - low) or 1.0)

    def place(time: int, value: float) -> str:
        return f"{LEFT + (time - first) * across:.1f},{HEIGHT - BOTTOM - (value - low) * up:.1f}"

    parts = [f"<text x='{LEFT}' y='20' font-size='14'>{html.escape(picture.title)}</text>"]
    for share in (0.0, 0.5, 1.0):
        value = low + share * (high - low)
        y = HEIGHT - BOTTOM - (value - low) * up
        parts.append(f"<line x1='{LEFT}' x2='{WIDTH - 10}' y1='{y:.1f}' y2='{y:.1f}' stroke='#ddd'/>")
        parts.append(f"<text x='{LEFT - 6}' y='{y + 4:.1f}' text-anchor='end'>{value:.4g}</text>")
        anchor = {0.0: "start", 0.5: "middle", 1.0: "end"}[share]
        x = LEFT + share * (last - first) * across
        day = timestamp(int(first + share * (last - first)))[:16].replace("T", " ")
        parts.append(f"<text x='{x:.1f}' y='{HEIGHT - 8}' text-anchor='{anchor}'>{day}</text>")
    for level, band in picture.bands:
        edge = [place(t, high) for t, _, high in band] + [place(t, low) for t, low, _ in reversed(band)]
        parts.append(
            f"<polygon points='{' '.join(edge)}' fill='#4878d0' fill-opacity='0.18'>"
            f"<title>{level} % interval</title></polygon>"
        )
    for points, colour in ((picture.history, "#333"), (picture.forecast, "#d65f00")):
        line = " ".join(place(t, v) for t, v in points)
        parts.append(f"<polyline points='{line}' fill='none' stroke='{colour}' stroke-width='1.5'/>")
    return "".join(parts)


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
        axes.set_title(picture.title, fontsize=9)
        for _, band in picture.bands:
            times, low, high = (list(column) for column in zip(*band, strict=True))
            axes.fill_between(np.array(times, "datetime64[ms]"), low, high, color="#4878d0", alpha=0.18)
        for points, colour in ((picture.history, "#333333"), (picture.forecast, "#d65f00")):
            axes.plot(
                np.array([t for t, _ in points], "datetime64[ms]"),
                [v for _, v in points],
                color=colour,
                linewidth=1,
            )
    figure.savefig(path, dpi=100)
