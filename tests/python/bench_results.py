"""Small benchmark results, for the tests of `bench`."""

import copy
import json
from pathlib import Path
from typing import Any

import results

BENCH = Path(results.__file__).parent
CALM = [0.99, 1.0, 1.01, 1.0, 0.98]  # what five rounds are of their median
ROUGH = [0.6, 1.4, 0.9, 1.5, 1.1]
File = dict[str, Any]  # what a result file holds
Cell = dict[str, Any]


def latency(engine: str, p50: float, size: int | None = 64, case: str = "sha256") -> Cell:
    """Return a cell of one caller, with calm rounds."""
    rounds = [p50 * part for part in CALM]
    return {"case": case, "size": size, "engine": engine, "p99": p50 * 1.5, "rounds": rounds}


def rate(engine: str, per_second: float, case: str = "sha256", **more: int) -> Cell:
    """Return a cell of calls a second, with calm rounds."""
    rounds = [per_second * part for part in CALM]
    return {"case": case, "size": 64, "engine": engine, "rounds": rounds, **more}


def late(case: str, engine: str, p99: float = 2.0) -> Cell:
    """Return a cell of a timer that is late, with calm rounds."""
    times = {"p50": 0.0, "p99": p99, "max": 5.0, "rounds": [p99 * part for part in CALM]}
    return {"case": case, "size": None, "engine": engine, "callers": 8, **times}


def section(*cells: Cell) -> File:
    """Return a section as a file has it: a table."""
    columns = list(cells[0])
    return {"columns": columns, "rows": [[cell[name] for name in columns] for cell in cells]}


def small() -> File:
    """Return a small result: the port is too slow by its goal, 2 echoes, and 1.6 are wanted."""
    at_rest, after = [25.0, 25.1], [47.5, 48.5]
    return {
        "format": 2,
        "date": "2026-11-23T03:40:00Z",
        "commit": "35b99a2",
        "machine": {"cpu": "Some [quick] CPU", "architecture": "x86_64-pc", "cores": 2},
        "versions": {
            "otp": "25",
            "python": "3.11.7",
            "cryptography": "50.0.2",
            "openssl": "OpenSSL 4.0.3 9 Jun",
        },
        "one_caller": section(
            *(latency("port", 40), latency("echo", 20), latency("echo_as_long", 21)),
            *(latency("port", 90, 4096), latency("echo", 30, 4096)),
            latency("echo_as_long", 55, 4096),
        ),
        "many_callers": section(rate("port", 20000, callers=1), rate("port", 95000, callers=128)),
        "batches": section(
            *(rate("port", 30000, length=100), rate("port, one by one", 20000, length=100)),
            *(rate("port", 40000, length=1000), rate("port, in flight", 25000, length=1000)),
        ),
        "lateness": section(late("nothing", "none"), late("process_pre_key_bundle", "port")),
        "memory": {
            "before": {"vm_mib": 40.0, "workers_mib": at_rest},
            "after": {"vm_mib": 44.0, "workers_mib": after},
        },
        "start": [118.0, 120.0, 131.0],
    }


def with_cells(file: File, name: str, *cells: Cell) -> File:
    """Return a result with these cells in place of a section's."""
    return {**file, name: section(*cells)}


def multiplied(file: File, parts: list[float], *engines: str) -> File:
    """Return a result with the rounds of one caller multiplied, for these engines."""
    changed = copy.deepcopy(file)
    columns = changed["one_caller"]["columns"]
    for row in changed["one_caller"]["rows"]:
        if row[columns.index("engine")] in engines:
            rounds = columns.index("rounds")
            row[rounds] = [time * part for time, part in zip(row[rounds], parts)]
    return changed


def pooled(*files: File) -> results.Results:
    """Return what is read from these files."""
    return results.pool(list(files))


def write(path: Path, content: Any) -> str:
    """Write a file of JSON, and return its name."""
    path.write_text(json.dumps(content))
    return str(path)
