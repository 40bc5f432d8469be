"""Python modules as source text: what they import, and what their functions can raise.

A module stands for itself by its name within its folder. Imports inside functions count, and so do
those of the table of commands, which the command line imports by name.
"""

import ast
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from signal_port.command_line import COMMANDS

PACKAGE = "signal_port"
Function = tuple[str, str]  # module, name


def parsed(folder: Path) -> dict[str, ast.Module]:
    """Return the modules in a folder, by name."""
    return {path.stem: ast.parse(path.read_text()) for path in sorted(folder.glob("*.py"))}


def imports(modules: dict[str, ast.Module]) -> dict[str, set[str]]:
    """Return what each module imports: modules of the folder, and the first names of others."""
    graph = {
        name: set(_within(_imported(tree), modules.keys())) - {"__init__"}
        for name, tree in modules.items()
    }
    if "command_line" in graph:
        graph["command_line"] |= {command.module for command in COMMANDS.values()}
    return graph


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from (f"{module}.{alias.name}" for alias in names)


def _within(names: Iterator[str], modules: Collection[str]) -> Iterator[str]:
    for name in names:
        first, *rest = name.split(".")
        yield rest[0] if first == PACKAGE and rest and rest[0] in modules else first


class Errors:
    """The atoms that the functions of a package can raise, by their literals.

    An atom is the argument of `SignalError`, or of a parameter `error` of a package's function. Who
    catches an error is not considered: a function can raise fewer than are found here.
    """

    def __init__(self, folder: Path) -> None:
        self._scopes: dict[str, dict[str, Function]] = {}
        self._functions: dict[Function, ast.FunctionDef] = {}
        modules = parsed(folder)
        for module, tree in modules.items():
            for node in tree.body:
                if isinstance(node, ast.FunctionDef):
                    self._functions[module, node.name] = node
            self._scopes[module] = dict(_names(module, tree, modules.keys()))

    def atoms(self) -> set[str]:
        """Return the atoms of the whole package."""
        return set().union(*(self._atoms(function) for function in self._functions))

    def reached_from(self, function: Callable[..., object]) -> set[str]:
        """Return the atoms of a function, and of all functions that it refers to."""
        found: set[str] = set()
        seen: set[Function] = set()
        waiting = [(function.__module__.rpartition(".")[2], function.__name__)]
        while waiting:
            name = waiting.pop()
            if name in self._functions and name not in seen:
                seen.add(name)
                found |= self._atoms(name)
                waiting += self._references(name)
        return found

    def _references(self, function: Function) -> list[Function]:
        scope = self._scopes[function[0]]
        found = []
        for node in ast.walk(self._functions[function]):
            match node:
                case ast.Name(id=name) if name in scope:
                    found.append(scope[name])
                case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in scope:
                    found.append((scope[name][0], attribute))
        return found

    def _atoms(self, function: Function) -> set[str]:
        calls = [node for node in ast.walk(self._functions[function]) if isinstance(node, ast.Call)]
        return {atom for call in calls for atom in self._arguments(function[0], call)}

    def _arguments(self, module: str, call: ast.Call) -> Iterator[str]:
        position = self._error_position(module, call.func)
        if position is not None and len(call.args) > position:
            match call.args[position]:
                case ast.Constant(value=str(atom)):
                    yield atom

    def _error_position(self, module: str, called: ast.expr) -> int | None:
        scope = self._scopes[module]
        match called:
            case ast.Name(id="SignalError"):
                return 0
            case ast.Name(id=name) if name in scope:
                function = scope[name]
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in scope:
                function = scope[name][0], attribute
            case _:
                return None
        definition = self._functions.get(function)
        parameters = [argument.arg for argument in definition.args.args] if definition else []
        return parameters.index("error") if "error" in parameters else None


def _names(
    module: str, tree: ast.Module, modules: Collection[str]
) -> Iterator[tuple[str, Function]]:
    """Yield the names of a module's scope that stand for modules or functions of the package."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name):
                yield name, (module, name)
            case ast.ImportFrom(module="signal_port", names=names):
                yield from ((alias.name, (alias.name, "")) for alias in names)
            case ast.ImportFrom(module=str(source), names=names):
                if source.removeprefix(f"{PACKAGE}.") in modules:
                    other = source.removeprefix(f"{PACKAGE}.")
                    yield from ((alias.name, (other, alias.name)) for alias in names)
