"""Reading and linting: every mistake in a recipe is found before it runs, with its place and the nearest right name."""

from __future__ import annotations

from pathlib import Path

import pytest

from calimero_tui.recipe.load import Problems, load
from calimero_tui.recipe.model import Recipe
from calimero_tui.recipe.source import plain
from calimero_tui.recipe.steps import STEPS
from node.errors import ParseError, Refused

HEAD = "recipe: 1\nname: n\nnodes: {network: {count: 2}}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "r.yml"


def problems(file: Path, text: str) -> list[str]:
    """What is wrong in a text, without the folder of the file."""
    file.write_text(text)
    with pytest.raises(Problems) as caught:
        load(file)
    return [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]


def loaded(file: Path, text: str, **kwargs: dict[str, str]) -> Recipe:
    file.write_text(text)
    return load(file, kwargs.get("variables"), kwargs.get("urls"))


def test_a_recipe_is_read(file: Path) -> None:
    recipe = loaded(
        file,
        f"""{HEAD}description: d
vars: {{a: 1}}
steps:
  - name: first
    call: {{method: get, args: {{key: "{{{{a}}}}"}}}}
    node: node1
    capture: {{found: 'a.b[0]', whole: }}
    expect: [{{path: a, equals: 1, gt: 0, message: m}}, {{is_set: true}}]
    retry: {{times: 3, every: 0.5}}
  - context ls:
    node: all
    wait_until: {{}}
    expected_failure: true
""",
    )
    assert (recipe.name, recipe.description, recipe.nodes, recipe.count) == ("n", "d", ("node1", "node2"), 2)
    first, second = recipe.steps
    assert (first.type, first.name, first.number, str(first.span)) == ("call", "first", "1", f"{file}:8:5")
    assert plain(first.arguments["args"]) == {"key": "{{a}}"}
    assert [(c.variable, c.path) for c in first.capture] == [("found", ("a", "b", 0)), ("whole", ())]
    assert [[name for name, _ in check.operators] for check in first.expect] == [["equals", "gt"], ["is_set"]]
    assert first.patience is not None
    assert (first.patience.times, first.patience.every, first.patience.timeout) == (3, 0.5, None)
    assert second.patience is not None
    assert (second.patience.timeout, second.expected_failure) == (30.0, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1", ":1:1: a recipe is a mapping with recipe, name, nodes and steps"),
        ("name: merobox\nsteps: []", ":1:1: this is no recipe of calimero; one begins with `recipe: 1`"),
        ("a: [", ":1:5: while parsing a flow node"),
    ],
)
def test_what_is_no_recipe(file: Path, text: str, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        loaded(file, text)
    assert str(caught.value).startswith(f"{file}{message}")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("stepps: []", ["4:1: a recipe has no 'stepps'; did you mean steps?", "1:1: steps must be a list"]),
        ("steps: []", ["4:8: steps must be a list with at least one step"]),
        ("steps: [5]", ["4:9: a step is a mapping like"]),
        ("steps: [{}]", ["4:9: the step does not say what to do"]),
        ("steps: [{cal: {}}]", ["4:10: there is no step 'cal'; did you mean call?"]),
        ("steps: [{call: get, nod: node1}]", ["4:21: a step has no 'nod'; did you mean node?"]),
        ("steps: [{call: get, wait: 1}]", ["4:21: 'call' and 'wait' are two steps; begin the second with -"]),
        ("steps: [{call: {metod: get}, node: node1}]", ["4:17: call has no 'metod'; did you mean method?"]),
        ("steps: [{call: {args: {}}, node: node1}]", ["4:10: call needs method: name of the method"]),
        ("steps: [{call: {method: 5}, node: node1}]", ["4:25: method must be a text, not 5; write it in quotes"]),
        ("steps: [{call: [get], node: node1}]", ["4:16: call must be a mapping"]),
        ("steps: [{call: get}]", ["4:10: call must name its node; there are: node1, node2"]),
        ("steps: [{call: get, node: nod1}]", ["4:27: there is no node 'nod1'; did you mean node1 or node2?"]),
        ("steps: [{call: get, node: [node1, 2]}]", ["4:35: a node is a name, a list of names, or all"]),
        ("steps: [{wait: 1, node: node1}]", ["4:19: wait does not run on one node; remove node"]),
        ("steps: [{wait: abc}]", ["4:16: seconds must be a number, not 'abc'"]),
        ("steps: [wait]", ["4:9: wait needs seconds: how long"]),
        ("steps: [{wait: '{{x}}'}]", ["4:16: 'x' has no value here; there are: demo_app, nodes, recipe_dir"]),
        ("steps: [{wait: '{{node}}'}]", ["4:16: 'node' has no value here; did you mean nodes?"]),
        ("steps: [{wait: '{{x'}]", ["4:16: a template is not closed in '{{x'"]),
        ("steps: [{wait: '{{x y}}'}]", ["4:16: 'x y' is no path"]),
        ("vars: {a: '{{b}}', b: 1}\nsteps: [{wait: 1}]", ["4:11: 'b' has no value here"]),
        ("vars: {nodes: 1}\nsteps: [{wait: 1}]", ["4:8: nodes is set by the runner; choose another name"]),
        ("vars: {a b: 1}\nsteps: [{wait: 1}]", ["4:8: 'a b' cannot be a variable"]),
        ("vars: [1]\nsteps: [{wait: 1}]", ["4:7: vars must be a mapping"]),
        ("steps: [{wait: 1, capture: {x: a..b}}]", ["4:32: 'a..b' is no path like a.b[0]"]),
        ("steps: [{wait: 1, capture: {x: 'a[b]'}}]", ["4:32: [b] is no index"]),
        ("steps: [{wait: 1, capture: {iteration: a}}]", ["4:29: iteration is set by the runner"]),
        ("steps: [{wait: 1, expect: {}}]", ["4:27: the check says nothing; use one of equals"]),
        ("steps: [{wait: 1, expect: {equal: 1}}]", ["4:28: a check has no 'equal'", "4:27: the check"]),
        ("steps: [{wait: 1, expect: {matches: '('}}]", ["4:37: matches needs a pattern, not '('"]),
        ("steps: [{wait: 1, expect: {that: 1, equals: 1}}]", ["4:28: a check has no 'that'"]),
        ("steps: [{assert: {equals: 1}}]", ["4:18: an assert needs `that`"]),
        ("steps: [{assert: {that: 1, equals: 1}, expect: {equals: 1}}]", ["4:40: assert holds its checks itself"]),
        ("steps: [{wait: 1, retry: {}}]", ["4:26: times is missing"]),
        ("steps: [{wait: 1, retry: {times: 0}}]", ["4:34: times must be a number from 1 to 1000000, not 0"]),
        ("steps: [{wait: 1, retry: {times: 1}, wait_until: {}}]", ["4:38: retry and wait_until are two ways"]),
        ("steps: [{wait: 1, wait_until: {every: -1}}]", ["4:39: every must be a number of seconds, not -1"]),
        ("steps: [{wait: 1, expected_failure: 5}]", ["4:37: expected_failure must be true or false, not 5"]),
        ("steps: [{repeat: {count: 1, steps: [{wait: 1}]}, retry: {times: 2}}]", ["4:50: repeat cannot"]),
        ("steps: [{repeat: {count: 1}}]", ["4:18: steps must be a list"]),
        ("steps: [{repeat: {steps: [{wait: 1}]}}]", ["4:10: repeat needs count: how often"]),
        ("steps: [{each: {nodes: [node3], steps: [{wait: 1}]}}]", ["4:25: there is no node 'node3'"]),
        ("steps: [{parallel: {steps: [{wait: 1}], groups: []}}]", ["4:49: parallel has either steps or a list"]),
        ("steps: [{parallel: {groups: [{step: []}]}}]", ["4:31: a group has no 'step'", "4:30: steps"]),
    ],
)  # fmt: skip
def test_mistakes(file: Path, body: str, expected: list[str]) -> None:
    found = problems(file, HEAD + body)
    assert len(found) == len(expected)
    for message in expected:
        assert any(problem.startswith(message) for problem in found), found


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ("{network: {count: 0}}", "3:26: count must be a number from 1 to 9, not 0"),
        ("{network: {count: 10}}", "3:26: count must be a number from 1 to 9, not 10"),
        ("{network: {}}", "3:18: count is missing"),
        ("{network: {count: 2}, a: http://x}", "3:30: nodes has no 'a'"),
        ("{}", "3:8: nodes is `network: {count: 3}`, or a name and an address"),
        ("{all: http://x}", "3:9: 'all' cannot be the name of a node"),
        ("{a: 5}", "3:12: a needs an address like http://127.0.0.1:2528"),
        ("[a]", "3:8: nodes must be a mapping"),
    ],
)
def test_nodes(file: Path, nodes: str, message: str) -> None:
    assert any(
        found.startswith(message)
        for found in problems(file, f"recipe: 1\nname: n\nnodes: {nodes}\nsteps: [{{wait: 1}}]")
    )


