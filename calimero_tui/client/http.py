"""Requests to a node and the reading of its answers.

A transport seam (``httpx`` transports) makes the whole client testable without a socket. Every failure is a
:class:`~node.errors.ClientError` that names the node, what it said, and what to do.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import Any, Final

import httpx

from node.errors import Refused, Unreachable

TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0)
"""Seconds for an answer (a call may take the guest's whole deadline) and for the connection."""

TRANSFER_TIMEOUT: Final = httpx.Timeout(3600.0, connect=5.0)
"""For the first byte of a blob: the node may have to fetch all of it from others before."""

CONNECTIONS: Final = 64


class Http:
    """One node's HTTP interface. Use as an async context manager, or call :meth:`close`."""

    def __init__(self, url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self._client = httpx.AsyncClient(
            base_url=self.url, timeout=TIMEOUT, limits=limits, transport=transport, trust_env=False
        )

    async def __aenter__(self) -> Http:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, path: str, **query: str | int) -> Any:
        return await self.json("GET", path, query=query)

    async def post(self, path: str, body: object = None) -> Any:
        return await self.json("POST", path, body=body)

    async def delete(self, path: str) -> Any:
        return await self.json("DELETE", path)

    async def json(
        self, method: str, path: str, *, body: object = ..., query: Mapping[str, str | int] | None = None
    ) -> Any:
        """Send, and read the JSON answer. Raises :class:`Unreachable` or :class:`Refused`."""
        content = None if body is ... or method == "GET" else json.dumps(body, separators=(",", ":")).encode()
        headers = {"content-type": "application/json"} if content is not None else {}
        response = await self._send(
            self._client.build_request(method, path, content=content, headers=headers, params=query or None)
        )
        return _read(response, self.url)

    async def upload(self, path: str, content: AsyncIterable[bytes], size: int, **query: str) -> Any:
        """Send a body as a stream of ``size`` bytes."""
        request = self._client.build_request(
            "PUT", path, content=content, headers={"content-length": str(size)}, params=query or None
        )
        return _read(await self._send(request), self.url)

    async def download(self, path: str, **query: str) -> AsyncIterator[bytes]:
        """The body of an answer, in parts as they come."""
        try:
            async with self._client.stream("GET", path, params=query or None, timeout=TRANSFER_TIMEOUT) as response:
                if not response.is_success:
                    await response.aread()
                    raise _refusal(response, self.url)
                async for part in response.aiter_bytes():
                    yield part
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._client.send(request)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error


def unreachable(url: str, error: Exception) -> Unreachable:
    return Unreachable(
        f"no node answers at {url} ({str(error) or type(error).__name__}); "
        "start one with `calimero node start` or name another with --node URL"
    )


def _read(response: httpx.Response, url: str) -> Any:
    if not response.is_success:
        raise _refusal(response, url)
    try:
        return response.json() if response.content else None
    except ValueError as error:
        raise Refused(
            f"{url} answered {response.request.url.path} with something that is not JSON; is it a Calimero node?",
            status=response.status_code,
        ) from error


def _refusal(response: httpx.Response, url: str) -> Refused:
    """What the node said: an ``error`` member, or its plain text."""
    text = response.text.strip()
    try:
        found = response.json()
        if isinstance(found, dict) and "error" in found:
            text = found["error"] if isinstance(found["error"], str) else json.dumps(found["error"])
    except ValueError:
        pass
    if not text:
        text = f"{response.status_code} {response.reason_phrase} for {response.request.url.path} at {url}"
    return Refused(text, kind="http", status=response.status_code)
