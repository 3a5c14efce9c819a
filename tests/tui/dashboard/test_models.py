"""The view models: tables, agreement, event log, call form, layout. No terminal, no socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calimero_tui.actions.registry import ACTIONS
from calimero_tui.client.events import AppEvent, Event
from calimero_tui.client.node import Context
from calimero_tui.tui.model import tables, text
from calimero_tui.tui.model.activity import Happening, happenings, line
from calimero_tui.tui.model.call import Answer, Call, CallForm, args_problem, template
from calimero_tui.tui.model.columns import GAP, Column, fit, layout
from calimero_tui.tui.model.log import CAPACITY, TRIM, EventLog
from calimero_tui.tui.model.network import Agreement, Network
from calimero_tui.tui.model.prompt import Prompt
from calimero_tui.tui.model.rates import HISTORY, Meter
from calimero_tui.tui.model.snapshot import Details, Part, Snapshot, State
from calimero_tui.tui.model.why import explain
from node.events import Notice
from node.primitives import ZERO_ROOT

ONE, TWO = "http://one", "http://two"
METHOD = {
    "name": "set",
    "signature": "set(key: string, n: u64, tags: list<string>, note: string?)",
    "parameters": [
        {"name": "key", "type": "string", "optional": False},
        {"name": "n", "type": "u64", "optional": False},
        {"name": "tags", "type": "list<string>", "optional": False},
        {"name": "point", "type": "Point", "optional": False},
        {"name": "note", "type": "string", "optional": True},
    ],
}


def copy(root: str, *, context: str = "ctx", heads: int = 1) -> Context:
    return Context(context, "app", root, tuple(f"{n:02x}" for n in range(heads)))


def ready(url: str, *contexts: Context, pending: int | None = None) -> Snapshot:
    why = {} if pending is None else {context.id: {"pending": pending} for context in contexts}
    return Snapshot(url, 1.0, State.READY, contexts=contexts, explanations=why, peer_count=2)


def away(url: str) -> Snapshot:
    return Snapshot(url, 2.0, State.RECONNECTING, "no node answers")


def network(*snapshots: Snapshot) -> Network:
    found = Network([ONE, TWO])
    for snapshot in snapshots:
        found.take(snapshot)
    return found


# -- agreement


@pytest.mark.parametrize(
    ("one", "two", "agreement"),
    [
        (copy("a"), copy("a"), Agreement.SAME),
        (copy("a"), copy("b"), Agreement.DIFFERS),
        (copy("a"), copy(str(ZERO_ROOT)), Agreement.FETCHING),
    ],
)
def test_agreement_of_two_nodes(one: Context, two: Context, agreement: Agreement) -> None:
    assert network(ready(ONE, one), ready(TWO, two)).contexts()[0].agreement is agreement


def test_a_node_that_is_away_takes_no_part_in_the_agreement() -> None:
    found = network(ready(ONE, copy("a")), ready(TWO, copy("b")), away(TWO))
    assert found.contexts()[0].agreement is Agreement.ALONE
    assert len(found.contexts()[0].copies) == 2
    assert found.contexts()[0].roots == ["a"]
    found.take(away(ONE))
    assert found.contexts()[0].agreement is Agreement.UNKNOWN


def test_breaks_are_counted_once() -> None:
    found = network(ready(ONE), away(ONE), away(ONE), ready(ONE), away(ONE))
    assert found.nodes[ONE].breaks == 2


def test_pending_is_a_sum_or_unknown() -> None:
    assert network(ready(ONE, copy("a"))).contexts()[0].pending is None
    found = network(ready(ONE, copy("a"), pending=2), ready(TWO, copy("a"), pending=3))
    assert found.contexts()[0].pending == 5


def test_the_chosen_context_is_one_that_exists() -> None:
    found = network(ready(ONE, copy("a", context="x"), copy("a", context="y")))
    assert found.context_id == "x"
    found.context_id = "y"
    found.take(ready(ONE, copy("a", context="x")))
    assert found.context_id == "x"
    found.take(ready(ONE))
    assert found.context_id is None


def test_details_stay_when_a_reading_fails() -> None:
    found = network(ready(ONE, copy("a")))
    assert found.current_details() == Details(ONE, "ctx")
    found.learnt(Details(ONE, "ctx", members=("m",)))
    found.learnt(Details(ONE, "ctx", error="away"))
    assert (found.current_details().members, found.current_details().error) == (("m",), "away")


@pytest.mark.parametrize(
    ("snapshots", "words"),
    [
        ([], ("◐ connecting: 2", "warn")),
        ([ready(ONE), away(TWO)], ("◐ reconnecting: node 2", "warn")),
        ([ready(ONE, copy("a")), ready(TWO, copy("b"))], ("✗ 1 of 1 differ", "bad")),
        ([ready(ONE, copy("a")), ready(TWO, copy(str(ZERO_ROOT)))], ("◐ fetching 1", "warn")),
        ([ready(ONE), ready(TWO)], ("● 2 nodes ready", "good")),
    ],
)
def test_standing(snapshots: list[Snapshot], words: tuple[str, str]) -> None:
    assert tables.standing(network(*snapshots)) == words


# -- tables


def test_the_root_that_differs_from_most_is_coloured() -> None:
    three = Network([ONE, TWO, "http://three"])
    for url, root in zip(three.nodes, ["a", "b", "a"], strict=True):
        three.take(ready(url, copy(root)))
    row = tables.context_rows(three)[0]
    assert [row.cells[url].tone for url in three.nodes] == ["", "bad", ""]
    assert row.id == "ctx"


def test_workers_in_trouble_come_first() -> None:
    rows = ({"name": "sync", "state": "ready"}, {"name": "network", "state": "restarting", "restarts": 1})
    found = network(
        Snapshot(ONE, 1.0, State.READY, workers=rows), Snapshot(TWO, 1.0, State.READY, gaps={Part.WORKERS: "x"})
    )
    shown = tables.worker_rows(found)
    assert [row.cells["name"].text for row in shown] == ["network", "-", "sync"]
    assert shown[1].cells["state"].text == "not offered"
    assert "1/2 !" in tables.node_rows(found, 0.0)[0].cells["workers"].text


def test_rows_survive_what_a_node_leaves_out() -> None:
    node = network(Snapshot(ONE, 1.0, State.READY, peers=({},), sessions=({},))).nodes[ONE]
    assert tables.peer_rows(node)[0].cells["connected"].tone == "bad"
    assert tables.session_rows(node, str)[0].cells["outcome"].text == "· running"
    assert tables.delta_rows(Details(ONE, "c", deltas=({},)))[0].cells["parents"].text == "0"


# -- columns


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 60), st.integers(0, 3)), min_size=1, max_size=9),
    st.integers(0, 200),
)
def test_layout_fits_and_keeps_what_matters(sizes: list[tuple[int, int, int]], width: int) -> None:
    columns = [Column(str(n), "", least, full, rank) for n, (least, full, rank) in enumerate(sizes)]
    found = layout(columns, width)
    kept = [column for column, _ in found]
    assert kept == [column for column in columns if column in kept]
    assert all(column in kept for column in columns if column.rank == 0) or len(kept) == 1
    assert all(given_width >= column.width for column, given_width in found)
    if sum(given_width + GAP for _, given_width in found) > width:
        assert len(kept) == 1 or all(column.rank == 0 for column in kept)


def test_fit() -> None:
    assert (fit("abc", 3), fit("abcd", 3), fit("abcd", 0)) == ("abc", "ab…", "…")


# -- events


def test_a_mutation_is_a_row_for_each_event_or_one_for_the_root() -> None:
    two = Event("ctx", "root", (AppEvent("Set", {"k": 1}, None), AppEvent("Removed", None, "h")))
    assert [row.what for row in happenings(ONE, two, 1.0)] == ["Set", "Removed"]
    (bare,) = happenings(ONE, Event("ctx", "root", ()), 1.0)
    assert (bare.what, bare.summary) == ("state", "root root")


def test_messages_of_the_node_wide_stream() -> None:
    event = {"kind": "Set", "data": list(b'{"k":1}'), "handler": None}
    mutation = {"contextId": "c", "type": "StateMutation", "data": {"newRoot": "r", "events": [event]}}
    (row,) = happenings(ONE, mutation, 1.0)
    assert (row.what, row.data, row.root) == ("Set", {"k": 1}, "r")
    peer = "12D3KooWRQKCm5EHyyoykogTfiCV6fRjntxdQBdwQK6A1a4iBQTr"
    notice = {
        "contextId": None,
        "type": "Notice",
        "data": {"kind": "sync", "name": "ended", "at": 5.0, "fields": {"peer": peer}},
    }
    (row,) = happenings(ONE, notice, 1.0)
    assert (row.what, row.at, row.summary) == ("sync ended", 5.0, "peer=…1a4iBQTr")
    assert peer.lower() in row.text
    (row,) = happenings(ONE, Notice("worker", "died", 2 * 10**9, None, {"pid": 7}), 1.0)
    assert (row.what, row.at, row.summary) == ("worker died", 2.0, "pid=7")
    (row,) = happenings(ONE, {"strange": True}, 1.0)
    assert row.what == "event"


def happening(number: int, what: str = "Set") -> Happening:
    return Happening(float(number), ONE, "ctx", what, {"n": number})


def test_the_log_drops_its_oldest_rows_in_steps() -> None:
    log = EventLog()
    assert log.add([happening(n) for n in range(CAPACITY + TRIM - 1)]) == 0
    assert log.add([happening(-1)]) == TRIM
    assert (len(log.shown), log.dropped, log.total) == (CAPACITY, TRIM, CAPACITY + TRIM)
    assert log.shown[-1].data == {"n": -1}


def test_filter_and_pause() -> None:
    log = EventLog()
    log.add([happening(1), happening(2, "Removed")])
    log.filter("REMOVED 2")
    assert [row.data for row in log.shown] == [{"n": 2}]
    log.pause(on=True)
    log.add([happening(2, "Removed")])
    assert (len(log.shown), log.held) == (1, 1)
    log.pause(on=False)
    assert (len(log.shown), log.held) == (2, 0)
    log.filter("")
    assert len(log.shown) == 3


@given(st.text(), st.text(), st.integers(20, 200))
def test_no_control_character_reaches_a_line(kind: str, value: str, width: int) -> None:
    (row,) = happenings(ONE, Event("ctx", "r", (AppEvent(kind, {kind: value}, None),)), 1.0)
    assert all(piece.isprintable() for piece, _ in line(row, "node 1", width))


def test_the_meter_counts_whole_seconds() -> None:
    meter = Meter()
    for second in range(10):
        meter.add(10, second + 0.5)
    assert meter.rate(10.0) == 10.0
    assert meter.total == 100
    assert meter.rate(13.9) < 10.0
    assert meter.rate(100.0) == 0.0
    assert meter.history(100.0) == [0] * HISTORY


# -- the call form


def test_the_template_follows_the_types() -> None:
    assert template(METHOD) == '{"key": "", "n": 0, "tags": [], "point": {}, "note": null}'


def test_choosing_a_method_never_replaces_what_was_typed() -> None:
    form = CallForm()
    assert form.choose("set", [METHOD])
    assert form.choose("set", [METHOD]) is False
    form.args = '{"key": "mine"}'
    assert not form.choose("set", [METHOD])
    assert form.args == '{"key": "mine"}'
    assert form.hint([METHOD]) == METHOD["signature"]
    form.method = "s"
    assert form.hint([METHOD]) == "set"
    form.method = "x"
    assert form.hint([METHOD]) == "no method begins so"


@pytest.mark.parametrize("bad", ["{", "[]", "1", '{"a": }', "[" * 5000, "nope"])
def test_arguments_that_are_no_object_are_named(bad: str) -> None:
    assert args_problem(bad)


def test_a_call_is_sent_once_and_answered() -> None:
    form = CallForm()
    assert form.problem() == "choose a method"
    form.method, form.executor = "set", ""
    assert "no identity" in form.problem()
    form.executor, form.args = "pk", '{"a": 1}'
    call = form.request(ONE, "ctx")
    assert call == Call(ONE, "ctx", "set", {"a": 1}, "pk")
    assert form.request(ONE, "ctx") is None, "one call is out"
    form.take(Answer(call, 0.012, {"ok": True}))
    assert form.answer is not None
    assert form.answer.headline == "set: ok in 12 ms"
    assert form.request(ONE, "ctx") is not None


# -- prompts, explanations, texts


def test_a_prompt_reads_types_and_asks_before_it_destroys() -> None:
    prompt = Prompt(ACTIONS.find("call"), "ctx")
    assert next(field for field in prompt.fields if field.name == "context").text == "ctx"
    given, problem = prompt.read({"method": "set", "args": '{"a": 1}', "context": "ctx"})
    assert (problem, given["args"]) == ("", {"a": 1})
    assert "args" in prompt.read({"method": "set", "args": "{"})[1]
    assert "method" in prompt.read({})[1]
    leave = Prompt(ACTIONS.find("context leave"), "ctx")
    assert leave.read({"context": "ctx", "confirm": "no"})[1]
    assert leave.read({"context": "ctx", "confirm": "yes"}) == ({"context": "ctx"}, "")
    assert not Prompt(ACTIONS.find("workers"), None).needed


def test_an_explanation_in_words() -> None:
    peers = [
        {"peer": "p" * 20, "online": False},
        {"peer": "p" * 20, "online": True, "root": None},
        {"peer": "p" * 20, "online": True, "root": "r", "equal_since": 1.0},
        {"peer": "p" * 20, "online": True, "root": "r", "failures": 2, "last_session": "refused"},
    ]
    waiting = [{"delta": "d", "waits_for": "parents", "for": 65.0, "error": "bad\x1b"}]
    why = {
        "converged": False,
        "root": "r",
        "peers": peers,
        "pending": 1,
        "waiting": waiting,
        "sealed": [{"delta": "s"}],
    }
    shown = "\n".join(words for words, _ in explain({**why, "next": {"in_session": True}}))
    for words in (
        "not subscribed",
        "not told",
        "same root",
        "2 failures",
        "since 1 min 5 s: bad·",
        "waits for its key",
        "running",
    ):
        assert words in shown
    entry = {"id": "e", "ours": None, "theirs": {"bytes": 5, "updated_at": 2.0}, "deltas": []}
    gone = {"id": "f", "ours": {"deleted_at": 3.0}, "theirs": None, "deltas": ["d1"]}
    difference = {"peer": "p" * 20, "path": ["root", "items"], "differing": 2, "entries": [entry, gone]}
    shown = "\n".join(words for words, _ in explain({"difference": difference}))
    for words in ("2 entries below items", "here never, there 5 B at 2.0; behind it: no delta", "here removed", ": d1"):
        assert words in shown
    for change, words in (({"path": []}, "none any more"), ({"error": "it did not answer"}, "it did not answer")):
        assert words in "\n".join(line for line, _ in explain({"difference": {**difference, **change}}))
    assert "next sync in 4 s (heads)" in explain({"next": {"in": 4.0, "reasons": ["heads"]}})[-1][0]
    assert explain({"converged": True})[0][1] == "good"


def test_texts() -> None:
    assert text.short("abcdefghij") == "abcdefg…"
    assert [text.size(n) for n in (0, 999, 1000, 12_345_678, 10**16)] == [
        "0 B",
        "999 B",
        "1.0 KB",
        "12.3 MB",
        "10000.0 TB",
    ]
    assert [text.rate(n) for n in (0, 0.25, 99.9, 1234.5)] == ["0", "0.2", "99.9", "1234"]
    assert [text.duration(n) for n in (-1, 5, 125, 7300)] == ["0 s", "5 s", "2 min 5 s", "2 h 1 min"]
    assert text.bars([0, 1, 2]) == "▁▅█"
    assert text.bars([0, 0]) == "▁▁"
    assert text.count(1, "peer") == "1 peer"
