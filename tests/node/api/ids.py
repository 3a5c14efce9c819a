"""The ids that the examples of the reference's behaviour are written with."""

from __future__ import annotations

from node.primitives import ApplicationId, BlobId, ContextId, Hash, PublicKey

CTX = ContextId(b"\x01" * 32)
PK = PublicKey(b"\x02" * 32)
BLOB = BlobId(b"\x03" * 32)
PK2 = PublicKey(b"\x04" * 32)
PROPOSAL = Hash(b"\x05" * 32)
APP = ApplicationId(b"\x07" * 32)
