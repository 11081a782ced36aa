"""The files of compose/ against the code: what they name is there."""

from __future__ import annotations

import json
import re
import stat
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from ksqlkit.cli.main import app
from ksqlkit.engine.log.protocol import TopicInfo
from ksqlkit.processor.counters import Counters, MetricsPage
from ksqlkit.processor.planning import plan
from ksqlkit.processor.spec import read_file
from ksqlkit.scoring.entry import Entry
from udf_server.metrics import Metrics

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose"
JAVA = ROOT / "udf_server" / "java" / "src" / "main" / "java" / "io" / "ksqlkit" / "bridge"

pytestmark = pytest.mark.checkout


def read(path: str) -> Any:
    return yaml.safe_load((COMPOSE / path).read_text())


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = read("docker-compose.yml")["services"]
    return found


def test_services_images_and_volumes_are_whole(services: dict[str, Any]) -> None:
    volumes = set(read("docker-compose.yml")["volumes"])
    used = set()
    for name, service in services.items():
        assert re.fullmatch(r"[\w./-]+:v?\d[\w.-]*", service["image"]), f"{name}: pin the image"
        assert "restart" in service, name
        for other, how in service.get("depends_on", {}).items():
            wants = how["condition"]
            assert (wants != "service_healthy") or "healthcheck" in services[other], (name, other)
            assert (wants != "service_completed_successfully") or services[other]["restart"] == "no"
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (COMPOSE / source).is_dir(), f"{name}: {source}"
            else:
                used.add(source)
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{name}: {port} is open to the network"
    assert used == volumes


def test_build_files_are_there(services: dict[str, Any]) -> None:
    for service in services.values():
        if "build" in service:
            path = ROOT / service["build"]["dockerfile"]
            assert f" AS {service['build']['target']}\n" in path.read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (COMPOSE / "ksqlkit/Dockerfile").read_text(), re.M)
    assert all((ROOT / source).exists() for source in copied)


def test_commands_are_ours_and_take_their_options(services: dict[str, Any]) -> None:
    checked = 0
    for service in services.values():
        words = [str(w) for w in service.get("command", [])]
        if words[:1] == ["ksqlkit"]:
            command: Any = typer.main.get_command(app)
            words = words[1:]
            while getattr(command, "commands", None):
                command = command.commands[words.pop(0)]
            known = {o for p in command.params for o in p.opts}
            assert {w for w in words if w.startswith("--")} <= known
            checked += 1
        elif words[1:3] == ["-m", "udf_server"]:
            text = (ROOT / "udf_server" / "__main__.py").read_text()
            assert all(f'"{w}"' in text for w in words if w.startswith("--"))
            checked += 1
    assert checked == 4


def known_settings() -> set[str]:
    return set(re.findall(r'Map\.entry\("([\w.]+)"', (JAVA / "Settings.java").read_text()))


def test_the_servers_properties_are_known_to_the_bridge(services: dict[str, Any]) -> None:
    text = (COMPOSE / "ksqldb/ksql-server.properties").read_text()
    named = re.findall(r"ksql\.functions\.[^.\s]+\.([\w.]+)=", text)
    assert len(named) >= 4
    assert set(named) <= known_settings()
    properties = dict(line.split("=", 1) for line in text.splitlines() if line and line[0] != "#")
    mounts = [v.split(":")[1] for v in services["ksqldb-server"]["volumes"]]
    assert properties["ksql.extension.dir"] in mounts
    assert properties["ksql.functions._global_.scoring.url"] == "http://scoring:8090"
    assert services["bridge"]["command"][-1].startswith(properties["ksql.extension.dir"] + "/")


def test_addresses_lead_to_services_and_their_ports(services: dict[str, Any]) -> None:
    port = {
        "scoring": "8090",
        "ksqldb-server": "8088",
        "schema-registry": "8081",
        "kafka": "9092",
        "prometheus": "9090",
    }
    files = [
        p for p in COMPOSE.rglob("*") if p.is_file() and p.suffix in {".yml", ".properties", ".sh", ".md"}
    ]
    found = re.findall(
        r"\b(scoring|ksqldb-server|schema-registry|kafka|prometheus):(\d{4})\b",
        "\n".join(p.read_text() for p in files),
    )
    assert len(found) > 10
    agent = services["ksqldb-server"]["environment"]["JAVA_TOOL_OPTIONS"]
    allowed = set(port.items()) | {("kafka", "9093"), ("ksqldb-server", "7071")}
    assert "=7071:" in agent
    assert set(found) <= allowed


