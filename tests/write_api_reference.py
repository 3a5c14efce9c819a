"""Write ``docs/api.md`` from the table: ``python -m tests.write_api_reference``."""

from __future__ import annotations

from pathlib import Path

from node.api.reference import reference_page

PAGE = Path(__file__).parents[1] / "docs" / "api.md"

if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(reference_page(), encoding="utf-8")
