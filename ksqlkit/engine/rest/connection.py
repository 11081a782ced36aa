"""One client's connection, HTTP/1.1 or HTTP/2."""

from __future__ import annotations

from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Event, Updated


class Connection(TCPServer):
    """As hypercorn's, which keeps the socket of a client that has left as long as it would wait for its next request:
    here it is closed at once."""

    async def protocol_send(self, event: Event) -> None:
        """Send, or note whether a request is under way."""
        if not (isinstance(event, Updated) and self.reader.at_eof()):
            await super().protocol_send(event)

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()