def test_another_version_is_named(file: Path) -> None:
    assert problems(file, "recipe: 2\nsteps: [{wait: 1}]") == ["1:9: recipe: 2 is not known here; this program reads 1"]


def test_problems_are_in_the_order_of_the_file(file: Path) -> None:
    found = problems(file, f"{HEAD}steps:\n  - wait: '{{{{a}}}}'\n  - call: get\n  - wait: '{{{{b}}}}'")
    assert [problem.split(":")[0] for problem in found] == ["5", "6", "7"]


BODIES = {
    "what repeat captures is known after it, not before": (
        "steps:\n  - repeat: {count: 1, steps: [{wait: '{{x}}'}, {set: {x: 1}}, {wait: '{{x}}'}]}\n  - wait: '{{x}}'",
        1,
    ),
    "locals are known inside alone": (
        "steps:\n  - repeat: {count: 1, steps: [{wait: '{{iteration}}'}]}\n  - wait: '{{iteration}}'", 1,
    ),
    "groups do not see each other": (
        "steps:\n  - parallel: {steps: [{set: {x: 1}}, {wait: '{{x}}'}]}\n  - wait: '{{x}}'", 1,
    ),
    "a step inside of each runs on the node": ("steps:\n  - each: {steps: [{call: get}, {wait: '{{node}}'}]}", 0),
    "a step on many nodes knows which": (
        "steps:\n  - call: {method: get, args: {a: '{{node}}'}}\n    node: all\n    expect: {equals: '{{node}}'}", 0,
    ),
    "a step on one node has no variable for it": (
        "steps: [{call: {method: get, args: {a: '{{node}}'}}, node: node1}]", 1,
    ),
    "a capture is known to the step's own checks": (
        "steps: [{call: get, node: node1, capture: {x: a}, expect: {equals: '{{x}}'}}]", 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_variables_are_followed(file: Path, name: str) -> None:
    body, count = BODIES[name]
    if count:
        assert len(problems(file, HEAD + body)) == count
    else:
        loaded(file, HEAD + body)


def test_values_from_outside_replace_those_of_the_file(file: Path) -> None:
    text = f"{HEAD}vars: {{a: 1}}\nsteps: [{{wait: '{{{{a}}}}'}}]"
    recipe = loaded(file, text, variables={"a": "{{nodes}}"}, urls={"node2": "http://b", "node1": "http://a"})
    assert plain(recipe.variables["a"]) == "{{nodes}}"
    assert recipe.urls == {"node2": "http://b", "node1": "http://a"}
    with pytest.raises(Refused, match="has no variable 'b'; there are: a"):
        loaded(file, text, variables={"b": "1"})
    with pytest.raises(Refused, match="give an address for each, not for node1"):
        loaded(file, text, urls={"node1": "http://a"})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"cannot read .*No such file"):
        load(tmp_path / "none.yml")
    (tmp_path / "raw").write_bytes(b"\xff")
    with pytest.raises(ParseError, match="is no UTF-8 text"):
        load(tmp_path / "raw")


def test_every_step_type_can_run_and_is_explained() -> None:
    for kind in STEPS.values():
        assert (kind.action is None) != (kind.handler is None)
        assert kind.help
