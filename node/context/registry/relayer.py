"""The relayer protocol: one posted body in, one HTTP status and body out.

Statuses and texts are the reference relayer's: 200 with the contract's bytes, 400 for a foreign protocol, 500 with
``Transport error: …`` for what a contract refuses. Source: core 0.10.0: crates/relayer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from node.context.registry import config_contract, proxy_contract
from node.context.registry.config_contract import Contract
from node.context.registry.entries import RegistryRows
from node.context.registry.request import Envelope, parse_envelope
from node.errors import RegistryError

PROTOCOL: Final = "near"
"""The one protocol name that 0.10.0 nodes use; here it names the contract's behaviour, no chain."""

BLOCK_HEIGHT: Final = 1_000_000
"""The height that invitations are measured against. Nodes write expiry heights from 999,999,999 upwards, so any small
constant keeps them valid; the registry has no blocks."""

MAX_BODY: Final = 6 << 20
"""Bytes of a posted body: a payload of 1 MiB as a JSON list of numbers."""


@dataclass(frozen=True, slots=True)
class RelayerAnswer:
    """An HTTP status, its body, and whether the request changed anything."""

    status: int
    body: bytes


def answer(rows: RegistryRows, body: bytes) -> RelayerAnswer:
    """Answer one posted body. Never raises for what a client can send."""
    try:
        envelope = parse_envelope(body)
        if envelope.protocol != PROTOCOL:
            return RelayerAnswer(400, _unsupported(envelope.protocol))
        return RelayerAnswer(200, _dispatch(rows, envelope))
    except RegistryError as error:
        return RelayerAnswer(500, f"Transport error: {error}".encode())


def _dispatch(rows: RegistryRows, envelope: Envelope) -> bytes:
    owner = envelope.contract_id.partition(".")[2]
    proxy = proxy_contract.find_proxy(Contract(rows, envelope.network_id, owner, BLOCK_HEIGHT), envelope.contract_id)
    if proxy is not None:
        return _proxy(proxy, envelope)
    contract = Contract(rows, envelope.network_id, envelope.contract_id, BLOCK_HEIGHT)
    if not envelope.is_write:
        return config_contract.query(contract, envelope.method, envelope.arguments)
    _only_mutate(envelope)
    return config_contract.mutate(contract, envelope.arguments)


def _proxy(proxy: proxy_contract.Proxy, envelope: Envelope) -> bytes:
    if not envelope.is_write:
        return proxy_contract.query(proxy, envelope.method, envelope.arguments)
    _only_mutate(envelope)
    return proxy_contract.mutate(proxy, envelope.arguments)


def _only_mutate(envelope: Envelope) -> None:
    if envelope.method != "mutate":
        raise RegistryError(f"method {envelope.method!r} is no write of this contract; it has mutate")


def _unsupported(found: str) -> bytes:
    return json.dumps({"kind": "UnsupportedProtocol", "data": {"found": found, "expected": [PROTOCOL]}}).encode()
