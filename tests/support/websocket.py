"""A websocket client just big enough for tests."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection, Request, TextMessage


def websocket_messages(url: str, target: str, timeout: float = 5.0) -> Iterator[str]:
    """Messages until the server closes, as "[TEXT] ..." and "[CLOSE] code reason"."""
    place = urlsplit(url)
    assert place.hostname
    with socket.create_connection((place.hostname, place.port or 80), timeout=timeout) as found:
        ws = WSConnection(ConnectionType.CLIENT)
        found.sendall(ws.send(Request(host=place.netloc, target=target)))
        text = ""
        while True:
            ws.receive_data(found.recv(65536) or None)
            for event in ws.events():
                match event:
                    case TextMessage(data=data, message_finished=finished):
                        text += data
                        if finished:
                            yield f"[TEXT] {text}"
                            text = ""
                    case CloseConnection(code=code, reason=reason):
                        yield f"[CLOSE] {code} {reason or ''}"
                        return
                    case RejectConnection(status_code=status):
                        yield f"[REJECTED] {status}"
                        return
                    case AcceptConnection():
                        pass
