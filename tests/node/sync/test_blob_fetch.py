"""Blobs between machines in virtual time: one holder or several, honest or not, of ours or of the reference."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto import ed25519
from node.errors import NotFound, UnknownContext
from node.primitives import BlobId, ContextId, Hash, PrivateKey
from node.sync import blob_fetch, ports
from node.sync.blob_protocol import BlobRequest, is_list_of, sign
from node.sync.events import BlobDone, BlobWanted, FrameReceived, StreamClosed, StreamOpened, Tick
from node.sync.kernel import SECOND
from node.sync.streams import Link
from tests.node.sync.world import CONTEXT, Node, World

SIZE = 10


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_fetch, "CHUNK_SIZE", SIZE)


def content(chunks: int, rest: bytes = b"end") -> bytes:
    return b"".join(b"%09d." % number for number in range(chunks)) + rest


def cut_up(data: bytes) -> list[bytes]:
    return [data[start : start + SIZE] for start in range(0, len(data), SIZE)]


def id_of(data: bytes) -> BlobId:
    return BlobId(hashlib.sha256(b"".join(hashlib.sha256(chunk).digest() for chunk in cut_up(data))).digest())


class Store:
    """The blob store of one node."""

    def __init__(self) -> None:
        self.chunks: dict[BlobId, bytes] = {}
        self.blobs: dict[BlobId, tuple[int, Hash, tuple[BlobId, ...]]] = {}
        self.written = self.read = 0

    def keep(self, data: bytes) -> BlobId:
        links = tuple(self.WriteChunk(ports.WriteChunk(chunk)) for chunk in cut_up(data))
        self.written = 0
        self.blobs[id_of(data)] = (len(data), Hash(hashlib.sha256(data).digest()), links)
        return id_of(data)

    def content(self, blob_id: BlobId) -> bytes:
        return b"".join(self.chunks[link] for link in self.blobs[blob_id][2])

    def FindBlob(self, r: ports.FindBlob) -> object:  # noqa: N802 - named after the request
        found = self.blobs.get(r.blob_id)
        return None if found is None else ports.BlobChunks(found[0], found[2])

    def ReadChunk(self, r: ports.ReadChunk) -> object:  # noqa: N802
        self.read += 1
        if r.chunk_id not in self.chunks:
            raise NotFound("no such chunk")
        return self.chunks[r.chunk_id]

    def MissingChunks(self, r: ports.MissingChunks) -> object:  # noqa: N802
        return tuple(chunk for chunk in r.chunks if chunk not in self.chunks)

    def WriteChunk(self, r: ports.WriteChunk) -> BlobId:  # noqa: N802
        chunk_id = BlobId(hashlib.sha256(r.data).digest())
        self.written += 1
        self.chunks[chunk_id] = r.data
        return chunk_id

    def StoreBlob(self, r: ports.StoreBlob) -> object:  # noqa: N802
        self.blobs[r.blob_id] = (r.size, r.hash, r.chunks)
        return None

    def DropChunks(self, r: ports.DropChunks) -> object:  # noqa: N802
        for chunk in r.chunks:
            self.chunks.pop(chunk, None)
        return None


class BlobWorld(World):
    """Members a, b, … that share a context. ``dht`` names who announced a blob."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.stores: dict[str, Store] = {}
        self.dht: dict[BlobId, str] = {}
        self.ended: dict[int, BaseException | None] = {}
        for name in "abcdefgh"[:count]:
            self.stores[name] = Store()
            self.add(name).owner.write(b"genesis")
        self.run(1)
        for index, name in enumerate(self.stores):
            for other in list(self.stores)[:index]:
                self.meet(name, other)
        self.run(3)

    def _answer(self, node: Node, request: object) -> object:
        if isinstance(request, ports.FindHolder):
            return self.dht.get(request.blob_id)
        answer = getattr(self.stores[node.name], type(request).__name__, None)
        return answer(request) if answer is not None else super()._answer(node, request)

    def _carry_out(self, node: Node, effect: object) -> None:
        if isinstance(effect, BlobDone):
            self.ended[effect.token] = effect.error
        else:
            super()._carry_out(node, effect)

    def fetch(self, name: str, blob_id: BlobId, seconds: float = 200) -> None:
        """Raises what the fetch failed with."""
        token = len(self.ended) + 1
        self.send(name, BlobWanted(CONTEXT, blob_id, token))
        assert self.run(seconds, lambda: token in self.ended)
        error = self.ended[token]
        if error is not None:
            raise error

    def script(self, name: str, work: Callable[[Link], Any]) -> Any:
        """Run a script of a test on a blob stream from one node to ``a``."""
        node, results = self.nodes[name], []

        async def run() -> None:
            link = await node.manager.core.streams.open("a", blob=True)
            try:
                results.append(await work(link))
            finally:
                link.close()

        node.manager.core.kernel.spawn(run(), "test")
        self.send(name, Tick())
        assert self.run(60, lambda: bool(results))
        return results[0]


