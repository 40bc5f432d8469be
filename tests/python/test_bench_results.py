"""Benchmark results: reading, checking, pooling, and the way from Erlang's term to JSON."""

import ast
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import results
from bench_results import BENCH, ROUGH, latency, pooled, small, with_cells, write
from results import Key

PORT = Key("one_caller", "sha256", 64, "port")
ECHO = PORT._replace(engine="echo")

NO_RESULTS = {
    "text": ("not a result", "is not a benchmark result"),
    "a list": ([], "is not a benchmark result"),
    "no format": ({"date": "2026"}, "is not a benchmark result"),
    "an older format": (
        {"format": 1, "one_caller": []},
        "is a benchmark result of format 1, and this is a reader of format 2: measure again by "
        "make bench",
    ),
    "a short row": (
        {"format": 2, "one_caller": {"columns": ["case", "size"], "rows": [["sha256"]]}},
        "is not a whole benchmark result: a row of one_caller is shorter or longer than its "
        "columns",
    ),
    "a missing column": (
        {"format": 2, "batches": {"columns": ["case", "size"], "rows": [["sha256", 64]]}},
        "is not a whole benchmark result: batches has no column engine, length, rounds",
    ),
    "no rounds": (
        with_cells(small(), "one_caller", {**latency("port", 40), "rounds": []}),
        "is not a whole benchmark result: a row of one_caller has no rounds",
    ),
    "rounds of text": (
        with_cells(small(), "one_caller", {**latency("port", 40), "rounds": ["fast"]}),
        "is not a whole benchmark result: a round is no figure",
    ),
    "a section of text": (
        {"format": 2, "one_caller": "fast"},
        "is not a whole benchmark result: ",
    ),
    "a machine of text": (
        {"format": 2, "machine": "fast"},
        "is not a whole benchmark result: its machine is no object",
    ),
}


