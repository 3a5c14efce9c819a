"""Words of a line: quotes, JSON in brackets, comments; nothing that a person types makes the scanner fail."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calimero_tui.repl.complete import quoted
from calimero_tui.repl.words import scan, split
from node.errors import Refused


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("", []),
        ("  \t ", []),
        ("ls", ["ls"]),
        ("call  set   k=v ", ["call", "set", "k=v"]),
        ("say 'a b' \"c d\"", ["say", "a b", "c d"]),
        (r"say a\ b", ["say", "a b"]),
        (r'say "a \"b\" \\ \n"', ["say", r'a "b" \ \n']),
        ("say 'a\\'", ["say", "a\\"]),
        ('say ""', ["say", ""]),
        ('call set {"key": "a b"}', ["call", "set", '{"key": "a b"}']),
        ('call set k={"a": [1, "]"]} z', ["call", "set", 'k={"a": [1, "]"]}', "z"]),
        (r'call set {"q": "\" }"}', ["call", "set", r'{"q": "\" }"}']),
        ("path a{b c", ["path", "a{b", "c"]),
        ("ls # what there is", ["ls"]),
        ("# nothing", []),
        ("say a#b '#c'", ["say", "a#b", "#c"]),
    ],
)
def test_words(line: str, texts: list[str]) -> None:
    assert [word.text for word in split(line)] == texts


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("say 'a b", "column 5: the quote ' is not closed in 'a b"),
        ('say "a', 'column 5: the quote " is not closed in "a'),
        ('call set {"a": [1', """column 10: the bracket before ] is not closed in {"a": [1"""),
        ('call set {"a', """column 10: the quote " is not closed in {"a"""),
        ('call set {"a\\', """column 10: the quote " is not closed in {"a\\"""),
    ],
)
def test_what_is_not_closed_is_named(line: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        split(line)
    assert (str(caught.value), caught.value.kind) == (message, "argument")


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ("n=5", ("n", "5", False)),
        ('n="5"', ("n", "5", True)),
        ("n='a b'", ("n", "a b", True)),
        ("n=", ("n", "", False)),
        ("n=a=b", ("n", "a=b", False)),
        ("'n=5'", None),
        ("n", None),
        ("http://x?a=b", None),
    ],
)
def test_pairs(line: str, pair: tuple[str, str, bool] | None) -> None:
    (word,) = split(line)
    assert word.pair() == pair


@given(st.text(alphabet=st.sampled_from(" ab=\"'{}[]\\#\n\té"), max_size=40))
def test_any_line_is_scanned_and_places_are_right(line: str) -> None:
    words = scan(line)
    for word in words:
        assert line[word.start : word.end] == word.raw != ""
    assert all(not word.open for word in words[:-1])
    assert all(a.end <= b.start for a, b in itertools.pairwise(words))


@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_a_quoted_text_is_one_word_again(text: str) -> None:
    assert [word.text for word in split(quoted(text))] == [text]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(), JSON) | st.lists(JSON))
def test_json_is_one_word_as_it_is(value: object) -> None:
    (word,) = split(json.dumps(value))
    assert json.loads(word.text) == value
