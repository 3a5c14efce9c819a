"""Scripts: protocols written as coroutines and run without an event loop.

A script awaits :class:`Suspension` objects and nothing else. The kernel is a state machine: events go in, effects come
out, and between two events nothing moves. Time is what the last event said it is; order is the order of arrival, so
the same events give the same effects, bit for bit.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, cast

from node.errors import CalimeroError, DeadlineExceeded, WorkerLost

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_SET: Final = True
_TIMED_OUT: Final = False

SECOND: Final = 1_000_000_000
"""Nanoseconds."""


class Cancelled(BaseException):
    """Thrown into a script that is no longer wanted; ``finally`` blocks run, and they must not await."""


class Request(Generic[T_co]):
    """Something that the shell does for a script, answered with ``T_co``. Subclasses are frozen dataclasses."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Call:
    """Effect: carry out ``request`` and report with the same token."""

    token: int
    request: Request[object]


class Suspension(Generic[T]):
    """What a script waits for."""

    __slots__ = ()

    def __await__(self) -> Generator[Suspension[T], T, T]:
        return (yield self)

    def start(self, kernel: Kernel, task: Task[object]) -> None:
        """Arrange that the task is resumed later. The kernel calls it once."""
        raise NotImplementedError(type(self).__name__)


class Ask(Suspension[T]):
    """Have the shell carry out a request. Raises what it failed with, or :class:`DeadlineExceeded`."""

    __slots__ = ("request", "timeout")

    def __init__(self, request: Request[T], timeout: int | None = None) -> None:
        self.request = request
        self.timeout = timeout

    def start(self, kernel: Kernel, task: Task[object]) -> None:
        token = kernel.call(cast("Request[object]", self.request), task)
        if self.timeout is not None:
            # The timer outlives the answer, so it must not hold the request: that may be a megabyte to be sent.
            name = type(self.request).__name__
            kernel.expire(task, self.timeout, lambda: f"no answer to {name} ({token}) in time")


class Sleep(Suspension[None]):
    """Wait for so many nanoseconds."""

    __slots__ = ("duration",)

    def __init__(self, duration: int) -> None:
        self.duration = duration

    def start(self, kernel: Kernel, task: Task[object]) -> None:
        epoch = task.epoch
        kernel.at(kernel.now + max(0, self.duration), lambda: kernel.resume(task, epoch, None))


class Signal:
    """A flag that scripts wait for; setting it wakes all that wait and stays until one clears it."""

    __slots__ = ("_kernel", "_set", "_waiters")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._set = False
        self._waiters: list[tuple[Task[object], int]] = []

    def set(self) -> None:
        self._set = True
        waiters, self._waiters = self._waiters, []
        for task, epoch in waiters:
            self._kernel.resume(task, epoch, _SET)

    def clear(self) -> None:
        self._set = False

    @property
    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: int | None = None) -> Suspension[bool]:
        """True when it is set, False when the time ran out."""
        return _WaitSignal(self, timeout)

    def add(self, task: Task[object], epoch: int) -> None:
        self._waiters = [waiter for waiter in self._waiters if waiter[0].epoch == waiter[1]]
        self._waiters.append((task, epoch))


class _WaitSignal(Suspension[bool]):
    __slots__ = ("signal", "timeout")

    def __init__(self, signal: Signal, timeout: int | None) -> None:
        self.signal = signal
        self.timeout = timeout

    def start(self, kernel: Kernel, task: Task[object]) -> None:
        epoch = task.epoch
        if self.signal.is_set:
            kernel.resume(task, epoch, _SET)
            return
        self.signal.add(task, epoch)
        if self.timeout is not None:
            kernel.at(kernel.now + max(0, self.timeout), lambda: kernel.resume(task, epoch, _TIMED_OUT))


class Join(Suspension[T]):
    """Wait until a task ends; its result, or what it raised."""

    __slots__ = ("task",)

    def __init__(self, task: Task[T]) -> None:
        self.task = task

    def start(self, kernel: Kernel, task: Task[object]) -> None:
        epoch = task.epoch
        self.task.when_done(lambda done: kernel.finish_join(task, epoch, done))