def test_metrics_of_dashboards_and_alerts_exist() -> None:
    dashboard = json.loads((COMPOSE / "grafana/dashboards/ksqlkit.json").read_text())
    texts = [t["expr"] for p in dashboard["panels"] for t in p["targets"]]
    texts += [r["expr"] for g in read("prometheus/alerts.yml")["groups"] for r in g["rules"]]
    named = set(re.findall(r"\b(?:udf|ksqlkit_bridge|ksqlkit_process)_\w+", " ".join(texts)))
    beans = re.findall(r"long get(\w+)\(\)", (JAVA / "CountersMBean.java").read_text())
    known = {f"ksqlkit_bridge_{b.lower()}" for b in beans}
    known |= set(re.findall(r"# TYPE (\w+)", Metrics().render() + Counters().render()))
    assert {n.removesuffix("_bucket") for n in named} <= known
    assert len(named) > 10
    assert (
        dashboard["panels"][0]["datasource"]["uid"]
        == read("grafana/provisioning/datasources/prometheus.yml")["datasources"][0]["uid"]
    )


def test_the_processor_is_watched_where_it_answers(services: dict[str, Any]) -> None:
    service = services["processor"]
    port = service["command"][service["command"].index("--metrics") + 1]
    (address,) = re.findall(r"http://localhost:(\d+)(/\w+)", " ".join(service["healthcheck"]["test"]))
    assert address[0] == port
    with (
        MetricsPage(Counters(), "127.0.0.1", 0) as page,
        urllib.request.urlopen(f"http://127.0.0.1:{page.port}{address[1]}", timeout=5) as reply,
    ):
        assert reply.status == 200
    jobs = {job["job_name"]: job for job in read("prometheus/prometheus.yml")["scrape_configs"]}
    assert str(jobs["processor"]["dns_sd_configs"][0]["port"]) == port
    named = re.findall(r'job="(\w+)"', (COMPOSE / "prometheus/alerts.yml").read_text())
    assert set(named) <= set(jobs)


def test_no_secret_is_in_a_file() -> None:
    text = "\n".join(p.read_text() for p in COMPOSE.rglob("*") if p.is_file())
    assert not re.findall(r"(?i)(?:password|secret|token)\w*\s*[=:]\s*[\"']?\w{6,}", text)


def test_the_smoke_test_can_be_run() -> None:
    assert (COMPOSE / "smoke.sh").stat().st_mode & stat.S_IXUSR


def test_every_setting_is_documented() -> None:
    text = (ROOT / "udf_server" / "java" / "README.md").read_text()
    assert set(re.findall(r"^\| `([\w.]+)` \|", text, re.M)) >= known_settings()
    classes = set(re.findall(r"`([A-Z]\w+)`", text))
    assert {c for c in classes if not c.isupper() and "_" not in c} <= {p.stem for p in JAVA.glob("*.java")}


def test_the_processors_query_can_be_run(services: dict[str, Any]) -> None:
    service = services["processor"]
    command = service["command"]
    folder = service["volumes"][0].split(":")
    spec = read_file(COMPOSE / folder[0] / command[2].removeprefix(f"{folder[1]}/"))
    entries = {e["name"]: Entry.read(e) for e in manifest_functions()}
    topics = {"messages": TopicInfo("messages", 1)}
    planned = plan(spec, entries, lambda _: Unasked(), topics, None, lambda *_: None)
    assert planned.functions == ("SENTIMENT_DETAIL",)
    assert command[command.index("--metrics") + 1] in (COMPOSE / "prometheus/prometheus.yml").read_text()
    variables = {p.envvar for p in typer.main.get_command(app).commands["process"].params}  # type: ignore[attr-defined]
    assert set(service["environment"]) <= variables


class Unasked:
    def call(self, rows: Any) -> list[Any]:
        raise AssertionError


def manifest_functions() -> list[dict[str, Any]]:
    from udf_server.catalog import Catalog
    from udf_server.manifest import build
    from udf_server.models.live import LiveModels
    from udf_server.models.store import ModelStore

    made = build(Catalog(None), LiveModels(ModelStore(ROOT / "build" / "no-models")))
    functions: list[dict[str, Any]] = json.loads(made.body)["functions"]
    return functions


def test_the_function_of_the_example_is_one() -> None:
    from udf_server.catalog import Catalog

    catalog = Catalog(COMPOSE / "functions")
    assert catalog.find("HASHTAGS") is not None, catalog.errors
