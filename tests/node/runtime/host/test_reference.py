from __future__ import annotations

from node.runtime.host.reference import reference_page, signature
from node.runtime.host.table import TABLE
from tests.write_host_reference import PAGE


def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(), "run python -m tests.write_host_reference"


def test_every_function_is_on_it() -> None:
    text = reference_page()
    for row in TABLE.values():
        assert f"`{signature(row)}`" in text
    assert "storage_read(key: buffer, register) -> i32" in text
