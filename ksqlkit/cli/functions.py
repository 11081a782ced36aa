"""ksqlkit functions: what the scoring server answers, and how that gets into a real ksqlDB."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ksqlkit.certificates import trusted_authorities
from ksqlkit.cli.options import (
    JsonOption,
    ProjectOption,
    ScoringOption,
    ServerOption,
    TargetOption,
    open_client,
    open_config,
)
from ksqlkit.cli.output import console, guarded, messages, print_json, print_table
from ksqlkit.errors import Unreachable, UserError

if TYPE_CHECKING:
    from ksqlkit.project.config import Config

DEFAULT_URL = "http://127.0.0.1:8090"


class _ListsByDefault(TyperGroup):
    """`ksqlkit functions [NAME]` is short for `ksqlkit functions list [NAME]`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


functions = typer.Typer(
    cls=_ListsByDefault, help="The AI functions: list them, and put them into a real ksqlDB server."
)


@functions.command("list")
@guarded
def list_functions(
    name: Annotated[str | None, typer.Argument(help="Show one function in full.")] = None,
    scoring: ScoringOption = None,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """List the AI functions that SQL can call, with their models; `list` may be left out.

    Example: ksqlkit functions list FRAUD_SCORE
    """
    _, found = _manifest(open_config(project), scoring)
    if name is not None:
        known = [f["name"] for f in found if not f["name"].endswith("_DETAIL")]
        found = [f for f in found if f["name"].upper() == name.upper()]
        if not found:
            raise UserError(f"There is no function {name}", hint=f"Known: {', '.join(known)}.")
    if json:
        print_json(found)
        return
    if name is None:
        shown = [f for f in found if not f["name"].endswith("_DETAIL")]
        rows = [
            [f["name"], _briefly(f), _model(f), f.get("description", "").partition(". ")[0]] for f in shown
        ]
        print_table(None, ["function", "arguments", "model", ""], rows)
        return
    chosen = found[0]
    for form in _forms(chosen):
        console.print(f"{chosen['name']}{form}", markup=False, style="bold", soft_wrap=True)
    console.print(chosen.get("description", ""), markup=False)
    if _model(chosen):
        console.print(f"Model: {_model(chosen)}", markup=False)
    if chosen.get("example"):
        console.print(chosen["example"], markup=False, style="bold", soft_wrap=True)


@functions.command()
@guarded
def build(
    out: Annotated[Path, typer.Option("--out", "-o", help="The jar to write.")] = Path("ksqlkit-bridge.jar"),
    scoring: ScoringOption = None,
    runtime: Annotated[
        Path | None,
        typer.Option("--runtime", help="The compiled runtime, instead of the one that came along."),
    ] = None,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Write the jar that makes the scoring server's functions functions of ksqlDB. Needs no JDK.

    Put it into the server's ksql.extension.dir, set ksql.functions._global_.scoring.url there, and restart it.

    Example: ksqlkit functions build --out ksqlkit-bridge.jar
    """
    from ksqlkit.bridge import build_jar, other_jars
    from ksqlkit.bridge.runtime import runtime_jar

    url, entries = _manifest(open_config(project), scoring)
    built = build_jar(entries, runtime or runtime_jar(), out)
    others = other_jars(out, built.functions)
    if json:
        clashes = {str(path): names for path, names in others.items()}
        print_json(
            {
                "jar": str(out),
                "functions": built.functions,
                "left_out": built.left_out,
                "other_jars": clashes,
            }
        )
        return
    for name, why in built.left_out.items():
        messages.print(f"left out {name}: {why}", style="yellow", markup=False)
    for path, names in others.items():
        shown = f"{', '.join(names[:3])}{' ...' if len(names) > 3 else ''}"
        messages.print(
            f"{path} beside it has {shown} too: a ksqlDB server that finds both does not start; remove one",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
    messages.print(f"{out}: {len(built.functions)} functions", markup=False)
    messages.print(
        "Next: copy it into the server's ksql.extension.dir, put\n"
        f"  ksql.functions._global_.scoring.url={url}\n"
        "into the server's properties (a URL that the server can reach), restart it, and run\n"
        "`ksqlkit functions check --server URL`.",
        markup=False,
        soft_wrap=True,
    )


@functions.command()
@guarded
def check(
    scoring: ScoringOption = None,
    target: TargetOption = None,
    server: ServerOption = None,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Compare a server's functions with the scoring server's, and say what to do; exit code 1 where they differ.

    Example: ksqlkit functions check --server http://127.0.0.1:8088
    """
    from dataclasses import asdict

    from ksqlkit.bridge import check as compare
    from ksqlkit.bridge.check import OK

    config = open_config(project)
    _, entries = _manifest(config, scoring)
    client, _ = open_client(config, target, server)
    try:
        findings = compare(client, entries)
    finally:
        client.close()
    differing = [f for f in findings if f.state != OK]
    if json:
        print_json([asdict(f) for f in findings])
    elif differing:
        columns = ["function", "state", "", "do"]
        print_table(None, columns, [[f.name, f.state, f.detail, f.advice] for f in differing])
    if not json:
        messages.print(f"{len(findings) - len(differing)} of {len(findings)} functions are as they should be")
    if differing:
        raise typer.Exit(1)


@functions.command()
@guarded
def model(
    name: Annotated[str, typer.Argument(help="A model of the registry.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write, for model.file.")],
    version: Annotated[int | None, typer.Option("--version", help="By default the live one.")] = None,
    project: ProjectOption = None,
) -> None:
    """Write a model to a file that the bridge walks inside ksqlDB with no scoring server; rows to verify it come along.

    Example: ksqlkit functions model fraud --out fraud.model
    """
    from udf_server.errors import ModelError
    from udf_server.models.store import ModelStore
    from udf_server.portable.document import portable

    store = ModelStore(open_config(project).models)
    try:
        metadata, content = store.read(name, store.live(name) if version is None else version)
        form = portable(metadata, content)
    except ModelError as error:
        raise UserError(str(error), hint="`ksqlkit models list` shows what there is.") from error
    draft = out.with_name(out.name + ".draft")
    draft.write_bytes(form)
    draft.replace(out)  # the bridge may be reading it
    messages.print(f"{out}: {metadata.name} version {metadata.version}", markup=False)


def _manifest(config: Config, scoring: str | None) -> tuple[str, list[dict[str, Any]]]:
    """The scoring server's URL and functions, asked with the project's token."""
    url = scoring or config.scoring_url or DEFAULT_URL
    token = os.environ.get(config.scoring_token_env) if config.scoring_token_env else None
    return url, fetch_manifest(url, token)


def fetch_manifest(url: str, token: str | None = None) -> list[dict[str, Any]]:
    """The scoring server's functions. Raises Unreachable, or UserError where it refuses."""
    import httpx

    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        response = httpx.get(
            f"{url}/v1/functions",
            timeout=10.0,
            trust_env=False,
            headers=headers,
            verify=trusted_authorities(),
        )
    except httpx.HTTPError as exc:
        raise Unreachable(
            f"No scoring server answers at {url} ({exc})",
            hint="Start one with `ksqlkit dev` or `python -m udf_server`, or name another with --scoring.",
        ) from exc
    if response.status_code in (401, 403):
        raise UserError(
            f"The scoring server at {url} wants a token, or another one",
            hint="Name the variable that holds it: token_env under [scoring] of ksqlkit.toml.",
        )
    try:
        body = response.raise_for_status().json()
        listed: list[dict[str, Any]] = body["functions"]
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError) as exc:
        raise UserError(
            f"{url} is no scoring server: status {response.status_code}", hint="Name another with --scoring."
        ) from exc
    return listed


def _forms(function: dict[str, Any]) -> list[str]:
    from udf_server.sqltype import shown

    forms = []
    for overload in function.get("overloads", []):
        args = ", ".join(f"{a['name']} {shown(a['type'])}" for a in overload["args"])
        forms.append(f"({args}{'...' if overload.get('variadic') else ''}) -> {overload['returns']}")
    return forms


def _briefly(function: dict[str, Any]) -> str:
    forms = _forms(function)
    return forms[0] + (f" and {len(forms) - 1} more" if forms[1:] else "") if forms else ""


def _model(function: dict[str, Any]) -> str:
    model = function.get("model")
    version = function.get("model_version")
    return f"{model} {version}" if model and version else str(model or "")
