from __future__ import annotations

import inspect

from node.runtime import limits
from node.runtime.host.table import TABLE


def test_each_row_is_said_once_and_completely() -> None:
    for name, row in TABLE.items():
        assert row.name == name == row.call.__name__
        assert row.doc.endswith((".", "`."))
        assert row.group
        assert all(kind == "i64" or kind == "i32" for kind in row.wasm_params)


def test_functions_take_what_the_table_says() -> None:
    for row in TABLE.values():
        parameters = list(inspect.signature(row.call).parameters)
        assert parameters[0] == "vm", row.name
        assert len(parameters) == len(row.params) + 1, row.name


def test_limits_are_constants_that_exist() -> None:
    for row in TABLE.values():
        for name in row.limits:
            assert isinstance(getattr(limits, name), int)


def test_the_widest_row_fits_the_linker() -> None:
    from workers.runtime.engine.linker import SLOTS

    assert max(len(row.params) for row in TABLE.values()) * 2 <= SLOTS
