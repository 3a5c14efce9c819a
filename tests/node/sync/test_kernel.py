"""Scripts, their waits, deadlines and ends."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import pytest

from node.errors import DeadlineExceeded, NotFound
from node.sync.kernel import Ask, Call, Cancelled, Join, Kernel, Request, Signal, Sleep


@dataclass(frozen=True, slots=True)
class Question(Request[int]):
    text: str


def kernel() -> Kernel:
    return Kernel(lambda name, error: pytest.fail(f"{name}: {error!r}"))


def test_a_request_goes_out_and_its_answer_comes_in() -> None:
    k, seen = kernel(), []

    async def script() -> None:
        seen.append(await Ask(Question("how many")))

    k.spawn(script(), "s")
    (call,) = k.drain(0)
    assert isinstance(call, Call)
    k.answer(call.token, 7)
    k.drain(1)
    assert seen == [7]


def test_an_error_arrives_where_it_was_asked() -> None:
    k, seen = kernel(), []

    async def script() -> None:
        try:
            await Ask(Question("x"))
        except NotFound as error:
            seen.append(str(error))

    k.spawn(script(), "s")
    (call,) = k.drain(0)
    assert isinstance(call, Call)
    k.answer(call.token, None, NotFound("nothing"))
    k.drain(0)
    assert seen == ["nothing"]


def test_a_late_answer_is_ignored() -> None:
    k, seen = kernel(), []

    async def script() -> None:
        try:
            await Ask(Question("x"), 10)
        except DeadlineExceeded:
            seen.append("late")
        await Sleep(100)
        seen.append("slept")

    k.spawn(script(), "s")
    (call,) = k.drain(0)
    assert isinstance(call, Call)
    assert k.next_timer == 10
    k.drain(10)
    k.answer(call.token, 7)
    k.drain(11)
    assert seen == ["late"]
    k.drain(110)
    assert seen == ["late", "slept"]


def test_a_signal_wakes_all_and_times_out() -> None:
    k = kernel()
    signal, seen = Signal(k), []

    async def script(name: str, within: int) -> None:
        seen.append((name, await signal.wait(within)))

    k.spawn(script("short", 5), "a")
    k.spawn(script("long", 50), "b")
    k.drain(0)
    k.drain(5)
    signal.set()
    k.drain(6)
    assert seen == [("short", False), ("long", True)]


def test_cancelling_runs_what_must_run() -> None:
    k, seen = kernel(), []

    async def script() -> None:
        try:
            await Sleep(100)
        finally:
            seen.append("closed")

    task = k.spawn(script(), "s")
    k.drain(0)
    k.cancel(task)
    k.drain(1)
    assert seen == ["closed"]
    assert isinstance(task.error, Cancelled)


def test_joining_brings_the_result_or_the_error() -> None:
    k, seen = kernel(), []

    async def good() -> int:
        await Sleep(5)
        return 3

    async def bad() -> int:
        raise NotFound("no")

    async def both() -> None:
        seen.append(await Join(k.spawn(good(), "good")))
        with pytest.raises(NotFound):
            await Join(k.spawn(bad(), "bad"))
        seen.append(-1)

    k.spawn(both(), "both")
    k.drain(0)
    k.drain(5)
    assert seen == [3, -1]


def test_a_bug_in_one_script_leaves_the_others_alone() -> None:
    crashes: list[str] = []
    k, seen = Kernel(lambda name, error: crashes.append(name)), []

    async def broken() -> None:
        raise ZeroDivisionError

    async def fine() -> None:
        await Sleep(1)
        seen.append("fine")

    k.spawn(broken(), "broken")
    k.spawn(fine(), "fine")
    k.drain(0)
    k.drain(1)
    assert (crashes, seen) == (["broken"], ["fine"])


class Large(Request[int]):
    """A request with much to send."""


def test_a_deadline_that_was_met_holds_no_request() -> None:
    k, requests = kernel(), [Large()]
    seen = weakref.ref(requests[0])

    async def script() -> None:
        await Ask(requests.pop(), 10)
        await Sleep(5)

    k.spawn(script(), "s")
    (call,) = k.drain(0)
    assert isinstance(call, Call)
    k.answer(call.token, 7)
    del call
    k.drain(1)
    assert k.next_timer == 6
    assert seen() is None
