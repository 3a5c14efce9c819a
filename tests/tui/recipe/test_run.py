"""Recipes over small nodes: order, captures, checks on one and many nodes, patience, flow, and what ends a run."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from calimero_tui.output.exits import FAILED, REFUSED, UNREACHABLE, USAGE, exit_code
from calimero_tui.recipe.events import (
    Event,
    RunFinished,
    RunStarted,
    StepFailed,
    StepPassed,
    StepRetried,
    StepStarted,
    to_json,
)
from calimero_tui.recipe.load import load
from calimero_tui.recipe.model import to_scope
from calimero_tui.recipe.report import lines
from calimero_tui.recipe.run import Outcome, run
from node.errors import AssertionFailed, LintError
from tests.tui.small import World, key

HEAD = "recipe: 1\nname: n\nnodes: {network: {count: 3}}\n"


class Bench:
    """Runs recipe bodies on a world of small nodes and keeps what was reported."""

    def __init__(self, folder: Path) -> None:
        self.world = World()
        self.events: list[Event] = []
        self._file = folder / "r.yml"

    def run(self, body: str, count: int = 3) -> Outcome:
        self._file.write_text(HEAD + body)
        recipe = load(self._file)
        nodes = self.world.nodes(count)
        self.events = []

        async def go() -> Outcome:
            try:
                variables = to_scope(recipe, str(self._file.parent), str(self._file))
                return await run(recipe, nodes, variables, self.events.append)
            finally:
                for node in nodes.values():
                    await node.close()

        return asyncio.run(go())

    def captured(self, body: str) -> dict[str, Any]:
        outcome = self.run(body)
        assert outcome.error is None, outcome.error
        return outcome.captured

    def error(self, body: str) -> Exception:
        outcome = self.run(body)
        assert outcome.error is not None
        return outcome.error

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.world.context("node1", "node2", "node3")
    return bench


def test_a_whole_story_passes(bench: Bench) -> None:
    found = bench.captured(
        """
vars: {first: one, second: "{{first}} and two"}
steps:
  - app install: "{{demo_app}}"
    node: all
    capture: {apps: application}
  - create_mesh: {context_node: node1, application: "{{apps.node1}}"}
    capture: {context: context, members: members}
  - wait_for_sync: {context: "{{context}}", trigger_sync: false}
    capture: {root: root_hash}
  - call: {method: set, args: {key: a, value: "{{second}}"}, context: "{{context}}", executor: "{{members[node]}}"}
    node: [node2, node3]
  - call: {method: get, args: {key: a}, context: "{{context}}"}
    node: node1
    capture: {value: }
    expect: {equals: one and two}
  - assert: [{that: "{{members}}", length: 3}, {that: "{{members}}", path: node1, equals: "{{members.node1}}"}]
"""
    )
    assert found["value"] == "one and two"
    assert set(found["members"]) == {"node1", "node2", "node3"}
    assert len(found["root"]) >= 32
    assert [event.step.number for event in bench.of(StepPassed)] == ["1", "2", "3", "4", "5", "6"]
    assert isinstance(bench.events[0], RunStarted)
    assert bench.events[-1] == RunFinished(passed=True, steps=6, seconds=bench.events[-1].seconds, captured=found)  # type: ignore[union-attr]
    assert sorted(url for url, method, _ in bench.world.calls if method == "set") == ["http://node2", "http://node3"]


def test_repeat_keeps_the_last_round(bench: Bench) -> None:
    found = bench.captured(
        """
steps:
  - repeat:
      count: 3
      steps:
        - call: {method: set, args: {key: "k{{iteration_index}}", value: "{{iteration}}"}}
          node: node1
        - set: {last: "{{iteration}}"}
  - call: entries
    node: node1
    expect: {equals: {k0: 1, k1: 2, k2: 3}}
"""
    )
    assert found == {"last": 3}


def test_each_collects_by_node(bench: Bench) -> None:
    found = bench.captured(
        """
steps:
  - each:
      nodes: [node2, node1]
      steps:
        - call: whoami
          capture: {me: }
        - assert: {that: "{{me}}", equals: "http://{{node}}"}
"""
    )
    assert found == {"me": {"node2": "http://node2", "node1": "http://node1"}}
    assert [event.step.node for event in bench.of(StepStarted)] == ["", "node2", "", "node1", ""]


def test_parallel_groups_bring_their_captures_out(bench: Bench) -> None:
    found = bench.captured(
        """
