"""`python bench/convert.py RESULT.etf RESULT.json`: makes JSON of a result as Erlang wrote it.

Erlang writes one term in the external term format; everything else here reads JSON. In JSON a
section is a table: its columns are named once, and each cell is a row on a line of its own. So a
file is half as long, and git shows which cells differ.
"""

import json
import sys
from pathlib import Path
from typing import Any

import erlang

USAGE = "usage: python bench/convert.py RESULT.etf RESULT.json"
DIGITS = 5  # that are kept of a figure: far more than two rounds agree in
FIRST_COLUMNS = ("case", "size", "engine")


def main(arguments: list[str]) -> int:
    """Run the command line and return the exit status."""
    if len(arguments) != 2:
        print(USAGE, file=sys.stderr)
        return 2
    source, target = map(Path, arguments)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(to_json(plain(erlang.binary_to_term(source.read_bytes()))))
    return 0


def plain(term: Any) -> Any:
    """Return a term in values that JSON has: atoms and binaries are strings, `null` is None."""
    if isinstance(term, erlang.OtpErlangAtom):
        return {"true": True, "false": False, "null": None}.get(name(term), name(term))
    if isinstance(term, dict):
        return {plain(key): plain(value) for key, value in term.items()}
    if isinstance(term, list):
        return [plain(item) for item in term]
    if isinstance(term, erlang.OtpErlangBinary):
        return term.value.decode()
    return shortened(term) if isinstance(term, float) else term


def shortened(value: float) -> float:
    """Return a figure with the digits that are kept, as an integer if it is whole then."""
    kept = float(f"{value:.{DIGITS}g}")
    return int(kept) if kept.is_integer() else kept


def name(atom: Any) -> str:
    """Return the name of an atom."""
    value = atom.value
    return value.decode() if isinstance(value, bytes) else str(value)


def to_json(result: dict[str, Any]) -> str:
    """Return a result as JSON, one row of a section on a line."""
    members = [f"{json.dumps(key)}: {member(result[key])}" for key in sorted(result)]
    return "{\n" + ",\n".join(members) + "\n}\n"


def member(value: Any) -> str:
    """Return a member of the result: a table if it is a list of cells, else on one line."""
    if not (isinstance(value, list) and value and isinstance(value[0], dict)):
        return dumps(value)
    columns = [*FIRST_COLUMNS, *sorted(value[0].keys() - set(FIRST_COLUMNS))]
    rows = ",\n".join(dumps([cell[column] for column in columns]) for cell in value)
    return f'{{"columns": {dumps(columns)}, "rows": [\n{rows}\n]}}'


def dumps(value: Any) -> str:
    """Return a value as JSON on one line, without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
