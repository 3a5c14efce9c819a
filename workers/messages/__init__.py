"""Every message that crosses a process boundary, in one table.

A :class:`Request` is generic over its reply, so a type checker knows what an operation answers. A :class:`Note` is told
and forgotten. On the wire a message is a msgpack array that starts with its class name; ids travel as raw bytes.

Import a message from the module of who answers it:

- ``runtime``  runtime workers: owners of contexts, and of the node-wide rows (worker 0)
- ``sync``     the sync worker: context lifecycle, membership, applications, peers
- ``network``  the network worker: topics, streams, peers
- ``control``  between the supervisor and each worker
- ``records``  what several messages share
"""

from workers.messages.base import Failure, Message, Note, Record, Request
from workers.messages.wire import MESSAGES, decode_message, encode_message, failure_of, raise_failure

__all__ = [
    "MESSAGES",
    "Failure",
    "Message",
    "Note",
    "Record",
    "Request",
    "decode_message",
    "encode_message",
    "failure_of",
    "raise_failure",
]