class TestReading:
    @pytest.mark.parametrize("name", NO_RESULTS)
    def test_file_that_is_no_result_gets_one_sentence(self, name: str, tmp_path: Path) -> None:
        content, sentence = NO_RESULTS[name]
        file = write(tmp_path / "a.json", content)
        with pytest.raises(ValueError) as raised:
            results.read([Path(file)])
        assert str(raised.value).startswith(f"{file} {sentence}")
        assert "\n" not in str(raised.value)

    def test_file_that_is_no_json_gets_one_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "a.json").write_bytes(b"\xff{")
        with pytest.raises(ValueError, match="is not JSON"):
            results.read([tmp_path / "a.json"])

    def test_missing_file_gets_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"none cannot be read: No such file or directory$"):
            results.read([tmp_path / "none"])

    def test_folder_without_results_gets_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"has no result: there is no \*\.json in it$"):
            results.read([tmp_path])

    def test_folder_is_all_its_results(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            write(tmp_path / f"{name}.json", small())
        assert len(results.read([tmp_path]).facts) == 2

    def test_result_without_cells_is_empty(self, tmp_path: Path) -> None:
        assert results.read([Path(write(tmp_path / "a", {"format": 2}))]).cells == {}

    def test_reference_is_three_results_beside_the_nif(self) -> None:
        found = results.read([BENCH / "results"])
        assert [facts["versions"]["nif"] for facts in found.facts] == ["0.3.0"] * 3
        assert all("reconstructed" in facts["note"] for facts in found.facts)


class TestModules:
    def test_imports_of_bench_have_no_circle(self) -> None:
        names = {path.stem: path for path in BENCH.glob("*.py")}
        imports = {name: set(imported(path)) & names.keys() for name, path in names.items()}
        assert imports["report"] >= {"results", "tables", "pictures"}
        assert list(TopologicalSorter(imports).static_order())  # raises CycleError


class TestPooling:
    def test_rounds_of_all_files_make_one_figure(self) -> None:
        two = with_cells(small(), "one_caller", latency("port", 60))
        assert pooled(small(), two).cells[PORT].figure == pytest.approx((39.2, 49.6, 60.6))

    def test_ratio_is_taken_within_a_round_of_a_file(self) -> None:
        slower = with_cells(small(), "one_caller", latency("port", 400), latency("echo", 100))
        found = pooled(small(), slower).ratios(PORT, ECHO)
        assert found == pytest.approx([2.0] * 5 + [4.0] * 5)

    def test_ratio_leaves_out_a_file_without_the_engine(self) -> None:
        alone = with_cells(small(), "one_caller", latency("port", 400))
        assert pooled(alone, small()).ratios(PORT, ECHO) == pytest.approx([2.0] * 5)

    def test_ratio_to_an_engine_that_did_not_run_has_no_rounds(self) -> None:
        assert pooled(small()).ratios(PORT, PORT._replace(engine="nif")) == []

    def test_extra_figures_are_the_median_and_the_most_of_the_files(self) -> None:
        key = Key("lateness", "nothing", None, "none", 8)
        cell = pooled(small(), small()).cells[key]
        assert (cell.extra("p99"), cell.extra("max"), cell.extra("p95")) == (2.0, 5.0, None)

    def test_other_machine_is_not_pooled(self, tmp_path: Path) -> None:
        other = {**small(), "machine": {**small()["machine"], "cores": 8}}
        files = [Path(write(tmp_path / "a", small())), Path(write(tmp_path / "b", other))]
        with pytest.raises(ValueError, match=r"because their machines differ: cores 2 and 8$"):
            results.read(files)


class TestNoise:
    @pytest.mark.parametrize(("most", "noisy"), [(100, False), (200, False), (200.1, True)])
    def test_figure_is_noise_if_rounds_are_more_than_twice_apart(
        self, most: float, noisy: bool
    ) -> None:
        assert results.figure_of([100, most]).noisy is noisy

    def test_rounds_spread_over_files_are_noise_too(self) -> None:
        slow = with_cells(small(), "one_caller", latency("port", 90))
        assert not pooled(slow).cells[PORT].figure.noisy
        assert pooled(small(), slow).cells[PORT].figure.noisy

    def test_rough_rounds_are_noise(self) -> None:
        assert results.figure_of(ROUGH).noisy


class TestConversion:
    def test_erlang_term_becomes_a_result(self, tmp_path: Path) -> None:
        target = convert(tmp_path, self.term())
        result = json.loads(target.read_text())
        assert result.pop("one_caller") == {
            "columns": ["case", "size", "engine", "p99", "rounds"],
            "rows": [["sha256", 64, "port", None, [2, 3.1416]]],
        }
        assert result == {"format": 2, "commit": None, "quick": True, "batches": [], "start": [1.5]}
        assert results.read([target]).cells[PORT].figures == [2, 3.1416]

    def test_row_has_a_line_of_its_own(self, tmp_path: Path) -> None:
        text = convert(tmp_path, self.term()).read_text()
        assert '\n["sha256",64,"port",null,[2,3.1416]]\n' in text

    def term(self) -> bytes:
        """Return what `term_to_binary/1` makes of a small result."""
        cell = {
            "rounds": [2.0, 3.14159265],
            "engine": Atom("port"),
            "case": "sha256",
            "size": 64,
            "p99": Atom("null"),
        }
        return b"\x83" + etf(
            {
                "one_caller": [cell],
                "format": 2,
                "commit": Atom("null"),
                "quick": Atom("true"),
                "batches": [],
                "start": [1.5],
            }
        )


class Atom(str):
    """The name of an atom."""


def etf(value: Any) -> bytes:
    """Return a value in Erlang's external term format: str is a binary, a key an atom."""
    if isinstance(value, Atom):
        return b"w" + bytes([len(value)]) + value.encode()
    if isinstance(value, str):
        return b"m" + struct.pack(">I", len(value)) + value.encode()
    if isinstance(value, float):
        return b"F" + struct.pack(">d", value)
    if isinstance(value, int):
        return b"b" + struct.pack(">i", value)
    if isinstance(value, list):
        items = b"".join(map(etf, value))
        return b"l" + struct.pack(">I", len(value)) + items + b"j" if value else b"j"
    pairs = b"".join(etf(Atom(key)) + etf(item) for key, item in value.items())
    return b"t" + struct.pack(">I", len(value)) + pairs


def imported(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, also inside its functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def convert(folder: Path, term: bytes) -> Path:
    """Return the JSON that convert.py makes of a term, in a process of its own."""
    source, target = folder / "result.etf", folder / "result.json"
    source.write_bytes(term)
    subprocess.run([sys.executable, BENCH / "convert.py", source, target], check=True)
    return target
