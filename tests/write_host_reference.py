"""Write ``docs/host-functions.md`` from the table: ``python -m tests.write_host_reference``."""

from __future__ import annotations

from pathlib import Path

from node.runtime.host.reference import reference_page

PAGE = Path(__file__).parents[1] / "docs" / "host-functions.md"

if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(reference_page(), encoding="utf-8")
