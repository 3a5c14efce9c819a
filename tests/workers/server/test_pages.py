"""Pages about the node, and what is ours: workers, peers, sessions, history, inspection of a context."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from node.api.models import from_text
from node.api.route import OWN
from node.api.router import Router
from node.api.routes import ROUTES
from node.codec import borsh
from node.context.owner.tree import StateNode
from node.errors import ConfigError, UnknownContext, Unreachable, WorkerLost
from node.primitives import DeltaId, EntityId, Hash
from node.storage.entities import ChildInfo, EntityIndex, Metadata
from tests.node.api.ids import CTX, PK
from tests.workers.server.scripted import APPLICATION, CONTEXT, Answer, Served, run, serving, until
from workers.blobs import BlobWriter
from workers.messages import network, runtime, sync
from workers.messages.base import Request
from workers.messages.control import WorkerRecord
from workers.messages.records import DeltaRecord, PendingRecord
from workers.network.counts import Counts
from workers.server.libp2p import SERIES
from workers.server.libp2p import lines as series

ROUTER = Router(ROUTES)
ROOT = Hash(b"\x08" * 32)
DELTA = DeltaId(b"\x06" * 32)
ENTITY = EntityId(b"\x0b" * 32)
WASM = Path(__file__).parents[2] / "apps" / "wasm"


def workers(*states: str) -> list[WorkerRecord]:
    roles = ("runtime", "sync", "network")
    return [
        WorkerRecord(role, 0, 10 + index, state, 1, 5.0, 1000, 0.5, b'{"listen":[]}')
        for index, (role, state) in enumerate(zip(roles, states, strict=True))
    ]


async def get(served: Served, path: str, status: int = 200) -> Any:
    """The answer, which has the shape that the route table says."""
    answer = await served.http.get(path)
    assert answer.status_code == status, answer.text
    match = ROUTER.find(path.partition("?")[0])
    assert match is not None
    route = match.route("GET")
    assert route is not None
    found = answer.json()
    if status == 200 and route.answer is not None:
        msgspec.convert(found["data"] if route.wrapped else found, type=route.answer, dec_hook=from_text)
    elif status != 200:
        assert status in route.statuses
    return found.get("data", found)


# -- the node


def test_ready_tells_the_truth_about_each_worker() -> None:
    async def main() -> None:
        async with serving() as served:
            served.script.workers = workers("ready", "ready", "ready")
            states = {"runtime[0]": "ready", "sync": "ready", "network": "ready"}
            assert await get(served, "/ready") == {"ready": True, "workers": states}
            served.script.workers = workers("ready", "restarting", "ready")
            assert await get(served, "/ready", 503) == {"ready": False, "workers": {**states, "sync": "restarting"}}
            served.script.workers = workers("ready", "ready", "ready")
            served.channels["network"].close()
            await until(lambda: not served.api.backend.alive()["network"])
            assert await get(served, "/ready", 503) == {"ready": False, "workers": {**states, "network": "lost"}}
            assert (await served.http.get("/health")).json() == {"status": "alive"}

    run(main)


def test_workers_are_listed_with_what_waits_for_them() -> None:
    async def main() -> None:
        async with serving() as served:
            served.script.workers = workers("ready", "ready", "failed")
            rows = (await get(served, f"{OWN}/workers"))["workers"]
            assert [(row["name"], row["state"], row["queued"]) for row in rows] == [
                ("runtime[0]", "ready", 0), ("sync", "ready", 0), ("network", "failed", 0),
            ]  # fmt: skip
            assert rows[0]["details"] == {"listen": []}

    run(main)


def test_the_api_document_is_served() -> None:
    async def main() -> None:
        async with serving() as served:
            assert (await served.http.get("/api-docs")).json()["openapi"] == "3.1.0"
            page = await served.http.get("/admin-dashboard/anything")
            assert page.headers["content-type"].startswith("text/html")

    run(main)


STATS = {"contexts": 2, "worker": {"Execute": 5}, "deltas": {"applied": 3}}


def _counts() -> Counts:
    found = Counts(messages=3)
    found.connection(inbound=False)
    found.pings.observe(0.003)
    found.failed_ping("Unreachable")
    found.query("get_record", 0.5)
    return found


def test_the_series_of_libp2p_are_those_of_the_reference() -> None:
    told = series(Counts(), network.PeerList("me", [], []))
    assert [line.split()[2:] for line in told if line.startswith("# TYPE")] == [[n, k] for n, k in SERIES.items()]
    assert len(SERIES) == 36
    assert not [line for line in told if "_total_total" in line]


def test_metrics_have_the_names_of_the_reference_and_ours() -> None:
    async def main() -> None:
        answers: dict[type[Request[Any]], Answer] = {
            runtime.Execute: runtime.Executed(b"1", ROOT),
            runtime.RuntimeStats: runtime.RuntimeStatsAnswer(json.dumps(STATS).encode()),
            network.ListPeers: network.PeerList(
                "me", [], [network.PeerRecord("a", [], connected=True, received=7, protocols=["/x"])]
            ),
            network.CountNetwork: network.NetworkCounts(msgspec.json.encode(_counts())),
        }
        async with serving(answers) as served:
            served.script.workers = workers("ready", "ready", "failed")
            params = {"contextId": str(CTX), "method": 'a"b', "argsJson": {}, "executorPublicKey": str(PK)}
            await served.http.post("/jsonrpc", json={"jsonrpc": "2.0", "id": 1, "method": "execute", "params": params})
            answer = await served.http.get("/metrics")
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            lines = answer.text.splitlines()
            labels = f'context_id="{CTX}",method="a\\"b",status="success"'
            assert f"context_runtime_execution_count{{{labels}}} 1" in lines
            assert "# TYPE context_runtime_execution_count gauge" in lines
            assert f'context_runtime_execution_duration_seconds_bucket{{le="1.0",{labels}}} 1' in lines
            assert f'context_runtime_execution_duration_seconds_bucket{{le="+Inf",{labels}}} 1' in lines
            assert 'calimero_worker_ready{worker="network"} 0' in lines
            assert 'calimero_worker_restarts_total{worker="sync"} 1' in lines
            assert 'calimero_runtime_work_total{kind="Execute"} 5' in lines
            assert "calimero_peer_received_bytes 7" in lines
            assert "libp2p_gossipsub_messages_total 3" in lines
            assert 'libp2p_identify_remote_protocols{protocol="/x"} 1' in lines
            assert 'libp2p_ping_rtt_seconds_bucket{le="0.004"} 1' in lines
            assert 'libp2p_ping_rtt_seconds_bucket{le="+Inf"} 1' in lines
            assert 'libp2p_ping_failure_total{reason="Unreachable"} 1' in lines
            assert 'libp2p_kad_query_result_duration_seconds_count{type="get_record"} 1' in lines
            assert 'libp2p_swarm_connections_established_total{role="dialer"} 1' in lines
            assert "# TYPE libp2p_relay_events counter" in lines
            assert "calimero_scrape_failures 0" in lines
            assert lines[-1] == "# EOF"
            assert len([line for line in lines if line.startswith("# TYPE")]) == len(
                {line for line in lines if line.startswith("# TYPE")}
            )

    run(main)


def test_metrics_of_a_worker_that_is_down_are_left_out() -> None:
    async def main() -> None:
        async with serving({runtime.RuntimeStats: WorkerLost("died")}) as served:
            text = (await served.http.get("/metrics")).text
            assert "calimero_scrape_failures 2" in text
            assert "calimero_contexts_loaded" not in text

    run(main)


def test_series_of_calls_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.server import metrics

    monkeypatch.setattr(metrics, "MAX_SERIES", 2)
    found = metrics.Metrics()
    for method in ("a", "b", "a", "c"):
        found.call("x", method, 0.5, ok=True)
    text = metrics.render(found, [])
    assert 'method="a"' in text
    assert 'method="b"' not in text
    assert 'method="c"' in text


# -- peers, sessions, history


def test_what_is_no_peer_and_who_is_away() -> None:
    async def main() -> None:
        known = network.PeerRecord("a", ["/x"], connected=False)
        answers: dict[type[Request[Any]], Answer] = {
            network.ListPeers: network.PeerList("me", [], [known]),
            network.PingPeer: Unreachable("peer a is away"),
            network.Dial: ConfigError("address 'x' is no multiaddr"),
        }
        async with serving(answers) as served:
            answer = await served.http.post(f"{OWN}/peers/b/ping")
            assert (answer.status_code, answer.json()["error"][:42]) == (
                404,
                "there is no connected or wanted peer 'b'; ",
            )
            answer = await served.http.post(f"{OWN}/peers/a/ping")
            assert (answer.status_code, answer.json()) == (503, {"error": "peer a is away"})
            answer = await served.http.post(f"{OWN}/peers", json={"address": "x"})
            assert (answer.status_code, answer.json()) == (400, {"error": "address 'x' is no multiaddr"})

    run(main)


def test_peers_and_sessions() -> None:
    async def main() -> None:
        answers: dict[type[Request[Any]], Answer] = {
            network.ListPeers: network.PeerList(
                "me", ["/ip4"], [network.PeerRecord("a", ["/x"], connected=True, latency=0.0012)]
            ),
            network.Dial: network.Dialled("b"),
            network.PingPeer: network.Ponged(0.0025),
            sync.ListSessions: sync.SyncReport(b'[{"peer":"a"}]'),
        }
        async with serving(answers) as served:
            assert (await get(served, f"{OWN}/peers"))["peers"][0]["latencyMs"] == 1.2
            answer = await served.http.post(f"{OWN}/peers", json={"address": "/ip4/1.2.3.4/tcp/1/p2p/b"})
            assert answer.json() == {"data": {"peer": "b"}}
            assert (await served.http.post(f"{OWN}/peers/a/ping")).json() == {"data": {"milliseconds": 2.5}}
            assert (await get(served, f"{OWN}/sessions?limit=3"))["sessions"] == [{"peer": "a"}]
            assert served.script.asked[-1] == sync.ListSessions(3)
            await get(served, f"{OWN}/sessions?limit=0", 400)
            await get(served, f"{OWN}/sessions?limit=x", 400)

    run(main)


def test_history_goes_on_behind_a_cursor() -> None:
    async def main() -> None:
        async with serving() as served:
            for number in range(3):
                served.tell(runtime.StateChanged(CTX, ROOT, json.dumps([number]).encode()))
            await until(lambda: served.api.hub.events == 3)
            page = await get(served, f"{OWN}/history?limit=2")
            assert (len(page["events"]), page["cursor"], page["lost"]) == (2, 2, False)
            page = await get(served, f"{OWN}/history?after=2")
            assert [row["data"]["events"] for row in page["events"]] == [[2]]
            assert (await get(served, f"{OWN}/history?after=99"))["lost"] is True

    run(main)


def test_log_lines_go_on_behind_a_cursor() -> None:
    async def main() -> None:
        async with serving() as served:
            page = await get(served, f"{OWN}/logs?after=7&limit=2")
            assert ([line["worker"] for line in page["lines"]], page["cursor"]) == (["sync", "sync"], 9)

    run(main)


# -- inspection


def test_the_dag_and_what_waits() -> None:
    async def main() -> None:
        delta = DeltaRecord(DELTA, [DeltaId(bytes(32))], b"\1" * 24, ROOT, b"", PK)
        answers: dict[type[Request[Any]], Answer] = {
            runtime.ListDeltas: runtime.DeltaPage([delta], DELTA),
            runtime.ListPending: runtime.PendingList([PendingRecord(DELTA, [DELTA], 1_500_000_000, "parents")]),
            sync.ExplainContext: sync.Explanation(b'{"converged":true}'),
        }
        async with serving(answers) as served:
            page = await get(served, f"{OWN}/contexts/{CTX}/deltas?limit=1&after={DELTA}")
            assert (page["deltas"][0]["author"], page["next"]) == (str(PK), str(DELTA))
            assert served.script.asked[-1] == runtime.ListDeltas(CTX, DELTA, 1)
            assert (await get(served, f"{OWN}/contexts/{CTX}/pending"))["pending"][0]["since"] == 1.5
            assert await get(served, f"{OWN}/contexts/{CTX}/why") == {"converged": True}
            await get(served, f"{OWN}/contexts/{CTX}/deltas?after=abc", 400)
            served.script.answers[runtime.ListPending] = UnknownContext("context x is not on this node")
            await get(served, f"{OWN}/contexts/{CTX}/pending", 404)

    run(main)


def test_the_state_by_rows_and_by_tree() -> None:
    child = ChildInfo(EntityId(b"\x0c" * 32), ROOT, Metadata())
    index = EntityIndex(ENTITY, None, (child,), ROOT, ROOT, Metadata())
    node = StateNode(index, b"x" * 5000)
    gone = StateNode(msgspec.structs.replace(index, deleted_at=5, children=None), None)

    async def main() -> None:
        row = runtime.SnapshotRow(b"\1" * 32, b"y" * 5000)
        answers: dict[type[Request[Any]], Answer] = {
            runtime.InspectState: runtime.StatePage([row], b"\1" * 32),
            runtime.GetTreeNodes: runtime.TreeNodes([borsh.encode(node), borsh.encode(gone)], ROOT),
        }
        async with serving(answers) as served:
            page = await get(served, f"{OWN}/contexts/{CTX}/state?after={'ab' * 32}")
            assert (page["rows"][0]["size"], len(page["rows"][0]["value"]), page["next"]) == (5000, 8192, "01" * 32)
            await get(served, f"{OWN}/contexts/{CTX}/state?after=xyz", 400)
            tree = await get(served, f"{OWN}/contexts/{CTX}/tree?entity={ENTITY}&depth=1")
            assert served.script.asked[-1] == runtime.GetTreeNodes(CTX, ENTITY, 1)
            assert (tree["nodes"][0]["children"], tree["nodes"][0]["size"]) == ([str(child.id)], 5000)
            assert (tree["nodes"][1]["deletedAt"], tree["nodes"][1]["value"]) == (5, None)
            await get(served, f"{OWN}/contexts/{CTX}/tree?depth=17", 400)

    run(main)


def test_the_past_of_a_context() -> None:
    version = runtime.EntryVersion(ENTITY, b"v", 2_500_000_000, DELTA, PK)
    deleted = runtime.EntryVersion(ENTITY, None, 3_000_000_000, DELTA)

    async def main() -> None:
        answers: dict[type[Request[Any]], Answer] = {
            runtime.StateAt: runtime.EntryList([version]),
            runtime.BlameEntry: runtime.EntryList([deleted, version]),
            runtime.CompareDeltas: runtime.DeltaDifference([runtime.EntryDifference(ENTITY, None, version)]),
        }
        async with serving(answers) as served:
            assert (await get(served, f"{OWN}/contexts/{CTX}/at/{DELTA}"))["entries"][0]["at"] == 2.5
            assert [row["value"] for row in (await get(served, f"{OWN}/contexts/{CTX}/blame/{ENTITY}"))["entries"]] == [
                None,
                "76",
            ]
            found = await get(served, f"{OWN}/contexts/{CTX}/compare?old={DELTA}&new={DELTA}")
            assert (found["entries"][0]["before"], found["entries"][0]["after"]["author"]) == (None, str(PK))
            await get(served, f"{OWN}/contexts/{CTX}/compare?old={DELTA}", 400)

    run(main)


def test_methods_of_an_application_are_read_once(tmp_path: Path) -> None:
    content = (WASM / "kv.wasm").read_bytes()
    writer = BlobWriter(tmp_path / "blobs", 1 << 30)
    writer.write(content)
    blob = writer.finish().blob
    record = msgspec.structs.replace(APPLICATION, blob_id=blob.id, source=f"file://{WASM / 'kv.wasm'}")

    async def main() -> None:
        answers: dict[type[Request[Any]], Answer] = {
            runtime.DescribeContext: runtime.ContextDescription(CONTEXT),
            runtime.GetApplication: runtime.ApplicationAnswer(record),
            runtime.GetBlob: runtime.BlobAnswer(blob),
        }
        async with serving(answers, home=tmp_path) as served:
            found = await get(served, f"{OWN}/contexts/{CTX}/methods")
            assert found["typed"] is True
            names = {method["name"]: method for method in found["methods"]}
            assert [p["name"] for p in names["set"]["parameters"]] == ["key", "value"]
            before = len(served.script.asked)
            await get(served, f"{OWN}/contexts/{CTX}/methods")
            assert len(served.script.asked) == before + 1
            served.script.answers[runtime.GetBlob] = runtime.BlobAnswer(None)

    run(main)


def test_methods_of_an_application_that_is_still_fetched_are_404(tmp_path: Path) -> None:
    async def main() -> None:
        answers: dict[type[Request[Any]], Answer] = {
            runtime.DescribeContext: runtime.ContextDescription(CONTEXT),
            runtime.GetApplication: runtime.ApplicationAnswer(APPLICATION),
            runtime.GetBlob: runtime.BlobAnswer(None),
        }
        async with serving(answers, home=tmp_path) as served:
            await get(served, f"{OWN}/contexts/{CTX}/methods", 404)

    run(main)
