"""The two kinds of blob handle that a call may hold open. They wrap what the node's services give, nothing else."""

from __future__ import annotations

from node.primitives import BlobId
from node.runtime.call import BlobReader, BlobWriter, Services


class OpenedBlob:
    """A blob that was opened for reading; looked up at the first read, since opening does not ask if it exists."""

    __slots__ = ("blob_id", "reader", "started")

    def __init__(self, blob_id: BlobId) -> None:
        self.blob_id = blob_id
        self.reader: BlobReader | None = None
        self.started = False

    def read(self, services: Services, size: int) -> bytes:
        if not self.started:
            self.reader = services.blob_open(self.blob_id)
            self.started = True
        return self.reader.read(size) if self.reader is not None else b""

    def close(self) -> None:
        if self.reader is not None:
            self.reader.close()


class CreatedBlob:
    """A blob that is being written."""

    __slots__ = ("writer",)

    def __init__(self, writer: BlobWriter) -> None:
        self.writer = writer

    def close(self) -> None:
        self.writer.abort()
