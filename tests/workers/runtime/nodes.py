"""Runtime workers without processes: real module, real owner, stores in memory; messages go in and out as calls."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any, TypeVar, cast

from node.crypto import ed25519
from node.primitives import ApplicationId, BlobId, ContextId, Hash, PrivateKey, PublicKey
from node.runtime.call import Guest
from node.store.memory import MemoryDisk, MemoryStore
from node.store.shards import SHARDS, Shards
from workers.blobs import write_chunk
from workers.messages import Message, Note, Request
from workers.messages import runtime as m
from workers.messages.records import ApplicationRecord, BlobRecord, ConfigRecord, DeltaRecord, OwnedIdentity
from workers.messages.wire import decode_message, encode_message
from workers.runtime.operations import OPERATIONS
from workers.runtime.worker import Ports, RuntimeWorker

R = TypeVar("R", bound=Message)
WASM = Path(__file__).parents[2] / "apps" / "wasm"
CONFIG = ConfigRecord("near", "testnet", "contract", "proxy")
CONTEXT = ContextId(ed25519.public_key(PrivateKey(b"\xc1" * 32)))
START = 1_700_000_000_000_000_000


class Peer:
    """One node's runtime worker."""

    def __init__(self, number: int, guest: Guest, home: Path) -> None:
        self.number = number
        self.guest = guest
        self.home = home
        self.random = random.Random(number)
        self.private = PrivateKey(bytes([number]) * 32)
        self.public = PublicKey(ed25519.public_key(self.private))
        self.identity = OwnedIdentity(self.public, self.private, PrivateKey(bytes([100 + number]) * 32))
        self.disks = [MemoryDisk() for _ in range(SHARDS)]
        self.now = START + number
        self.notes: list[tuple[str, Note]] = []
        self.start()

    def start(self) -> None:
        """Begin on the disks as they are; also what a restart does."""
        for disk in self.disks:
            if disk.holder is not None:
                disk.holder.close()
        shards = Shards(range(SHARDS), lambda number: MemoryStore(self.disks[number]))
        ports = Ports(self._tell, self.tick, self.random.randbytes, lambda content: content)
        self.worker = RuntimeWorker(shards, self.guest, self.home / "blobs", ports, OPERATIONS)

    def _tell(self, peer: str, note: Note) -> bool:
        self.notes.append((peer, cast(Note, decode_message(encode_message(note)))))
        return True

    def tick(self) -> int:
        self.now += 1_000_000
        return self.now

    def ask(self, request: Request[R]) -> R:
        """As over a channel: both ways through the bytes."""
        arrived = cast(Request[Any], decode_message(encode_message(request)))
        return cast(R, decode_message(encode_message(self.worker.handle("test", arrived))))

    def work(self) -> None:
        while not self.worker.idle:
            self.worker.work()

    # an application and its context

    def store_blob(self, content: bytes) -> BlobId:
        chunk = BlobId(hashlib.sha256(content).digest())
        blob = BlobId(hashlib.sha256(chunk).digest())
        write_chunk(self.home / "blobs" / str(chunk), content)
        digest = Hash(hashlib.sha256(content).digest())
        self.ask(m.PutBlobs([BlobRecord(chunk, len(content), digest), BlobRecord(blob, len(content), digest, [chunk])]))
        return blob

    def install(self, name: str = "kv") -> ApplicationRecord:
        content = (WASM / f"{name}.wasm").read_bytes()
        blob = self.store_blob(content)
        record = ApplicationRecord(ApplicationId(hashlib.sha256(name.encode()).digest()), blob, len(content), "file:x")
        self.ask(m.PutApplication(record))
        return record

    def create(self, name: str = "kv", members: tuple[PublicKey, ...] = (), args: object = None) -> None:
        application = self.install(name)
        self.ask(m.InitContext(CONTEXT, application, self.identity, json.dumps(args or {}).encode()))
        self.ask(m.CommitContext(CONTEXT, CONFIG))
        self.ask(m.UpdateContext(CONTEXT, CONFIG, [self.public, *members]))

    def adopt(self, other: Peer, name: str = "kv") -> None:
        """Join a context of another node; the state is still to come."""
        members = [member.public_key for member in other.ask(m.ListMembers(CONTEXT)).members]
        application = self.install(name)
        self.ask(m.AdoptContext(CONTEXT, application.id, application, CONFIG, members, self.identity))

    def bootstrap(self, other: Peer, *, byte_limit: int = 4096) -> None:
        """Fetch the state as a snapshot, page by page."""
        handle = other.ask(m.OpenSnapshot(CONTEXT))
        self.ask(m.BeginInstall(CONTEXT, handle.root, handle.heads))
        after: bytes | None = None
        while True:
            page = other.ask(m.ReadSnapshot(CONTEXT, handle.handle, after, byte_limit))
            self.ask(m.PutSnapshotRows(CONTEXT, page.rows))
            after = page.next
            if after is None:
                break
        other.ask(m.CloseSnapshot(CONTEXT, handle.handle))
        self.ask(m.FinishInstall(CONTEXT))

    def call(self, method: str, **args: object) -> object:
        returned = self.run(method, **args).returns
        return None if returned is None else json.loads(returned)

    def run(self, method: str, **args: object) -> m.Executed:
        text = json.dumps(args, ensure_ascii=False, separators=(",", ":")).encode()
        return self.ask(m.Execute(CONTEXT, method, text, self.public))

    def deltas(self) -> list[DeltaRecord]:
        """What was told to sync since the last look."""
        found = [note.delta for peer, note in self.notes if peer == "sync" and isinstance(note, m.DeltaCommitted)]
        self.notes.clear()
        return found

    def give(self, other: Peer, deltas: list[DeltaRecord]) -> m.ApplyReport:
        return other.ask(m.ApplyDeltas(CONTEXT, deltas, "peer"))

    @property
    def root(self) -> Hash:
        return self.ask(m.GetHeads(CONTEXT)).root