@pytest.mark.parametrize("data", [b"", b"x", content(1, b""), content(37)])
def test_a_member_gets_a_blob(data: bytes) -> None:
    world = BlobWorld(2)
    blob_id = world.stores["a"].keep(data)
    world.fetch("b", blob_id)
    store = world.stores["b"]
    assert store.content(blob_id) == data
    assert store.blobs[blob_id][:2] == (len(data), hashlib.sha256(data).digest())
    assert store.written == len(cut_up(data))
    world.fetch("b", blob_id)
    assert store.written == len(cut_up(data))


def test_holders_share_the_work() -> None:
    world = BlobWorld(4)
    blob_id = world.stores["a"].keep(content(100))
    for name in "bc":
        world.stores[name].keep(content(100))
    world.fetch("d", blob_id)
    assert world.stores["d"].written == 101
    served = [world.stores[name].read for name in "abc"]
    assert sum(served) == 101
    assert min(served) > 20


def test_what_came_before_a_break_is_not_sent_again() -> None:
    world = BlobWorld(2)
    blob_id = world.stores["a"].keep(content(60))
    world.send("b", BlobWanted(CONTEXT, blob_id, 99))
    assert world.run(20, lambda: world.stores["b"].written >= 20)
    world.cut = {("a", "b"), ("b", "a")}
    world.run(400, lambda: 99 in world.ended)
    assert isinstance(world.ended[99], NotFound)
    before = world.stores["b"].written
    assert 20 <= before < 61
    world.cut = set()
    world.fetch("b", blob_id)
    assert world.stores["b"].written == 61
    assert world.stores["b"].content(blob_id) == content(60)


def test_a_holder_that_falls_silent_is_replaced_by_the_other() -> None:
    world = BlobWorld(3)
    blob_id = world.stores["a"].keep(content(60))
    world.stores["b"].keep(content(60))
    world.tamper = lambda source, _, data: None if source == "a" and len(data) == 14 else data
    world.fetch("c", blob_id)
    assert world.stores["c"].written == 61


@pytest.mark.parametrize("name", ["chunk", "list", "size", "garbage", "absent"])
def test_a_liar_is_not_believed(name: str) -> None:
    world = BlobWorld(3)
    data = content(30)
    blob_id = world.stores["a"].keep(data)
    world.stores["b"].keep(data)

    def lie(source: str, _: str, frame: bytes) -> bytes:
        if source != "a":
            return frame
        if name == "chunk" and len(frame) == 14:
            return frame[:4] + b"0123456789"
        if name == "garbage" and len(frame) == 14:
            return frame[:-1]
        if frame.startswith(b'{"found"'):
            answer = json.loads(frame)
            if name == "list":
                answer["links"] = answer["links"][::-1]
            if name == "size":
                answer["size"] = 1 << 60
            return json.dumps(answer).encode()
        return frame

    if name == "absent":
        world.stores["a"].chunks = dict(list(world.stores["a"].chunks.items())[:5])
    world.tamper = lie
    world.fetch("c", blob_id)
    assert world.stores["c"].content(blob_id) == data
    world.stores["b"].blobs.clear()
    world.stores["c"] = Store()
    with pytest.raises(NotFound, match="nobody of context"):
        world.fetch("c", blob_id, 600)
    assert blob_id not in world.stores["c"].blobs