steps:
  - parallel:
      groups:
        - name: slow
          steps: [{wait: 0.02}, {set: {both: slow, slow: "{{group_name}}"}}]
        - name: fast
          count: 2
          steps: [{set: {both: fast, fast: "{{group_index}} {{iteration}}"}}]
"""
    )
    assert found == {"both": "fast", "slow": "slow", "fast": "1 2"}


def test_a_failing_group_lets_the_others_end(bench: Bench) -> None:
    error = bench.error("steps:\n  - parallel: {steps: [{assert: {that: 1, equals: 2}}, {wait: 0.02}, {set: {x: 1}}]}")
    assert isinstance(error, AssertionFailed)
    assert sorted(event.step.number for event in bench.of(StepPassed)) == ["1.2", "1.3"]
    assert [event.step.number for event in bench.of(StepFailed)] == ["1.1"]


def test_checks_on_many_nodes_judge_each_and_all(bench: Bench) -> None:
    body = "steps:\n  - call: whoami\n    node: all\n    expect: {%s}"
    assert bench.run(body % "equals: 'http://{{node}}'").error is None
    error = bench.error(body % "equals: 'http://node1', message: wrong place")
    assert isinstance(error, AssertionFailed)
    assert "wrong place: node2: equals does not hold" in str(error)
    assert error.diff == '- "http://node1"\n+ "http://node2"'
    error = bench.error(body % "all_equal: true")
    assert isinstance(error, AssertionFailed)
    assert error.diff == '  node1: "http://node1"\n  node2: "http://node2"\n  node3: "http://node3"'


def test_a_failure_names_its_place_and_ends_the_run(bench: Bench) -> None:
    outcome = bench.run("steps:\n  - wait: 0\n  - assert: {that: 1, equals: 2}\n  - wait: 0")
    assert str(outcome.error).split(":")[1:3] == ["6", "13"]
    assert outcome.steps == 1
    assert exit_code(outcome.error) == FAILED  # type: ignore[arg-type]
    assert isinstance(bench.events[-2], StepFailed)
    assert bench.events[-1].passed is False  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("step", "kind", "code", "message"),
    [
        ("call: nothing", "Refused", REFUSED, 'method "nothing" not found'),
        ("call: {method: get, args: 5}", "Refused", USAGE, "args must be a JSON object"),
        ("call: {method: get, args: {key: a}, context: '{{nodes}}'}", "LintError", USAGE, "context must be a text"),
        ("context inspect: '{{nodes[7]}}'", "AssertionFailed", FAILED, "the value has 3 items, no item 7"),
        ("context inspect: '{{nodes[demo_app]}}'", "AssertionFailed", FAILED, "is a list, so it has no"),
        ("app install: no-such-file", "Refused", USAGE, "there is no file"),
    ],
)
def test_what_a_step_can_end_with(bench: Bench, step: str, kind: str, code: int, message: str) -> None:
    error = bench.error(f"steps:\n  - {step}\n    node: node1")
    assert (type(error).__name__, exit_code(error)) == (kind, code)
    assert message in str(error)


def test_a_node_that_is_down_has_its_own_code(bench: Bench) -> None:
    bench.world.down.add("http://node2")
    assert exit_code(bench.error("steps:\n  - call: entries\n    node: all")) == UNREACHABLE


def test_a_capture_must_find_something(bench: Bench) -> None:
    error = bench.error("steps:\n  - call: entries\n    node: node1\n    capture: {x: nothing}")
    assert isinstance(error, AssertionFailed)
    assert "nothing to capture: the value has no 'nothing'" in str(error)


def test_an_absent_value_is_not_set(bench: Bench) -> None:
    body = "steps:\n  - call: entries\n    node: node1\n    expect: {path: a, %s}"
    assert bench.run(body % "is_set: false, is_empty: true").error is None
    assert "the value has no 'a'" in str(bench.error(body % "not_equals: 1"))


def test_an_expected_failure_is_a_result(bench: Bench) -> None:
    found = bench.captured(
        """
steps:
  - call: nothing
    node: node1
    expected_failure: true
    capture: {message: error_message}
    expect: {path: error_type, equals: FunctionCallError}
