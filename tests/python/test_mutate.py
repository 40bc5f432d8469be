"""The changes that `make mutate` makes, and its list of those that nobody can see."""

import ast
from collections.abc import Callable, Iterator

import erlang_edits
import mutate
import pytest
import python_edits
from edits import Edit
from targets import TARGETS


def changed(edits: Callable[[str], Iterator[Edit]], text: str) -> set[str]:
    """Return what the edits make of a text."""
    return {edit.apply(text) for edit in edits(text)}


class TestPython:
    """The edits of a Python module."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a < 1", {"a <= 1", "a < 2"}),
            ("a == b != c", {"a != b != c", "a == b == c"}),
            ("a is b", {"a is not b"}),
            ("a and b or c", {"a or b or c", "a and b and c"}),
            ("not a", {"a"}),
            ("a[1:] + b'c'", {"a[2:] + b'c'", "a[1:] - b'c'", "a[1:] + b'cc'"}),
            ("a ^= b >> c", {"a |= b >> c", "a ^= b << c"}),
            ("f(True)", {"f(False)", "pass"}),
            ("'ä'; a + b", {"'ä'; a - b"}),
            ("if a: raise b", {"if not (a): raise b", "if a: pass"}),
        ],
    )
    def test_expression_is_changed_in_each_way(self, text: str, expected: set[str]) -> None:
        assert changed(python_edits.edits, text) == expected

    @pytest.mark.parametrize(
        "text",
        ["'a docstring'", "a: list[1] = b", "__all__ = ['a']", "a = 'a sentence'", "# a < 1"],
    )
    def test_text_and_annotation_are_unchanged(self, text: str) -> None:
        assert changed(python_edits.edits, text) == set()


class TestErlang:
    """The edits of an Erlang module."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("f(A) -> A =:= 16#FF.\n", {"f(A) -> A =/= 16#FF.\n", "f(A) -> A =:= 16#100.\n"}),
            ("-define(A, 1_000).\n", {"-define(A, 1001).\n"}),
            ("f(a) -> b;\nf(_) -> c.\n", {"f(_) -> c.\n"}),
            ("f(A) when is_list(A) -> b.\n", {"f(A) -> b.\n"}),
            ("f() ->\n    g(a),\n    b.\n", {"f() ->\n    b.\n"}),
            ("f() -> not a andalso b.\n", {"f() ->  a andalso b.\n", "f() -> not a orelse b.\n"}),
        ],
    )
    def test_function_is_changed_in_each_way(self, text: str, expected: set[str]) -> None:
        assert changed(erlang_edits.edits, text) == expected

    @pytest.mark.parametrize(
        "text", ["-spec f(1) -> true.\n", "%% a < 1\n", 'f() -> "1 < 2".\n', "f() -> 'a-b'.\n"]
    )
    def test_text_and_attribute_are_unchanged(self, text: str) -> None:
        assert changed(erlang_edits.edits, text) == set()


class TestTargets:
    """The modules that are changed."""

    @pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.path)
    def test_every_module_has_mutants_of_its_language(self, target: mutate.Target) -> None:
        mutants = mutate.mutants(target)
        assert mutants
        if target.path.endswith(".py"):
            assert all(ast.parse(mutant.edit.apply(mutant.text)) for mutant in mutants)

    def test_equivalent_mutants_are_of_the_modules(self) -> None:
        assert {path for path, _, _ in mutate.equivalents()} <= {one.path for one in TARGETS}
