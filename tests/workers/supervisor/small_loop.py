"""The small sync, network and server worker."""

from tests.workers.supervisor.small import loop_main as main

__all__ = ["main"]
