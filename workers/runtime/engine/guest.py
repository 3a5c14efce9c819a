"""WasmGuest: runs calls on wasmtime, each in the one thread that owns the engine's stores.

The thread has a large stack, since guest frames and host functions share it, and it is never the main thread: there an
interrupt could strike between a callback's entry and its ``try``, and would be read as success. The caller waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from node.errors import FunctionCallError
from node.primitives import ContextId, Hash
from node.runtime.call import GuestCall, Outcome
from node.runtime.config import RuntimeConfig
from node.runtime.logic import check_method_name
from node.storage.index import ChildCache
from workers.runtime.engine import capi
from workers.runtime.engine.execution import Bounds, Execution
from workers.runtime.engine.linker import Linker
from workers.runtime.engine.modules import ModuleCache
from workers.runtime.engine.settings import new_engine
from workers.runtime.engine.ticker import Ticker, ticks

THREAD_STACK: Final = 16 << 20
"""Bytes. Guest frames take at most 200 KiB of it; a thread with too little dies with the whole process."""

LIST_CONTEXTS: Final = 16
LIST_BYTES: Final = 4 << 20
"""Rows of lists kept for each of that many contexts: 200 MiB at most, with the lists made of them."""

_stack_size_lock: Final = threading.Lock()


@dataclass(slots=True)
class _Job:
    """Work on its way to the guest thread and back; ``done`` is held until it is answered."""

    work: Callable[[], Outcome]
    done: threading.Lock = field(default_factory=threading.Lock)
    outcome: Outcome | None = None
    failure: BaseException | None = None


@dataclass(frozen=True, slots=True)
class GuestStats:
    """Counters since the start: modules compiled, loaded from disk, and cache entries that were refused."""

    compiled: int
    loaded: int
    refused: int


class WasmGuest:
    """Runs calls one after the other. ``cache_dir`` holds compiled modules and may be shared between processes.

    An application's failure is in the outcome; only a broken engine or a closed guest raises.
    """

    def __init__(self, cache_dir: Path, config: RuntimeConfig | None = None) -> None:
        self.config = config or RuntimeConfig()
        self._engine = new_engine(self.config)
        self._bounds = Bounds(self.config, ticks(self.config.deadline_ms))
        self._linker = Linker(self._engine)
        self._modules = ModuleCache(self._engine, self._linker, cache_dir, self.config)
        self._lists: dict[ContextId, ChildCache] = {}
        self._ticker = Ticker(self._engine)
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = start_with_stack(self._serve, "wasm-guest")

    def run(self, call: GuestCall) -> Outcome:
        """Run one call to its end. The call's readers and services are used from the guest thread meanwhile."""
        return self._in_thread(lambda: self._run(call))

    def prepare(self, module: Hash, bytecode: Callable[[], bytes]) -> None:
        """Compile (or load) and link a module, so that its first call need not wait.

        Raises CompilationError, ModuleSizeLimitExceeded or LinkError for one that does not run on this node.
        """
        error = self._in_thread(lambda: Outcome(error=self._load(module, bytecode))).error
        if error is not None:
            raise error

    def _in_thread(self, work: Callable[[], Outcome]) -> Outcome:
        if self._thread is None:
            raise RuntimeError("this guest is closed")
        job = _Job(work)
        job.done.acquire()
        self._jobs.put(job)
        job.done.acquire()
        if job.outcome is None:
            raise job.failure or RuntimeError("the guest thread is gone")
        return job.outcome

    @property
    def stats(self) -> GuestStats:
        return GuestStats(self._modules.compiled, self._modules.loaded, self._modules.refused)

    def close(self) -> None:
        """Wait for the running call, then give everything back."""
        if self._thread is None:
            return
        self._jobs.put(None)
        self._thread.join()
        self._thread = None
        self._ticker.close()

    def _serve(self) -> None:
        self._modules.warm()
        while (job := self._jobs.get()) is not None:
            try:
                job.outcome = job.work()
            except BaseException as failure:  # noqa: BLE001  # handed to the caller, whose thread it belongs to
                job.failure = failure
            job.done.release()
        self._modules.close()
        self._linker.close()

    def _run(self, call: GuestCall) -> Outcome:
        try:
            check_method_name(call.method)
            ready = self._modules.get(call.module, call.bytecode)
        except FunctionCallError as error:
            return Outcome(error=error)
        execution = Execution(call, self._linker.board, self._bounds, self._lists_of(call.context_id))
        return execution.run(capi.address(self._engine.ptr()), ready)

    def _lists_of(self, context: ContextId) -> ChildCache:
        """What the storage engine keeps of a context's long lists; the contexts that were called last have some."""
        lists = self._lists.pop(context, None) or ChildCache(LIST_BYTES)
        self._lists[context] = lists
        if len(self._lists) > LIST_CONTEXTS:
            self._lists.pop(next(iter(self._lists)))
        return lists

    def _load(self, module: Hash, bytecode: Callable[[], bytes]) -> FunctionCallError | None:
        try:
            self._modules.get(module, bytecode)
        except FunctionCallError as error:
            return error
        return None


def start_with_stack(target: Callable[[], None], name: str) -> threading.Thread:
    """Start a thread with a stack for guests. The size is a setting of the process, so it is put back."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    with _stack_size_lock:
        before = threading.stack_size(THREAD_STACK)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
    return thread
