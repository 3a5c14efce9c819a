"""The membership of the one context of a run, readable by every node unless a fault says otherwise."""

from __future__ import annotations

import hashlib
from typing import Final

from node.errors import RegistryError
from node.primitives import ApplicationId, BlobId, ContextId, PublicKey
from node.store.values import ContextConfig
from node.sync.ports import Application

CONTEXT: Final = ContextId(b"\xc1" * 32)
APPLICATION: Final = ApplicationId(b"\xa1" * 32)
CONFIG: Final = ContextConfig("near", "testnet", "contract", "proxy", 0, 0)
BLOB: Final = b"\0asm the map application"


class Registry:
    """Members in order of their coming."""

    def __init__(self) -> None:
        self.members: list[PublicKey] = []
        self.revision = 0
        self.down = False
        chunk = hashlib.sha256(BLOB).digest()
        self.application = Application(APPLICATION, BlobId(hashlib.sha256(chunk).digest()), len(BLOB), "file:map.wasm")

    def add(self, member: PublicKey) -> None:
        self.members.append(member)
        self.revision += 1

    def remove(self, member: PublicKey) -> None:
        self.members.remove(member)
        self.revision += 1

    def read(self) -> Registry:
        if self.down:
            raise RegistryError("the registry does not answer")
        return self
