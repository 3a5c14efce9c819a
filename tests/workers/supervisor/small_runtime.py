"""The small runtime worker."""

from tests.workers.supervisor.small import runtime_main as main

__all__ = ["main"]
