"""A guest without an engine: a piece of memory to put descriptors into, and the host functions on it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from node.primitives import BlobId, ContextId, Hash, PublicKey
from node.runtime.call import GuestCall, Outcome, Reader
from node.runtime.host.table import TABLE
from node.runtime.logic import VMLogic
from node.runtime.memory import GuestMemory

CONTEXT = ContextId(b"\1" * 32)
EXECUTOR = PublicKey(b"\2" * 32)
NOW = 1_700_000_000_123_456_789
U64 = (1 << 64) - 1
MINUS_ONE = (1 << 32) - 1
R = 7
"""The register that tests use."""


@dataclass
class Writer:
    services: FakeServices
    content: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes) -> int:
        self.content += data
        return len(data)

    def finish(self) -> BlobId:
        blob_id = BlobId(bytes([len(self.services.blobs) + 1]) * 32)
        self.services.blobs[blob_id] = bytes(self.content)
        return blob_id

    def abort(self) -> None:
        self.services.aborted += 1


@dataclass
class Reading:
    services: FakeServices
    content: bytes

    def read(self, size: int) -> bytes:
        part, self.content = self.content[:size], self.content[size:]
        return part

    def close(self) -> None:
        self.services.closed += 1


@dataclass
class FakeServices:
    """A node in memory: what it holds is what guests get."""

    identities: list[PublicKey] = field(default_factory=list)
    aliases: dict[str, PublicKey] = field(default_factory=dict)
    blobs: dict[BlobId, bytes] = field(default_factory=dict)
    announced: list[tuple[BlobId, ContextId]] = field(default_factory=list)
    aborted: int = 0
    closed: int = 0

    def is_member(self, identity: PublicKey) -> bool:
        return identity in self.identities

    def members(self) -> list[PublicKey]:
        return self.identities

    def has_alias(self, name: str) -> bool:
        return name in self.aliases

    def resolve_alias(self, name: str) -> PublicKey | None:
        return self.aliases.get(name)

    def blob_create(self) -> Writer:
        return Writer(self)

    def blob_open(self, blob_id: BlobId) -> Reading | None:
        return Reading(self, self.blobs[blob_id]) if blob_id in self.blobs else None

    def blob_announce(self, blob_id: BlobId, context_id: ContextId) -> bool:
        self.announced.append((blob_id, context_id))
        return blob_id in self.blobs

    def http_fetch(self, url: str, method: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        raise AssertionError("fetch is off")


class Machine:
    """Guest memory with a pointer that moves on, and calls of host functions by name."""

    def __init__(
        self,
        *,
        size: int = 1 << 20,
        args: bytes = b"",
        state: Reader = lambda _key: None,
        private: Reader | None = None,
        services: FakeServices | None = None,
        executor: PublicKey = EXECUTOR,
        seed: int = 16,
        now: int = NOW,
    ) -> None:
        self.memory = bytearray(size)
        self.next = 16
        self.seed = seed
        self.now = now
        call = GuestCall(
            module=Hash.zero(), bytecode=bytes, context_id=CONTEXT, executor=executor, method="m", args=args,
            state=state, private=private, now_ns=self._now, random_bytes=self._random, services=services,
        )  # fmt: skip
        self.vm = VMLogic(call, GuestMemory(memoryview(self.memory), lambda: memoryview(self.memory)))

    def _now(self) -> int:
        return self.now

    def _random(self, length: int) -> bytes:
        self.seed += 1
        return bytes([self.seed % 256]) * length

    def call(self, name: str, *arguments: int) -> int | None:
        return TABLE[name].call(self.vm, *arguments)

    def put(self, raw: bytes) -> int:
        address = self.next
        self.memory[address : address + len(raw)] = raw
        self.next += len(raw)
        return address

    def pack(self, layout: str, *values: int) -> int:
        return self.put(struct.pack("<" + layout, *values))

    def buffer(self, content: bytes) -> int:
        return self.pack("QQ", self.put(content), len(content))

    def raw_buffer(self, address: int, length: int) -> int:
        return self.pack("QQ", address, length)

    def room(self, length: int) -> int:
        """A BufferMut of zeros."""
        return self.buffer(bytes(length))

    def seen(self, pointer: int) -> bytes:
        """What a Buffer describes now."""
        address, length = struct.unpack_from("<QQ", self.memory, pointer)
        return bytes(self.memory[address : address + length])

    def event(self, kind: bytes, data: bytes) -> int:
        return self.pack("QQQQ", self.put(kind), len(kind), self.put(data), len(data))

    def xcall(self, context: bytes, function: bytes, params: bytes) -> int:
        parts = [(self.put(part), len(part)) for part in (context, function, params)]
        return self.pack("QQQQQQ", *(number for part in parts for number in part))

    def value(self, tag: int, content: bytes) -> int:
        return self.pack("QQQ", tag, self.put(content), len(content))

    def location(self, file: bytes, line: int, column: int) -> int:
        return self.pack("QQII", self.put(file), len(file), line, column)

    def register(self, number: int = R) -> bytes:
        return self.vm.registers.get(number)

    def finish(self) -> Outcome:
        return self.vm.finish()
