"""The edits of a Python module. Annotations, docstrings and sentences stay as they are."""

import ast
import re
from collections.abc import Iterator

from edits import Edit

SWAPS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "|"),
    ast.Pow: ("**", "*"),
}


def edits(text: str) -> Iterator[Edit]:
    """Yield every edit of a module."""
    return Module(text).edits(ast.parse(text))


class Module:
    """A module's text, and where its nodes are in it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = [0]
        for line in text.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def edits(self, node: ast.AST) -> Iterator[Edit]:
        """Yield the edits of a node and of those in it."""
        yield from self._own(node)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not _is_text(child):
                    yield from self.edits(child)

    def _own(self, node: ast.AST) -> Iterator[Edit]:
        match node:
            case ast.Compare():
                sides = [node.left, *node.comparators]
                for operator, left, right in zip(node.ops, sides, sides[1:]):
                    yield from self._swap(operator, left, right)
            case ast.BoolOp():
                for left, right in zip(node.values, node.values[1:]):
                    yield from self._swap(node.op, left, right)
            case ast.BinOp():
                yield from self._swap(node.op, node.left, node.right)
            case ast.AugAssign():
                yield from self._swap(node.op, node.target, node.value)
            case ast.UnaryOp(op=ast.Not()):
                yield Edit(self._start(node), self._start(node.operand), "")
            case ast.Constant():
                yield from self._constant(node)
            case ast.Raise() | ast.Expr(value=ast.Call()):
                yield Edit(self._start(node), self._end(node), "pass")
            case ast.If(test=test) | ast.IfExp(test=test):
                if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
                    start, end = self._start(test), self._end(test)
                    yield Edit(start, end, f"not ({self._text[start:end]})")

    def _swap(
        self, operator: ast.AST, left: ast.expr | ast.stmt, right: ast.expr | ast.stmt
    ) -> Iterator[Edit]:
        old, new = SWAPS.get(type(operator), ("", ""))
        start = self._end(left)
        found = re.search(r"(?<!\w)" + re.escape(old), self._text[start : self._start(right)])
        if old and found:
            yield Edit(start + found.start(), start + found.end(), new)

    def _constant(self, node: ast.Constant) -> Iterator[Edit]:
        new = None
        match node.value:
            case bool(value):
                new = repr(not value)
            case int(value):
                new = repr(value + 1)
            case str(value) if value:
                new = repr(value + value[0])
            case bytes(value) if value:
                new = repr(value + value[:1])
        if new is not None:
            yield Edit(self._start(node), self._end(node), new)

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self._offset(node.lineno, node.col_offset)

    def _end(self, node: ast.expr | ast.stmt) -> int:
        return self._offset(node.end_lineno or 0, node.end_col_offset or 0)

    def _offset(self, line: int, column: int) -> int:
        """Return the place of a column, which the parser counts in bytes."""
        start, end = self._lines[line - 1], self._lines[line]
        return start + len(self._text[start:end].encode()[:column].decode())


def _is_text(node: ast.AST) -> bool:
    """Return whether a node is a docstring, `__all__`, or has the words of a sentence."""
    match node:
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case ast.Expr(value=ast.Constant()) | ast.JoinedStr():
            return True
        case ast.Constant(value=str(value)):
            return " " in value
    return False
