"""Figures in the Prometheus text form: the reference's series of calls, and ours about this node.

Nothing is asked here; :mod:`workers.server.scrape` collects what other workers know.
core 0.10.0: crates/server/src/metrics.rs, crates/context/src/metrics.rs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["BUCKETS", "MAX_SERIES", "Metrics", "Sample", "histogram", "labelled", "render"]

BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Seconds, as the reference cuts them."""

MAX_SERIES: Final = 1000
"""Series of (context, method, status) that are kept; the one that was used longest ago goes first."""

Key = tuple[str, str, str]
Sample = tuple[str, str, str, float, Mapping[str, str]]
"""Name, type, help, value, labels."""


class Metrics:
    """Counters of this process."""

    def __init__(self) -> None:
        self._calls: OrderedDict[Key, list[float]] = OrderedDict()
        self.faults = 0
        """Requests that failed by a bug."""

    def call(self, context_id: str, method: str, seconds: float, *, ok: bool) -> None:
        """Count one call."""
        key = context_id, method, "success" if ok else "failure"
        row = self._calls.get(key)
        if row is None:
            row = self._calls[key] = [0.0] * (2 + len(BUCKETS))
            if len(self._calls) > MAX_SERIES:
                self._calls.popitem(last=False)
        else:
            self._calls.move_to_end(key)
        row[0] += 1
        row[1] += seconds
        for place, bound in enumerate(BUCKETS, start=2):
            if seconds <= bound:
                row[place] += 1

    def lines(self) -> list[str]:
        """The two series of the reference. The count is a gauge there."""
        name = "context_runtime_execution_count"
        found = [f"# HELP {name} Number of executions.", f"# TYPE {name} gauge"]
        found += [f"{name}{labelled(_named(key))} {row[0]:.0f}" for key, row in self._calls.items()]
        name = "context_runtime_execution_duration_seconds"
        found += [f"# HELP {name} Duration of executions.", f"# TYPE {name} histogram"]
        for key, row in self._calls.items():
            bounds = zip((f"{bound}.0" for bound in BUCKETS), row[2:], strict=True)
            found += histogram(name, _named(key), row[1], row[0], bounds)
        return found


def render(metrics: Metrics, samples: Iterable[Sample], more: Iterable[str] = ()) -> str:
    """The whole page; ``more`` are lines that are made elsewhere."""
    lines = [*metrics.lines(), *more]
    told: set[str] = set()
    for name, kind, text, value, labels in samples:
        if name not in told:
            told.add(name)
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        suffix = "_total" if kind == "counter" else ""
        lines.append(f"{name}{suffix}{labelled(labels)} {value:.15g}")
    return "\n".join([*lines, "# EOF", ""])


def histogram(
    name: str, labels: Mapping[str, str], total: float, count: float, buckets: Iterable[tuple[str, float]]
) -> list[str]:
    """The lines of one series; ``buckets``: the text of each bound, and how many values are up to it."""
    found = [f"{name}_sum{labelled(labels)} {total:.15g}", f"{name}_count{labelled(labels)} {count:.0f}"]
    for bound, up_to in (*buckets, ("+Inf", count)):
        found.append(f"{name}_bucket{labelled({'le': bound, **labels})} {up_to:.0f}")
    return found


def _named(key: Key) -> dict[str, str]:
    return dict(zip(("context_id", "method", "status"), key, strict=True))


def labelled(labels: Mapping[str, str]) -> str:
    """Labels in braces, nothing when there are none."""
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
