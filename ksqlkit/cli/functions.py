"""ksqlkit functions: what the scoring server answers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ksqlkit.cli.options import JsonOption, ProjectOption, ScoringOption, open_config
from ksqlkit.cli.output import console, guarded, print_json, print_table
from ksqlkit.errors import Unreachable, UserError

DEFAULT_URL = "http://127.0.0.1:8090"


@guarded
def functions(
    name: Annotated[str | None, typer.Argument(help="Show one function in full.")] = None,
    scoring: ScoringOption = None,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """List the AI functions that SQL can call, with their models.

    Example: ksqlkit functions FRAUD_SCORE
    """
    url = scoring or open_config(project).scoring_url or DEFAULT_URL
    found = fetch_manifest(url)
    if name is not None:
        chosen = [f for f in found if f["name"].upper() == name.upper()]
        if not chosen:
            raise UserError(
                f"There is no function {name}", hint=f"Known: {', '.join(f['name'] for f in found)}."
            )
        found = chosen
    if json:
        print_json(found)
        return
    shown = found if name is not None else [f for f in found if not f["name"].endswith("_DETAIL")]
    rows = [[f["name"], _signature(f), _model(f), f.get("description", "").partition("\n")[0]] for f in shown]
    print_table(None, ["function", "arguments", "model", ""], rows)
    if name is not None:
        console.print(found[0].get("description", ""), markup=False)
        if found[0].get("example"):
            console.print(found[0]["example"], markup=False, style="bold")


def fetch_manifest(url: str) -> list[dict[str, Any]]:
    """The scoring server's functions. Raises Unreachable."""
    import httpx

    try:
        response = httpx.get(f"{url}/v1/functions", timeout=10.0, trust_env=False)
        response.raise_for_status()
    except httpx.HTTPError as exc:
        raise Unreachable(
            f"No scoring server answers at {url} ({exc})",
            hint="Start one with `ksqlkit dev` or `python -m udf_server`, or name another with --scoring.",
        ) from exc
    body = response.json()
    listed: list[dict[str, Any]] = body["functions"] if isinstance(body, dict) else body
    return listed


def _signature(function: dict[str, Any]) -> str:
    forms = []
    for overload in function.get("overloads", []):
        args = ", ".join(f"{a['name']} {a['type']}" for a in overload["args"])
        forms.append(f"({args}{'...' if overload.get('variadic') else ''}) -> {overload['returns']}")
    return "\n".join(forms)


def _model(function: dict[str, Any]) -> str:
    model = function.get("model")
    version = function.get("model_version")
    return f"{model} {version}" if model and version else str(model or "")
