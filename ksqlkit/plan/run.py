"""From a project and a client to stages."""

from __future__ import annotations

from ksqlkit.client.protocol import Client
from ksqlkit.plan.diff import diff, rehearse
from ksqlkit.plan.live import read_live
from ksqlkit.plan.notes import notes
from ksqlkit.plan.stages import Stage
from ksqlkit.project.loader import Loader


def make_plan(
    loader: Loader, client: Client, scoring_url: str | None = None
) -> tuple[list[Stage], list[str]]:
    """Load the project, rehearse it on an empty engine in memory, and compare it with what the client's ksqlDB runs;
    also what is to be told of the server beside the stages.

    `scoring_url` tells which AI functions there are. Raises UserErrors placed in the templates, Unreachable.
    """
    from ksqlkit.client.embedded import EmbeddedClient

    project = loader.load()
    empty = EmbeddedClient.open(":memory:", scoring_url=scoring_url)
    try:
        expected = rehearse(project, empty, loader)
    finally:
        empty.close()
    live = read_live(client)
    return diff(project, live, expected), notes(project, live, expected, loader.config.sources)
