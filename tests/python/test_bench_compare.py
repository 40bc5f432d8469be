"""What the benchmark's comparison calls a change, and what noise."""

import copy
from pathlib import Path
from typing import Any

import compare
import pytest
from bench_results import (
    CALM,
    ROUGH,
    File,
    late,
    latency,
    multiplied,
    pooled,
    rate,
    small,
    with_cells,
    write,
)

LOAD = "process_pre_key_bundle"


def differences(a: File, b: File) -> list[compare.Difference]:
    """Return what compare finds between two results."""
    return compare.differences(pooled(a), pooled(b))


def verdicts(a: File, b: File) -> list[str]:
    """Return what compare says about the latencies of the port."""
    found = [one for one in differences(a, b) if one.key.section == "one_caller"]
    return [one.verdict for one in found if one.key.engine == "port"]


class TestRule:
    def test_same_result_is_noise(self) -> None:
        assert verdicts(small(), small()) == ["noise", "noise"]

    def test_shifted_run_is_a_change(self) -> None:
        shifted = multiplied(small(), [1.2] * 5, "port")
        assert verdicts(small(), shifted) == ["slower", "slower"]
        assert verdicts(shifted, small()) == ["faster", "faster"]

    def test_shift_of_less_than_5_percent_is_noise(self) -> None:
        assert verdicts(small(), multiplied(small(), [1.04] * 5, "port")) == ["noise", "noise"]

    def test_noisy_run_is_noise(self) -> None:
        assert verdicts(small(), multiplied(small(), ROUGH, "port")) == ["noise", "noise"]

    def test_slower_machine_is_no_slower_program(self) -> None:
        slower = multiplied(small(), [1.5] * 5, "port", "echo")
        assert verdicts(small(), slower) == ["noise", "noise"]

    def test_figure_without_an_echo_is_compared_as_it_is(self) -> None:
        alone = with_cells(small(), "one_caller", latency("port", 40), latency("port", 90, 4096))
        slower = multiplied(alone, [1.5] * 5, "port")
        found = [(one.unit, one.a, one.b) for one in differences(alone, slower)]
        assert found[:2] == [("us", 40, 60), ("us", 90, 135)]

    def test_three_rounds_are_too_few(self) -> None:
        later = {**small(), "start": [200.0, 201.0, 202.0]}
        assert differences(small(), later)[0].verdict == "too few rounds"

    def test_pooled_files_have_the_rounds_of_all(self) -> None:
        later = {**small(), "start": [200.0, 201.0, 202.0]}
        found = compare.differences(pooled(small(), small()), pooled(later, later))
        assert (found[0].key, found[0].verdict) == (compare.START, "slower")

    def test_change_no_larger_than_the_controls_is_noise(self) -> None:
        cells = [latency("port", 40), latency("nif", 10), latency("crypto", 8)]
        before = with_cells(small(), "one_caller", *cells)
        assert verdicts(before, multiplied(before, [1.3] * 5, "port")) == ["slower"]
        drifted = multiplied(before, [1.3] * 5, "port", "crypto")
        drifted = multiplied(drifted, [1.4] * 5, "nif")
        assert verdicts(before, drifted) == ["noise"]
        assert verdicts(before, multiplied(drifted, [1.5] * 5, "port")) == ["slower"]

    def test_batches_have_the_controls_of_many_callers(self) -> None:
        rates = [rate("port", 20000, callers=8), rate("nif", 90000, callers=8)]
        before = with_cells(small(), "many_callers", *rates)
        after = with_cells(small(), "many_callers", rates[0], rate("nif", 30000, callers=8))
        after = with_cells(after, "batches", rate("port", 20000, length=100))
        found = {one.key.section: one.verdict for one in differences(before, after)}
        assert found["batches"] == "noise"


class TestSections:
    def test_more_calls_a_second_are_faster(self) -> None:
        rates = [rate("port", 30000, callers=1), rate("port", 95000, callers=128)]
        first = differences(small(), with_cells(small(), "many_callers", *rates))[0]
        assert (first.verdict, first.key.amount, first.unit) == ("faster", 1, "calls/s")

    def test_later_timer_is_slower(self) -> None:
        timers = [late("nothing", "none"), late(LOAD, "port", 9)]
        first = differences(small(), with_cells(small(), "lateness", *timers))[0]
        assert (first.verdict, first.unit, first.a, first.b) == ("slower", "ms", 2, 9)
        assert compare.name(first.key) == f"{LOAD}, p99 of a timer beside 8 callers, port"

    def test_timer_that_is_never_late_is_left_out(self) -> None:
        never = with_cells(small(), "lateness", late("nothing", "none", 0.0))
        assert "lateness" not in {one.key.section for one in differences(never, never)}

    def test_echo_is_not_compared(self) -> None:
        found = {one.key.engine for one in differences(small(), small())}
        assert found == {"port", "port, in flight", "port, one by one", "none"}


class TestOutput:
    def test_largest_change_comes_first(self) -> None:
        before = with_cells(small(), "many_callers", rate("port", 20000, callers=1))
        after = with_cells(small(), "many_callers", rate("port", 40000, callers=1))
        after = multiplied(after, [1.5] * 5, "port")
        assert [compare.name(one.key) for one in differences(before, after)[:2]] == [
            "sha256, 64 B, 1 at once, port",
            "sha256, 64 B, one caller, port",
        ]

    def test_figure_that_one_result_lacks_is_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fewer = copy.deepcopy(small())
        del fewer["batches"]
        fewer["machine"]["cores"] = 8
        files = [write(tmp_path / "a", small()), write(tmp_path / "b", fewer)]
        assert compare.main(files) == 0
        output = capsys.readouterr().out
        assert output.count("only in A") == 4
        assert "The machines differ: cores 2 / 8." in output
        assert compare.RULE in output
        assert output.endswith("Nothing changed in the 7 figures that both have.\n")

    def test_last_sentence_counts_the_changes(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shifted = multiplied(small(), [1.2] * 5, "port")
        files = [write(tmp_path / "a", small()), write(tmp_path / "b", shifted)]
        assert compare.main(files) == 0
        output = capsys.readouterr().out
        assert "Of 11 figures 2 are slower and 0 faster; the largest change is sha256, " in output

    def test_folders_are_pooled(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for name in ("1.json", "2.json"):
            write(tmp_path / name, small())
        assert compare.main([str(tmp_path), str(tmp_path)]) == 0
        assert "A: 2 results pooled · " in capsys.readouterr().out

    @pytest.mark.parametrize("content", [{"format": 1, "one_caller": []}, [CALM], "text"])
    def test_file_that_is_no_result_gets_one_sentence(
        self, content: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = write(tmp_path / "a", content)
        assert compare.main([file, file]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"compare.py: {file} is ")
        assert error.count("\n") == 1

    def test_one_argument_gets_the_usage(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert compare.main(["one"]) == 2
        assert capsys.readouterr().err == f"compare.py: {compare.USAGE}\n"
