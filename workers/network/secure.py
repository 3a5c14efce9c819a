"""From a TCP socket to an encrypted channel whose peer is known: Noise XX always, TLS 1.3 when the peer proposes it.

The handshakes are py-libp2p's. After Noise's the ciphers are driven from here, so that several frames are read, opened
and written per system call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import trio

from node.errors import RemoteProtocolError
from workers.network import multistream, repairs
from workers.network.channel import RawChannel, ReadAhead

repairs.prepare()

from libp2p.abc import IRawConnection  # noqa: E402 - needs the repairs
from libp2p.connection_types import ConnectionType  # noqa: E402
from libp2p.crypto.ed25519 import create_new_key_pair  # noqa: E402
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key  # noqa: E402
from libp2p.peer.id import ID  # noqa: E402
from libp2p.security.noise.patterns import PatternXX  # noqa: E402

__all__ = ["Identity", "SecureChannel", "secure_inbound", "secure_outbound"]

NOISE: Final = "/noise"
TLS: Final = "/tls/1.0.0"
_MAX_PLAINTEXT: Final = 65_535 - 16


class _HandshakeConnection(IRawConnection):
    """A socket in the shape that py-libp2p's handshakes want. Reads never take more than was asked for."""

    def __init__(self, channel: RawChannel, *, initiator: bool) -> None:
        self._channel = channel
        self.is_initiator = initiator

    async def read(self, n: int | None = None) -> bytes:
        data = await self._channel.receive_some()
        if n is not None and len(data) > n:
            self._channel.put_back(data[n:])
            return data[:n]
        return data

    async def write(self, data: bytes) -> None:
        await self._channel.send_all(data)

    async def close(self) -> None:
        await self._channel.aclose()

    def get_remote_address(self) -> tuple[str, int] | None:
        return None

    def get_transport_addresses(self) -> list[Any]:
        return []

    def get_connection_type(self) -> ConnectionType:
        return ConnectionType.DIRECT


class Identity:
    """The node key with what the handshakes make of it. ``seed`` is the 32-byte Ed25519 seed.

    ``peer_id`` is the id in bytes, ``peer`` in text.
    """

    def __init__(self, seed: bytes) -> None:
        self.keys = create_new_key_pair(seed)
        self._noise_key = create_noise_key().private_key
        self._id = ID.from_pubkey(self.keys.public_key)
        self._tls: Any = None

    @property
    def peer_id(self) -> bytes:
        return self._id.to_bytes()

    @property
    def peer(self) -> str:
        return str(self._id)

    def noise(self) -> PatternXX:
        """A fresh handshake pattern."""
        return PatternXX(self._id, self.keys.private_key, self._noise_key)

    def tls(self) -> Any:
        """The TLS transport; made, with its certificate, when the first peer asks for it."""
        if self._tls is None:
            from libp2p.security.tls.transport import TLSTransport

            self._tls = TLSTransport(self.keys)
        return self._tls


class SecureChannel(ReadAhead):
    """An encrypted channel to ``peer`` (text id). Counts the bytes on the wire."""

    def __init__(self, socket: RawChannel, peer: str) -> None:
        super().__init__()
        self.socket = socket
        self.peer = peer
        self.received = 0
        self.sent = 0

    async def send_frames(self, frames: Iterable[bytes]) -> None:
        """Hand over several frames with as few system calls as possible."""
        await self.send_all(b"".join(frames))

    async def aclose(self) -> None:
        await self.socket.aclose()


class _NoiseChannel(SecureChannel):
    def __init__(self, socket: RawChannel, peer: str, state: Any) -> None:
        super().__init__(socket, peer)
        self._state = state
        self._sealed = bytearray()

    async def _more(self) -> bytes:
        while True:
            opened = self._open()
            if opened:
                return opened
            piece = await self.socket.receive_some()
            if not piece:
                return b""
            self.received += len(piece)
            self._sealed += piece

    def _open(self) -> bytes:
        """Decrypt every complete frame in the buffer."""
        parts: list[bytes] = []
        offset = 0
        while len(self._sealed) - offset >= 2:
            end = offset + 2 + (self._sealed[offset] << 8 | self._sealed[offset + 1])
            if len(self._sealed) < end:
                break
            parts.append(self._decrypt(bytes(self._sealed[offset + 2 : end])))
            offset = end
        del self._sealed[:offset]
        return b"".join(parts)

    def _decrypt(self, frame: bytes) -> bytes:
        try:
            return bytes(self._state.decrypt(frame))
        except Exception as error:  # the noise package wraps causes in classes of three libraries
            raise RemoteProtocolError(f"a Noise frame does not open: {error}", score=50) from error

    async def send_all(self, data: bytes) -> None:
        sealed = bytearray()
        for start in range(0, len(data), _MAX_PLAINTEXT):
            frame = self._state.encrypt(data[start : start + _MAX_PLAINTEXT])
            sealed += len(frame).to_bytes(2, "big")
            sealed += frame
        self.sent += len(sealed)
        await self.socket.send_all(bytes(sealed))


class _TlsChannel(SecureChannel):
    def __init__(self, socket: RawChannel, peer: str, session: Any) -> None:
        super().__init__(socket, peer)
        self._session = session

    async def _more(self) -> bytes:
        data = bytes(await self._session.conn.read_msg())
        self.received += len(data)
        return data

    async def send_all(self, data: bytes) -> None:
        self.sent += len(data)
        await self._session.write(data)


async def secure_outbound(socket: RawChannel, identity: Identity, peer: str) -> SecureChannel:
    """As the dialling side: prove both ends, expecting ``peer``."""
    await multistream.propose(socket, [NOISE])
    connection = _HandshakeConnection(socket, initiator=True)
    expected = ID.from_base58(peer)
    session = await _guarded(identity.noise().handshake_outbound(connection, expected))
    return _NoiseChannel(socket, peer, session.conn.noise_state)


async def secure_inbound(socket: RawChannel, identity: Identity, *, tls: bool) -> SecureChannel:
    """As the listening side: prove both ends; the peer is whoever proved its key."""
    protocol = await multistream.answer(socket, (NOISE, TLS) if tls else (NOISE,))
    connection = _HandshakeConnection(socket, initiator=False)
    if protocol == TLS:
        session = await _guarded(identity.tls().secure_inbound(connection))
        return _TlsChannel(socket, str(session.get_remote_peer()), session)
    session = await _guarded(identity.noise().handshake_inbound(connection))
    return _NoiseChannel(socket, str(session.get_remote_peer()), session.conn.noise_state)


async def _guarded(handshake: Any) -> Any:
    try:
        return await handshake
    except (RemoteProtocolError, trio.Cancelled):
        raise
    except Exception as error:  # py-libp2p raises ValueError, AssertionError and its own tree alike
        raise RemoteProtocolError(f"handshake failed: {type(error).__name__}: {error}", score=1) from error