def _as_the_reference(world: BlobWorld) -> None:
    """Its server does not read the wish for a list."""
    world.tamper = lambda _, to, data: data.replace(b'"links":true', b'"links":false') if to == "a" else data


def test_a_holder_of_the_reference_sends_the_whole() -> None:
    world = BlobWorld(2)
    blob_id = world.stores["a"].keep(content(40))
    _as_the_reference(world)
    world.fetch("b", blob_id)
    assert world.stores["b"].content(blob_id) == content(40)


def test_a_whole_blob_that_is_another_leaves_nothing() -> None:
    world = BlobWorld(2)
    blob_id = world.stores["a"].keep(content(40))
    size, digest, links = world.stores["a"].blobs[blob_id]
    _as_the_reference(world)
    for wrong in (links[:-1], links[::-1], (*links, links[0])):
        world.stores["a"].blobs[blob_id] = (size, digest, wrong)
        with pytest.raises(NotFound):
            world.fetch("b", blob_id, 600)
        world.run(1)
        assert world.stores["b"].chunks == {}


def test_the_dht_names_a_holder_when_no_member_is_known() -> None:
    world = BlobWorld(2)
    blob_id = world.stores["a"].keep(content(3))
    world.nodes["b"].manager.core.peers.forget(CONTEXT)
    world.dht[blob_id] = "a"
    world.fetch("b", blob_id)
    assert world.stores["b"].content(blob_id) == content(3)


def test_a_blob_that_nobody_has_is_named_with_who_was_asked() -> None:
    world = BlobWorld(3)
    began = world.now
    with pytest.raises(NotFound, match=r"nobody of context .*does not have it"):
        world.fetch("c", BlobId(b"\x07" * 32))
    assert 3 * SECOND < world.now - began < 10 * SECOND
    world.send("c", BlobWanted(ContextId(b"\x09" * 32), BlobId(b"\x07" * 32), 77))
    assert isinstance(world.ended[77], UnknownContext)


# -- who is served


def test_the_proof_is_the_reference_s() -> None:
    key = PrivateKey(b"\x01" * 32)
    auth = sign(key, ed25519.public_key(key), BlobId(b"\x09" * 32), ContextId(b"\x01" * 32), 1_700_000_000)
    assert bytes(auth.signature).hex() == (
        "081f776bced0b7b183c4ae7b20cafdb00964027dcabcec102b0c8c28962155f4"
        "352484b56d35f3b2e8c3d93a2a400d48e49213cc90a885621685fee99716c601"
    )


def _ask(world: BlobWorld, request: object) -> list[bytes]:
    """Everything that the holder sends to a client of the reference."""
    raw = request if isinstance(request, bytes) else json.dumps(request).encode()

    async def work(link: Link) -> list[bytes]:
        await link.send_frame(raw)
        frames = []
        while (frame := await link.frame(50 * SECOND)) is not None:
            frames.append(frame)
        return frames

    found: list[bytes] = world.script("b", work)
    return found


