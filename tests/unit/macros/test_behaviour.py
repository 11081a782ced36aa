"""What the macros' SQL does, on the engine."""

import random
from pathlib import Path

from tests.support.projects import feed, run_project, values
from udf_server.features import HOUR_MS, WindowSpec, windowed_features

SOURCE = "CREATE STREAM S (ID BIGINT, K STRING, V DOUBLE) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);\n"


def test_velocity_counts_as_the_offline_features_do(tmp_path: Path) -> None:
    columns = "carry={'ID': 'BIGINT', 'V': 'DOUBLE'}, measures={'V': 'SUM'}"
    call = "{{ velocity('OUT', 'S', key='K', window='1 HOUR', prefix='H', " + columns + ") }}"
    engine = run_project(
        tmp_path, SOURCE + call + "\nCREATE STREAM SEEN AS SELECT ID, K, H_N, H_SUM_V FROM OUT;"
    )
    rng = random.Random(5)
    time, rows, times = 0, [], []
    for i in range(300):
        time += rng.randrange(600_000)
        rows.append({"ID": i, "K": rng.choice("abc"), "V": round(rng.random() * 100, 2)})
        times.append(time)
    feed(engine, "s", rows, times)
    spec = WindowSpec("K", HOUR_MS, "V", "N", "TOTAL")
    timed = [{**r, "T": t} for r, t in zip(rows, times, strict=True)]
    expected = windowed_features(timed, [spec], time="T", keep=())
    found = values(engine, "SEEN")
    assert [f["ID"] for f in found] == list(range(300))
    assert [f["H_N"] for f in found] == expected["N"]
    assert [f["H_SUM_V"] for f in found] == expected["TOTAL"]


def test_deduplicate_lets_the_first_of_a_window_pass(tmp_path: Path) -> None:
    call = "{{ deduplicate('ONCE', 'S', key='K', columns={'ID': 'BIGINT'}, window='10 SECONDS') }}"
    engine = run_project(tmp_path, SOURCE + call)
    rows = [{"ID": i, "K": k} for i, k in enumerate("aabab")]
    feed(engine, "s", rows, [0, 1_000, 2_000, 11_000, 12_000])
    assert [(v["K"], v["ID"]) for v in values(engine, "once")] == [("a", 0), ("b", 2), ("a", 3), ("b", 4)]


def test_alert_debounce_counts_all_and_shows_one_per_window(tmp_path: Path) -> None:
    call = "{{ alert_debounce('NOTICES', 'S', key='K', columns={'ID': 'BIGINT'}, window='1 HOUR') }}"
    engine = run_project(tmp_path, SOURCE + call)
    feed(engine, "s", [{"ID": i, "K": "x"} for i in range(4)], [0, 1_000, 2_000, 3_700_000])
    assert [v["ID"] for v in values(engine, "notices")] == [0, 3]
    assert [v["ALERTS"] for v in values(engine, "NOTICES_COUNTS")] == [1, 2, 3, 1]


def test_split_valid_names_the_broken_rules(tmp_path: Path) -> None:
    call = "{{ split_valid('T', 'S', rules={'has a key': 'K IS NOT NULL', \"it's positive\": 'V > 0'}) }}"
    engine = run_project(tmp_path, SOURCE + call)
    feed(
        engine,
        "s",
        [{"ID": 1, "K": "a", "V": 1.0}, {"ID": 2, "K": None, "V": -1.0}, {"ID": 3, "K": "a", "V": None}],
    )
    assert [v["ID"] for v in values(engine, "T_VALID")] == [1]
    invalid = values(engine, "T_INVALID")
    assert [(v["ID"], v["PROBLEMS"]) for v in invalid] == [
        (2, ["has a key", "it's positive"]),
        (3, ["it's positive"]),
    ]