"""
    )
    assert found == {"message": 'method "nothing" not found'}


def test_an_expected_failure_that_succeeds_fails(bench: Bench) -> None:
    error = bench.error("steps:\n  - call: entries\n    node: node1\n    expected_failure: true")
    assert isinstance(error, AssertionFailed)
    assert "call was expected to fail on http://node1" in str(error)


@pytest.mark.parametrize(("times", "passes"), [(3, True), (2, False)])
def test_retry_has_so_many_tries(bench: Bench, times: int, passes: bool) -> None:
    bench.world.refusals = 2
    body = f"steps:\n  - call: entries\n    node: node1\n    retry: {{times: {times}, every: 0}}"
    assert (bench.run(body).error is None) is passes
    assert [event.attempt for event in bench.of(StepRetried)] == list(range(1, times))


def test_wait_until_tries_until_its_checks_hold(bench: Bench) -> None:
    body = """
steps:
  - parallel:
      steps:
        - call: entries
          node: node1
          expect: {path: a, equals: b}
          wait_until: {timeout: 5, every: 0.001}
        - repeat:
            count: 1
            steps:
              - wait: 0.02
              - call: {method: set, args: {key: a, value: b}}
                node: node2
"""
    assert bench.run(body).error is None
    assert bench.of(StepRetried)[0].reason.endswith("the value has no 'a'; it has: nothing")


def test_wait_until_ends(bench: Bench) -> None:
    patience = "wait_until: {timeout: 0.02, every: 0.001}"
    body = f"steps:\n  - call: entries\n    node: node1\n    expect: {{equals: 1}}\n    {patience}"
    assert isinstance(bench.error(body), AssertionFailed)
    assert bench.of(StepRetried)


def test_a_wrong_argument_is_not_tried_again(bench: Bench) -> None:
    bench.error("steps:\n  - call: {method: get, args: 5}\n    node: node1\n    retry: {times: 5, every: 0}")
    assert bench.of(StepRetried) == []


def test_wait_for_sync_shows_what_each_node_has(bench: Bench) -> None:
    context = bench.world.context("node1", "node2")
    error = bench.error(f"steps:\n  - wait_for_sync: {{context: {context}, timeout: 0.02, every: 0.001}}")
    assert isinstance(error, AssertionFailed)
    assert "the nodes do not agree after 0.02 s" in str(error)
    root = bench.world.contexts[context].root()
    assert error.diff.splitlines() == [f"  node1: {root}", f"  node2: {root}", "  node3: (Context not found)"]
    found = bench.captured(
        f"steps:\n  - wait_for_sync: {{context: {context}, nodes: [node1, node2]}}\n    capture: {{r: }}"
    )
    assert found["r"]["node_hashes"] == {"node1": root, "node2": root}
    assert (found["r"]["synced"], found["r"]["attempts"]) == (True, 1)


def test_templates_name_nodes(bench: Bench) -> None:
    assert (
        bench.captured("vars: {n: node2}\nsteps: [{call: whoami, node: '{{n}}', capture: {me: }}]")["me"]
        == "http://node2"
    )
    error = bench.error("vars: {n: node9}\nsteps: [{call: whoami, node: '{{n}}'}]")
    assert isinstance(error, LintError)
    assert "there is no node 'node9'" in str(error)


def test_files_are_found_beside_the_recipe(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "app.wasm").write_bytes(b"")
    found = bench.captured("steps: [{app install: app.wasm, node: node1, capture: {app: application}}]")
    assert found["app"] == key(str(tmp_path / "app.wasm"))


def test_a_count_of_nothing_is_refused(bench: Bench) -> None:
    assert "count must be 1 or more, not 0" in str(bench.error("steps: [{repeat: {count: 0, steps: [{wait: 0}]}}]"))


def test_events_are_json_and_lines(bench: Bench) -> None:
    bench.world.refusals = 1
    call = "call: entries\n    node: node1\n    retry: {times: 2, every: 0}\n    capture: {e: }"
    bench.run(f"steps:\n  - {call}\n  - assert: {{that: 1, equals: 2}}")
    found = [json.loads(json.dumps(to_json(event))) for event in bench.events]
    assert [row["event"] for row in found] == [
        "run_started", "step_started", "step_retried", "step_passed", "step_started", "step_failed", "run_finished",
    ]  # fmt: skip
    assert {"step": "1", "name": "call", "node": "node1", "line": 5}.items() <= found[1].items()
    assert found[3]["captured"] == {"e": {}}
    assert found[5]["error"]["span"]["line"] == 9
    assert found[5]["diff"] == "- 2\n+ 1"
    shown = "\n".join(line for event in bench.events for line in lines(event))
    assert "ok    1      call on node1" in shown
    assert "FAIL  2      assert  line 9" in shown
    assert "        - 2\n        + 1" in shown
    assert "failed: 1 steps passed" in shown
