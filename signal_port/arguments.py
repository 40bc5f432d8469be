"""The types of what a program passes to a public function, checked before the function runs.

A requester's arguments were checked when they were decoded, so a worker calls the functions
`unchecked`: there every microsecond counts. An error names the argument and the types, and never
quotes a value, which can be a secret.
"""

from collections.abc import Callable
from enum import IntEnum
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def checked(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return the function, with a check of its arguments by their annotations.

    It raises TypeError with the name of the first argument of a wrong type. A bool is no int; an
    int is a member of an IntEnum if it is one's value. Of a NamedTuple the fields are checked, too.
    """
    kinds = {name: kind for name, kind in function.__annotations__.items() if name != "return"}
    names = list(kinds)
    usual = [None if hasattr(kind, "_fields") else kind for kind in kinds.values()]

    @wraps(function)
    def with_check(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if [*map(type, args)] != usual:  # else nothing is wrong, and this comparison is fast
            for name, value in {**dict(zip(names, args)), **kwargs}.items():
                if name in kinds:
                    _check(function.__name__, name, value, kinds[name])
        return function(*args, **kwargs)

    return with_check


def unchecked(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return the function without its check, for a caller that knows the types."""
    raw: Callable[Arguments, Result] = getattr(function, "__wrapped__", function)
    return raw


def _check(function: str, name: str, value: object, kind: Any) -> None:
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        fits = type(value) in (int, kind) and value in tuple(kind)
    else:
        fits = isinstance(value, kind) and type(value) is not bool
    if not fits:
        found = type(value).__name__
        raise TypeError(f"{function}() argument '{name}' must be {_words(kind)}, not {found}")
    if hasattr(kind, "_fields"):
        for field, field_kind in kind.__annotations__.items():
            _check(function, f"{name}.{field}", getattr(value, field), field_kind)


def _words(kind: Any) -> str:
    if not isinstance(kind, type):
        return str(kind)
    if issubclass(kind, IntEnum):
        return " or ".join(f"{kind.__name__}.{member.name}" for member in kind)
    return kind.__name__
