"""The job's figures for people."""

from __future__ import annotations

from ksqlkit.cli.output import console, print_table
from ksqlkit.demo.report import Report


def print_summary(report: Report) -> None:
    """Tables: what went in, fraud, forecasts, weather, text, and where the time went."""
    console.rule("What went in")
    console.print(
        ", ".join(f"{n:,} {what}" for what, n in report.rows.items()) + f"; {report.models} models in SQL"
    )
    fraud = report.fraud
    print_table(
        f"Fraud: {fraud['transactions']:,.0f} later transactions, {fraud['frauds']:,.0f} of them fraud; "
        "the model was trained on the part before",
        ["AUC", "average precision", "precision@100", "unscored"],
        [[fraud["auc"], fraud["average_precision"], fraud["precision_at_100"], int(fraud["unscored"])]],
    )
    print_table(
        "Forecast of departures: mean absolute error in the backtest",
        ["airport", "model", "error", "seasonal naive", "status"],
        [[f["series"], f["model"], f["error"], f["naive"], f["status"]] for f in report.forecasts],
    )
    print_table(
        "The 48 hours that came after the forecast",
        ["airport", "error", "seasonal naive", "in 80 % band", "in 95 % band"],
        [
            [c["origin"], c["error"], c["naive_error"], f"{c['cover_80']:.0%}", f"{c['cover_95']:.0%}"]
            for c in report.compared
        ],
    )
    print_table(
        "Mean delay by weather, minutes",
        ["weather", "flights", "delay"],
        [[w["WEATHER"], w["FLIGHTS"], w["MEAN_DELAY"]] for w in report.weather],
    )
    print_table(
        f"Support messages: subject right for {report.text_accuracy['subject']:.0%}, "
        f"mood for {report.text_accuracy['mood']:.0%}",
        ["subject", "messages", "negative"],
        [[s["SUBJECT"], s["MESSAGES"], s["NEGATIVE"]] for s in report.support],
    )
    total = sum(report.seconds.values())
    parts = ", ".join(f"{part} {s:.1f}" for part, s in report.seconds.items())
    console.print(f"{total:.1f} s: {parts}")
