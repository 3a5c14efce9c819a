"""Time and randomness of a call, written down, so that the call can be made again with the same result.

A call depends on its rows, its arguments, and what these two sources gave; nothing else differs between machines.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from node.errors import StorageError
from node.runtime.call import GuestCall


@dataclass(slots=True)
class Recording:
    """What a call was given, in order: unix times in nanoseconds, and random bytes."""

    times: list[int] = field(default_factory=list)
    random: list[bytes] = field(default_factory=list)

    def of(self, call: GuestCall) -> GuestCall:
        """The call with sources that write down what they give."""
        return replace(call, now_ns=self._times(call.now_ns), random_bytes=self._random(call.random_bytes))

    def again(self, call: GuestCall) -> GuestCall:
        """The call with sources that give what was written down. They raise ReplayExhausted when asked for more."""
        times, random = deque(self.times), deque(self.random)
        return replace(call, now_ns=lambda: _next(times, "times"), random_bytes=lambda n: _sized(random, n))

    def _times(self, source: Callable[[], int]) -> Callable[[], int]:
        def now_ns() -> int:
            self.times.append(source())
            return self.times[-1]

        return now_ns

    def _random(self, source: Callable[[int], bytes]) -> Callable[[int], bytes]:
        def random_bytes(length: int) -> bytes:
            self.random.append(source(length))
            return self.random[-1]

        return random_bytes


class ReplayExhausted(StorageError):
    """A call that is made again asks for something else than the first time: its rows or its code are not the same."""


def _next(queue: deque[int], what: str) -> int:
    if not queue:
        raise ReplayExhausted(f"the recorded call read fewer {what}")
    return queue.popleft()


def _sized(queue: deque[bytes], length: int) -> bytes:
    if not queue or len(queue[0]) != length:
        raise ReplayExhausted(f"the recorded call did not ask for {length} random bytes here")
    return queue.popleft()
