"""Limits and deadlines of the network worker, each with its reason. Sizes in bytes, times in seconds."""

from __future__ import annotations

from typing import Final

# -- frames of application streams

MAX_FRAME: Final = 8 * 1024 * 1024
"""Largest frame on ``/calimero/*`` streams, both directions. core 0.10.0:
crates/network/primitives/src/stream/codec.rs"""

FRAME_WINDOW: Final = 32
"""Frames handed to the node before it gives credit; keeps a 128 KiB-per-frame transfer busy across the channel."""

FRAME_WINDOW_BYTES: Final = 16 * 1024 * 1024
"""Bytes handed to the node before it gives credit: two frames of the largest size."""

# -- connections

MAX_CONNECTIONS: Final = 512
"""Established connections; contexts have 2 to 20 members, so this is dozens of contexts."""

MAX_PENDING_INBOUND: Final = 128
"""Inbound connections that are still in their handshake; beyond that the socket is closed at once."""

MAX_CONNECTIONS_PER_PEER: Final = 4
"""A simultaneous dial makes two; more is a broken or hostile peer."""

MAX_STREAMS_PER_PEER: Final = 256
"""Streams that one peer may have open towards us; further ones are reset and counted."""

MAX_NEGOTIATING_PER_PEER: Final = 128
"""Streams of one peer that have not named a protocol yet; the default of the reference."""

HANDSHAKE_TIMEOUT: Final = 10.0
"""From TCP connect to a multiplexed connection; the reference's set-up timeout."""

DIAL_TIMEOUT: Final = 10.0
"""One attempt on one address, handshake included."""

NEGOTIATE_TIMEOUT: Final = 10.0
"""From the opening of a stream to its protocol."""

PING_INTERVAL: Final = 15.0
PING_TIMEOUT: Final = 20.0
"""As the reference: a peer that does not answer within this time is disconnected."""

WRITE_STALL: Final = 30.0
"""A peer that takes no byte for this long is disconnected, so that it cannot hold memory."""

STREAM_STALL: Final = 60.0
"""A frame that was begun has to make progress within this time, in either direction."""

STREAM_IDLE: Final = 600.0
"""A stream without a frame in either direction for this long is reset; the reference gives up after 10 to 300 s."""

# -- re-dialling

REDIAL_FIRST: Final = 0.25
REDIAL_LIMIT: Final = 30.0
"""Back-off doubles from the first to the limit: a restarted neighbour is back at once, a dead one costs little."""

REDIAL_SOON: Final = 2.0
REDIAL_SHARE: Final = 30
"""The back-off stays below so many seconds, or this part of the time for which the peer is gone. A partition of a
minute is over 2.5 s after it healed at the latest, and the limit is reached after 15 minutes."""

MAX_ADDRESSES_PER_PEER: Final = 16
"""Addresses remembered of one peer, freshest first."""

MAX_KNOWN_PEERS: Final = 2_000
"""Peers that are remembered without being connected or wanted."""

MAX_MEMBERS: Final = 256
"""Members of our contexts that are dialled when they are not connected; half of the connections."""

REMEMBER: Final = 14 * 24 * 3600
"""A member that was not seen for this long is not dialled after a restart any more."""

SAVE_PAUSE: Final = 2.0
"""Between two writes of the peer file; what a burst of changes costs."""

# -- gossip

GOSSIP_QUEUE_BYTES: Final = 16 * 1024 * 1024
"""Gossip waiting for one peer. Beyond it droppable frames are dropped, and others end the peer's gossip stream."""

GOSSIP_RATE: Final = 2_000
"""RPC frames per second taken from one peer, with a burst of as many; beyond that its stream is read more slowly."""

# -- scores

SCORE_DISCONNECT: Final = 100
"""Refusals, weighted by cost, that end a peer's connections."""

SCORE_HALF_LIFE: Final = 60.0
"""A score halves in this time."""

BAN_TIME: Final = 30.0
"""A peer that was disconnected for its score is not let in again for this long."""