class Task(Generic[T]):
    """A running script."""

    __slots__ = ("_watchers", "done", "epoch", "error", "name", "result", "script")

    def __init__(self, script: Coroutine[object, object, T], name: str) -> None:
        self.script = script
        self.name = name
        self.epoch = 0
        """Counts suspensions: a wake-up of an earlier one is stale and ignored."""
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None
        self._watchers: list[Callable[[Task[T]], None]] = []

    def when_done(self, watcher: Callable[[Task[T]], None]) -> None:
        if self.done:
            watcher(self)
        else:
            self._watchers.append(watcher)

    def finish(self, result: T | None, error: BaseException | None) -> None:
        self.done, self.result, self.error = True, result, error
        self.epoch += 1
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher(self)


class Kernel:
    """Runs scripts. ``on_crash`` is told of an error that is no :class:`CalimeroError`: a bug, kept from the others."""

    def __init__(self, on_crash: Callable[[str, BaseException], None]) -> None:
        self.now = 0
        self._on_crash = on_crash
        self._effects: list[object] = []
        self._calls: dict[int, tuple[Task[object], int]] = {}
        self._token = 0
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._ready: deque[tuple[Task[object], int, object, BaseException | None]] = deque()
        self._running = False

    # for the machine around it

    def spawn(self, script: Coroutine[object, object, T], name: str) -> Task[T]:
        """Start a script; it runs until its first suspension before the current event ends."""
        task = Task(script, name)
        self._ready.append((cast("Task[object]", task), task.epoch, None, None))
        return task

    def cancel(self, task: Task[T]) -> None:
        """Stop a script where it stands."""
        if not task.done:
            self.resume(cast("Task[object]", task), task.epoch, None, Cancelled())

    def emit(self, effect: object) -> None:
        self._effects.append(effect)

    def answer(self, token: int, value: object, error: BaseException | None = None) -> None:
        """The shell's report on a :class:`Call`; unknown and stale tokens are ignored."""
        waiting = self._calls.pop(token, None)
        if waiting is not None:
            self.resume(*waiting, value, error)

    def drain(self, now: int) -> list[object]:
        """Run what is due at ``now`` and hand over the effects."""
        self.now = max(self.now, now)
        while True:
            self._run_ready()
            if not self._timers or self._timers[0][0] > self.now:
                break
            heapq.heappop(self._timers)[2]()
        effects, self._effects = self._effects, []
        return effects

    @property
    def next_timer(self) -> int | None:
        """When :meth:`drain` has something to do without an event, in ns; None: never."""
        return self._timers[0][0] if self._timers else None

    # for suspensions

    def call(self, request: Request[object], task: Task[object]) -> int:
        self._token += 1
        self._calls[self._token] = (task, task.epoch)
        self.emit(Call(self._token, request))
        return self._token

    def post(self, request: Request[object]) -> None:
        """A request whose answer nobody waits for."""
        self._token += 1
        self.emit(Call(self._token, request))

    def at(self, when: int, action: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._timers, (when, self._order, action))

    def expire(self, task: Task[object], timeout: int, text: Callable[[], str]) -> None:
        """Fail the task's current suspension with :class:`DeadlineExceeded` when it outlasts the timeout."""
        epoch = task.epoch
        self.at(self.now + timeout, lambda: self._expired(task, epoch, text))

    def _expired(self, task: Task[object], epoch: int, text: Callable[[], str]) -> None:
        if task.epoch == epoch and not task.done:
            self.resume(task, epoch, None, DeadlineExceeded(text()))

    def resume(self, task: Task[object], epoch: int, value: object, error: BaseException | None = None) -> None:
        if task.epoch == epoch and not task.done:
            self._ready.append((task, epoch, value, error))

    def finish_join(self, task: Task[object], epoch: int, done: Task[T]) -> None:
        error = WorkerLost(f"{done.name} was cancelled") if isinstance(done.error, Cancelled) else done.error
        self.resume(task, epoch, done.result, error)

    def _run_ready(self) -> None:
        while self._ready:
            task, epoch, value, error = self._ready.popleft()
            if task.epoch == epoch and not task.done:
                task.epoch += 1
                self._step(task, value, error)

    def _step(self, task: Task[object], value: object, error: BaseException | None) -> None:
        try:
            waits = task.script.throw(error) if error is not None else task.script.send(value)
        except StopIteration as stop:
            task.finish(stop.value, None)
        except Cancelled as cancelled:
            task.finish(None, cancelled)
        except CalimeroError as failure:
            task.finish(None, failure)
        except Exception as crash:  # noqa: BLE001  # one broken script must not stop the others; it is reported
            self._on_crash(task.name, crash)
            task.finish(None, crash)
        else:
            cast("Suspension[object]", waits).start(self, task)
