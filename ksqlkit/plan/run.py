"""From a project and a client to stages."""

from __future__ import annotations

from ksqlkit.client.protocol import Client
from ksqlkit.plan.diff import diff, rehearse
from ksqlkit.plan.live import read_live
from ksqlkit.plan.stages import Stage
from ksqlkit.project.loader import Loader


def make_stages(loader: Loader, client: Client, scoring_url: str | None = None) -> list[Stage]:
    """Load the project, rehearse it on an empty engine in memory, and compare it with what the client's ksqlDB runs.

    `scoring_url` tells which AI functions there are. Raises UserErrors placed in the templates, Unreachable.
    """
    from ksqlkit.client.embedded import EmbeddedClient

    project = loader.load()
    empty = EmbeddedClient.open(":memory:", scoring_url=scoring_url)
    try:
        expected = rehearse(project, empty, loader)
    finally:
        empty.close()
    return diff(project, read_live(client), expected)