def _request(world: BlobWorld, blob_id: BlobId, **changes: object) -> dict[str, object]:
    me = world.nodes["b"].owner.me
    age = changes.pop("age", 0)
    assert isinstance(age, int)
    auth = sign(me.private_key, me.public_key, blob_id, CONTEXT, world.now // SECOND - age)
    return {"blob_id": str(blob_id), "context_id": str(CONTEXT), "auth": msgspec.to_builtins(auth)} | changes


def test_a_client_of_the_reference_is_served() -> None:
    world = BlobWorld(2)
    blob_id = world.stores["a"].keep(content(2))
    frames = _ask(world, _request(world, blob_id))
    assert json.loads(frames[0]) == {"found": True, "size": 23}
    lengths = [b"\x0a\0\0\0", b"\x0a\0\0\0", b"\x03\0\0\0"]
    assert frames[1:-1] == [length + chunk for length, chunk in zip(lengths, cut_up(content(2)), strict=True)]
    assert frames[-1] == bytes(4)


def test_members_alone_are_served() -> None:
    world = BlobWorld(2)
    blob_id = world.stores["a"].keep(content(2))
    good = _request(world, blob_id)
    outsider = PrivateKey(b"\x55" * 32)
    foreign = sign(outsider, ed25519.public_key(outsider), blob_id, CONTEXT, world.now // SECOND)
    proof = good["auth"]
    assert isinstance(proof, dict)
    for request in (
        good | {"auth": None},
        _request(world, blob_id, age=31),
        _request(world, blob_id, age=-12),
        good | {"auth": proof | {"signature": [1] * 64}},
        good | {"auth": proof | {"signature": [300] * 64}},
        good | {"auth": proof | {"signature": []}},
        good | {"auth": proof | {"public_key": "x"}},
        good | {"auth": msgspec.to_builtins(foreign)},
        good | {"context_id": str(ContextId(b"\x09" * 32))},
        good | {"blob_id": str(BlobId(b"\x09" * 32))},
        good | {"blob_id": "nonsense"},
    ):  # fmt: skip
        assert [json.loads(frame) for frame in _ask(world, request)] == [{"found": False, "size": None}]


def test_the_application_is_given_without_a_proof() -> None:
    world = BlobWorld(2)
    world.stores["a"].blobs[BlobId(bytes(32))] = (0, Hash(bytes(32)), ())
    frames = _ask(world, {"blob_id": str(BlobId(bytes(32))), "context_id": str(CONTEXT), "auth": None})
    assert json.loads(frames[0])["found"] is True


def test_wishes_beyond_the_blob_end_the_stream() -> None:
    world = BlobWorld(2)
    blob_id = world.stores["a"].keep(content(2))
    for wish in (b'{"chunks":[3]}', b'{"chunks":[-1]}', b'{"chunks":[0' + b",0" * 64 + b"]}", b"{}", b"\xff"):

        async def work(link: Link, wish: bytes = wish) -> bytes | None:
            await link.send_frame(json.dumps(_request(world, blob_id, links=True)).encode())
            assert len(json.loads(await link.frame(SECOND) or b"{}")["links"]) == 3
            await link.send_frame(wish)
            return await link.frame(SECOND)

        assert world.script("b", work) is None


@given(st.binary(max_size=60) | st.text(max_size=20).map(lambda text: json.dumps({"blob_id": text}).encode()))
def test_any_opening_ends_in_peace(raw: bytes) -> None:
    world = BlobWorld(1)
    world.nodes["a"].streams[901] = ("a", 902)
    world.send("a", StreamOpened(901, "a", blob=True))
    world.send("a", FrameReceived(901, raw))
    world.send("a", StreamClosed(901))
    world.run(1)
    assert world.nodes["a"].manager.core.streams.find(901) is None


def test_a_list_belongs_to_one_blob() -> None:
    data = content(4)
    links = [BlobId(hashlib.sha256(chunk).digest()) for chunk in cut_up(data)]
    assert is_list_of(id_of(data), len(data), links, SIZE)
    assert not is_list_of(id_of(data), len(data) + SIZE, links, SIZE)
    assert not is_list_of(id_of(data), len(data), links[::-1], SIZE)
    assert BlobRequest("b", "c").links is False
