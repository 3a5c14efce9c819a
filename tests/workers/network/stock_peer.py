"""A peer made of unmodified py-libp2p: an implementation of the wire that shares no code above the handshakes.

Run as a program with ``{"seed": int, "dial": multiaddr or null, "security": "noise" or "tls"}``. It follows the topic
``t``, prints one JSON object per event, publishes ``answer to <data>`` for each message, answers each frame on the sync
protocol with the frame in upper case, and opens such a stream itself when a message says ``open``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import sys
import time
from types import ModuleType
from typing import Any


def ensure_fastecdsa() -> None:
    """Stand-in modules for ``fastecdsa`` where it is not installed: only ECDSA keys need it."""
    if importlib.util.find_spec("fastecdsa") is not None:
        return
    names = ("", ".curve", ".keys", ".point", ".encoding", ".encoding.sec1", ".encoding.util")
    modules = {name: ModuleType(f"fastecdsa{name}") for name in names}
    for name, module in modules.items():
        module.__path__ = []
        sys.modules[module.__name__] = module
        parent, _, leaf = name.rpartition(".")
        if leaf:
            setattr(modules[parent], leaf, module)
    for name, wanted in {
        ".curve": "Curve",
        ".point": "Point",
        ".encoding.sec1": "SEC1Encoder",
        ".encoding.util": "int_bytelen",
    }.items():
        setattr(modules[name], wanted, type(wanted, (), {}))


ensure_fastecdsa()

import libp2p  # noqa: E402
import multiaddr  # noqa: E402
import trio  # noqa: E402
from libp2p.crypto.ed25519 import create_new_key_pair  # noqa: E402
from libp2p.crypto.x25519 import create_new_key_pair as noise_key  # noqa: E402
from libp2p.io.utils import read_exactly  # noqa: E402
from libp2p.peer.id import ID  # noqa: E402
from libp2p.peer.peerinfo import info_from_p2p_addr  # noqa: E402
from libp2p.pubsub.gossipsub import GossipSub  # noqa: E402
from libp2p.pubsub.pubsub import Pubsub  # noqa: E402
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE  # noqa: E402
from libp2p.security.noise.transport import Transport as Noise  # noqa: E402
from libp2p.security.tls.transport import PROTOCOL_ID as TLS  # noqa: E402
from libp2p.security.tls.transport import TLSTransport  # noqa: E402
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX  # noqa: E402
from libp2p.stream_muxer.yamux.yamux import Yamux  # noqa: E402
from libp2p.tools.anyio_service import background_trio_service  # noqa: E402

SYNC = "/calimero/stream/0.0.2"


def tell(**event: Any) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


async def read_frame(stream: Any) -> bytes:
    size = int.from_bytes(await read_exactly(stream, 4), "big")
    return await read_exactly(stream, size) if size else b""


async def write_frame(stream: Any, payload: bytes) -> None:
    await stream.write(len(payload).to_bytes(4, "big") + payload)


async def answer(stream: Any) -> None:
    """Until the other end is over; an error that leaves a handler would end all of the library's connections."""
    with contextlib.suppress(Exception):
        while True:
            await write_frame(stream, (await read_frame(stream)).upper())
    await stream.close()


async def follow(host: Any, pubsub: Any) -> None:
    subscription = await pubsub.subscribe("t")
    while True:
        message = await subscription.get()
        if message.from_id == host.get_id().to_bytes():
            continue
        tell(gossip=message.data[:64].decode("latin1"), size=len(message.data))
        if message.data == b"open":
            stream = await host.new_stream(ID(message.from_id), [SYNC])
            await write_frame(stream, b"from stock")
            tell(frame=(await read_frame(stream)).decode())
            await stream.close()
        elif not message.data.startswith(b"answer"):
            await pubsub.publish("t", b"answer to " + message.data[:32])


async def main(settings: dict[str, Any]) -> None:
    keys = create_new_key_pair(settings["seed"].to_bytes(32, "big"))
    noise = Noise(keys, noise_privkey=noise_key().private_key)
    security = {NOISE: noise} if settings["security"] == "noise" else {TLS: TLSTransport(keys)}
    host = libp2p.new_host(key_pair=keys, muxer_opt={YAMUX: Yamux}, sec_opt=security)
    host.set_stream_handler(SYNC, answer)
    router = GossipSub(
        ["/meshsub/1.2.0", "/meshsub/1.1.0"], 6, 5, 12, heartbeat_interval=1, heartbeat_initial_delay=0.2
    )
    pubsub = Pubsub(host, router, strict_signing=True)
    pubsub.counter = time.time_ns()
    listen = [multiaddr.Multiaddr("/ip4/127.0.0.1/tcp/0")]
    async with host.run(listen_addrs=listen), background_trio_service(pubsub), background_trio_service(router):
        await pubsub.wait_until_ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow, host, pubsub)
            if settings["dial"]:
                await host.connect(info_from_p2p_addr(multiaddr.Multiaddr(settings["dial"])))
            tell(address=str(host.get_addrs()[0]))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    trio.run(main, json.loads(sys.argv[1]))
