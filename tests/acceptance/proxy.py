"""A TCP proxy that cuts: it forwards to one address, counts the bytes, and can part both sides.

``cut`` resets what is open and refuses what is tried, as a router does whose line is gone. ``stall`` keeps everything
open and forwards nothing, as a line does that loses every packet.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

CHUNK: Final = 65_536


class Proxy:
    """Listens on a free port of loopback for connections to ``host:port``."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._open = asyncio.Event()
        self._open.set()
        self._refuses = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.bytes = 0
        """Forwarded so far, both ways."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        self._open.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def connections(self) -> int:
        """Connections that stand."""
        return len(self._writers) // 2

    def cut(self) -> None:
        """Nothing passes any more, and both sides see it."""
        self._refuses = True
        for writer in self._writers:
            writer.transport.abort()

    def stall(self) -> None:
        """Nothing passes any more, and nobody is told."""
        self._open.clear()

    def heal(self) -> None:
        """New connections pass, and so does what a stall held."""
        self._refuses = False
        self._open.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        try:
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        finally:
            self._writers -= {writer, back}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward until one side ends, then end the other."""
        try:
            while data := await reader.read(CHUNK):
                await self._open.wait()
                self.bytes += len(data)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()
