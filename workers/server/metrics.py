"""Figures in the Prometheus text form: the reference's two series of calls, and the hub's counters."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workers.server.hub import Hub

BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Seconds, as the reference cuts them."""

MAX_SERIES: Final = 1000
"""Series of (context, method, status) that are kept; the one that was used longest ago goes first."""

Key = tuple[str, str, str]


class Metrics:
    """Counters of this process."""

    def __init__(self) -> None:
        self._calls: OrderedDict[Key, list[float]] = OrderedDict()

    def call(self, context_id: str, method: str, seconds: float, *, ok: bool) -> None:
        """Count one call."""
        key = context_id, method, "success" if ok else "failure"
        row = self._calls.pop(key, None) or [0.0, 0.0, *(0.0 for _ in BUCKETS)]
        row[0] += 1
        row[1] += seconds
        for place, bound in enumerate(BUCKETS, start=2):
            row[place] += seconds <= bound
        self._calls[key] = row
        if len(self._calls) > MAX_SERIES:
            self._calls.popitem(last=False)

    def text(self, hub: Hub) -> str:
        lines = [
            "# HELP context_runtime_execution_count Number of executions.",
            "# TYPE context_runtime_execution_count gauge",
        ]
        lines += [f"context_runtime_execution_count{{{_labels(key)}}} {row[0]:g}" for key, row in self._calls.items()]
        lines += [
            "# HELP context_runtime_execution_duration_seconds Duration of executions.",
            "# TYPE context_runtime_execution_duration_seconds histogram",
        ]
        for key, row in self._calls.items():
            lines += _histogram("context_runtime_execution_duration_seconds", _labels(key), row)
        lines += [
            "# TYPE calimero_event_clients gauge", f"calimero_event_clients {hub.clients}",
            "# TYPE calimero_events_sent counter", f"calimero_events_sent_total {hub.sent}",
            "# TYPE calimero_event_clients_cut counter", f"calimero_event_clients_cut_total {hub.cut}",
            "# EOF", "",
        ]  # fmt: skip
        return "\n".join(lines)


def _histogram(name: str, labels: str, row: list[float]) -> list[str]:
    found = [f"{name}_sum{{{labels}}} {row[1]:g}", f"{name}_count{{{labels}}} {row[0]:g}"]
    found += [f'{name}_bucket{{le="{bound}.0",{labels}}} {row[place]:g}' for place, bound in enumerate(BUCKETS, 2)]
    return [*found, f'{name}_bucket{{le="+Inf",{labels}}} {row[0]:g}']


def _labels(key: Key) -> str:
    names = ("context_id", "method", "status")
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, key, strict=True))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
