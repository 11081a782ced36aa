"""Writes small files in MaxMind's format (https://maxmind.github.io/MaxMind-DB/), for tests of GEOIP."""

from __future__ import annotations

import struct
from ipaddress import ip_network
from pathlib import Path
from typing import Any


def write_mmdb(path: Path, places: dict[str, Any], kind: str = "Test") -> Path:
    """A database of networks and their records, of both address families as soon as one network is of IPv6."""
    networks = {ip_network(text): record for text, record in places.items()}
    six = any(n.version == 6 for n in networks)
    nodes: list[list[int]] = [[-1, -1]]  # -1 nothing, >= 0 a node, below -1 a record
    data, starts = b"", []
    for network, record in networks.items():
        starts.append(len(data))
        data += _encoded(record)
        width, depth = network.max_prefixlen, network.prefixlen
        bits = f"{int(network.network_address):0{width}b}"[:depth]
        bits = "0" * 96 + bits if six and network.version == 4 else bits
        at = 0
        for bit in map(int, bits[:-1]):
            if nodes[at][bit] < 0:
                nodes.append([-1, -1])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit]
        nodes[at][int(bits[-1])] = -1 - len(starts)
    count = len(nodes)
    tree = b""
    for value in (v for node in nodes for v in node):
        number = value if value >= 0 else count if value == -1 else count + 16 + starts[-value - 2]
        tree += number.to_bytes(4, "big")
    about = {
        "node_count": count,
        "record_size": (5, 32),
        "ip_version": (5, 6 if six else 4),
        "database_type": kind,
        "languages": [],
        "binary_format_major_version": (5, 2),
        "binary_format_minor_version": (5, 0),
        "build_epoch": (9, 1_780_272_000),
        "description": {},
    }
    path.write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + _encoded(about))
    return path


def _encoded(value: Any) -> bytes:
    """A value as the format has it: text, double, number of 32 bits (or of a kind: 5 has 16, 9 64), map, array."""
    if isinstance(value, str):
        return _head(2, len(value.encode())) + value.encode()
    if isinstance(value, float):
        return _head(3, 8) + struct.pack(">d", value)
    if isinstance(value, int | tuple):
        kind, number = (6, value) if isinstance(value, int) else value
        digits = number.to_bytes(8, "big").lstrip(b"\0")
        return _head(kind, len(digits)) + digits
    if isinstance(value, dict):
        return _head(7, len(value)) + b"".join(_encoded(k) + _encoded(v) for k, v in value.items())
    return _head(11, len(value)) + b"".join(map(_encoded, value))


def _head(kind: int, size: int) -> bytes:
    """The control byte, and those that follow of a kind over 7 or a size over 28 (to 284 here)."""
    small = min(size, 29)
    head = bytes([kind << 5 | small]) if kind <= 7 else bytes([small, kind - 7])
    return head + bytes([size - 29]) if small == 29 else head
