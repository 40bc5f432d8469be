"""The benchmark's readers: what compare calls a change and what noise, and that report shows what was measured."""

import copy
import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

sys.path.append(str(Path(__file__).parents[2] / "bench"))  # scripts, no package

import compare
import goals
import report

PNG = b"\x89PNG\r\n\x1a\n"
CALM = [0.99, 1.0, 1.01, 1.0, 0.98]  # what five rounds are of their median
ROUGH = [0.6, 1.4, 0.9, 1.5, 1.1]
SECTIONS = [
    "One caller",
    "Callers",
    "Batches",
    "A timer of 1 ms beside 8 callers",
    "Memory and start",
    "Goals that are not met",
]
Result = dict[str, Any]


def latency(engine: str, p50: float, size: int = 64) -> Result:
    """Return a cell of one caller, with calm rounds."""
    times = {"min": p50 * 0.9, "p50": p50, "p95": p50 * 1.2, "p99": p50 * 1.5, "rounds": [p50 * part for part in CALM]}
    return {"case": "sha256", "operation": "sha256", "size": size, "engine": engine, "calls": 1000, **times}


def rate(engine: str, per_second: float, **more: int) -> Result:
    """Return a cell of calls a second, with calm rounds."""
    rounds = [per_second * part for part in CALM]
    figures = {"per_second": per_second, "rounds": rounds, **more}
    return {"case": "sha256", "operation": "sha256", "size": 64, "engine": engine, **figures}


def late(load: str | None, engine: str) -> Result:
    """Return a cell of a timer that is a little late."""
    times = {"p50_ms": 0.0, "p99_ms": 2.0, "max_ms": 5.0}
    return {"load": load, "size": None, "engine": engine, "callers": 8, "timers": 900, **times}


@pytest.fixture
def result() -> Result:
    """Return a small result: the port too slow by its goal, 2 echoes where 1.6 are wanted."""
    return {
        "format": 1,
        "date": "2026-11-23T03:40:00Z",
        "commit": "35b99a2",
        "machine": {"cpu": "Some [quick] CPU", "cores": 2},
        "versions": {"otp": "25", "python": "3.11.7", "cryptography": "50.0.2", "openssl": "OpenSSL 4.0.3 9 Jun"},
        "one_caller": [latency(*cell) for cell in (("port", 40), ("echo", 20), ("port", 90, 4096), ("echo", 30, 4096))],
        "many_callers": [rate("port", 20000, callers=1), rate("port", 95000, callers=128)],
        "batches": [rate("port", 30000, length=100), rate("port, one by one", 20000, length=100)],
        "lateness": [late(None, "none"), late("process_pre_key_bundle", "port")],
        "memory": {"vm_mib": 40.0, "vm_after_mib": 44.0, "workers_mib": [25.0, 25.1]},
        "start": {"first_answer_ms": 120.0, "rounds": [118.0, 120.0, 131.0]},
    }


def times(result: Result, parts: list[float], *engines: str) -> Result:
    """Return the result with the rounds of one caller multiplied, for these engines."""
    changed = copy.deepcopy(result)
    for cell in changed["one_caller"]:
        if cell["engine"] in engines:
            cell["rounds"] = [time * part for time, part in zip(cell["rounds"], parts)]
    return changed


def verdicts(a: Result, b: Result) -> list[str]:
    """Return what compare says to the latencies."""
    return [one.verdict for one in compare.differences(a, b) if one.key.section == "one_caller"]


def write(path: Path, content: Any) -> str:
    """Write a file of JSON, and return its name."""
    path.write_text(json.dumps(content))
    return str(path)


# --- compare ---


def test_the_same_result_has_not_changed(result: Result) -> None:
    assert verdicts(result, result) == ["noise", "noise"]


def test_a_shifted_run_is_a_change(result: Result) -> None:
    shifted = times(result, [1.2] * 5, "port")
    assert verdicts(result, shifted) == ["slower", "slower"]
    assert verdicts(shifted, result) == ["faster", "faster"]


def test_a_shift_of_less_than_5_percent_is_noise(result: Result) -> None:
    assert verdicts(result, times(result, [1.04] * 5, "port")) == ["noise", "noise"]


def test_a_noisy_run_is_noise(result: Result) -> None:
    assert verdicts(result, times(result, ROUGH, "port")) == ["noise", "noise"]


def test_a_slower_machine_is_no_slower_program(result: Result) -> None:
    assert verdicts(result, times(result, [1.5] * 5, "port", "echo")) == ["noise", "noise"]


def test_without_an_echo_the_times_themselves_are_compared(result: Result) -> None:
    result["one_caller"] = [cell for cell in result["one_caller"] if cell["engine"] == "port"]
    slower = times(result, [1.5] * 5, "port")
    assert [(one.unit, one.a, one.b) for one in compare.differences(result, slower)][:2] == [
        ("us", 40, 60),
        ("us", 90, 135),
    ]


def test_more_calls_a_second_are_faster(result: Result) -> None:
    faster = copy.deepcopy(result)
    faster["many_callers"] = [rate("port", 30000, callers=1), rate("port", 95000, callers=128)]
    first = compare.differences(result, faster)[0]
    assert (first.verdict, first.key.how, first.unit) == ("faster", "1 at once", "calls/s")


def test_three_rounds_tell_nothing(result: Result) -> None:
    later = copy.deepcopy(result)
    later["start"]["rounds"] = [200.0, 201.0, 202.0]
    assert compare.differences(result, later)[0].verdict == "too few rounds"


def test_the_largest_change_comes_first(result: Result) -> None:
    quicker = copy.deepcopy(result)
    quicker["one_caller"][2] = latency("port", 45, 4096)
    quicker["batches"][0] = rate("port", 36000, length=100)
    found = compare.differences(result, quicker)
    assert [str(one.key) for one in found[:2]] == [
        "sha256, 4 KiB, one caller, port",
        "sha256, 64 B, a batch of 100, port",
    ]


def test_what_one_result_lacks_is_named(result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fewer = copy.deepcopy(result)
    del fewer["batches"]
    fewer["machine"]["cores"] = 8
    assert compare.main([write(tmp_path / "a", result), write(tmp_path / "b", fewer)]) == 0
    output = capsys.readouterr().out
    assert output.count("only in A") == 2
    assert "The machines differ: cores 2 / 8." in output
    assert compare.RULE in output
    assert output.endswith("Nothing changed in the 5 figures that both have.\n")


def test_the_last_sentence_counts(result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [write(tmp_path / "a", result), write(tmp_path / "b", times(result, [1.2] * 5, "port"))]
    assert compare.main(files) == 0
    assert "Of 7 figures 2 are slower and 0 faster; the largest change is sha256, " in capsys.readouterr().out


@pytest.mark.parametrize("content", ["not a result", {"format": 2}, []])
def test_what_is_no_result_gets_one_sentence(content: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "a", content)
    assert compare.main([file, file]) == 2
    assert capsys.readouterr().err == f"compare.py: {file} is not a benchmark result of format 1\n"


def test_compare_wants_two_files_that_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main(["one"]) == 2
    assert compare.main([str(tmp_path / "none")] * 2) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"compare.py: {compare.USAGE}",
        f"compare.py: {tmp_path / 'none'} cannot be read: No such file or directory",
    ]


# --- report ---


def test_report_shows_each_section_in_order(result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([write(tmp_path / "result", result)]) == 0
    output = capsys.readouterr().out
    assert output.startswith(
        "Some [quick] CPU · 2 cores · OTP 25 · Python 3.11.7 · cryptography 50.0.2 · OpenSSL 4.0.3 "
    )
    places = [output.index(f"\n{section}") for section in SECTIONS]
    assert places == sorted(places)
    assert "\x1b" not in output  # no colour in a pipe
    assert "…" not in output  # nothing cut short


def test_report_measures_the_port_in_echoes(result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report.main([write(tmp_path / "result", result)])
    lines = capsys.readouterr().out.splitlines()
    row = next(line.split() for line in lines if line.startswith("sha256  64 B"))
    assert row == ["sha256", "64", "B", "40.0", "60.0", "20.0", "30.0", "2.00", "0.24*", "1.6", "not", "met"]
    assert "  sha256, 64 B, one caller: 2.00, and at most 1.6 echoes is wanted" in lines


def test_report_of_an_empty_result_says_what_is_not_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([write(tmp_path / "result", {"format": 1})]) == 0
    output = capsys.readouterr().out
    assert "All goals are met." not in output
    assert "Goals that this run has no figure for" in output


def test_pictures_are_drawn_and_stay_the_same(result: Result, tmp_path: Path) -> None:
    report.draw(result, tmp_path / "first")
    report.draw(result, tmp_path / "second")
    for name in ("latency", "throughput", "lateness", "size"):
        assert (tmp_path / "first" / f"{name}.png").read_bytes().startswith(PNG)
        svg = (tmp_path / "first" / f"{name}.svg").read_bytes()
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert svg == (tmp_path / "second" / f"{name}.svg").read_bytes()


# --- goals ---


def test_goals_are_met_missed_or_not_measured(result: Result) -> None:
    met = {verdict.goal: verdict.met for verdict in goals.verdicts(result)}
    assert met["sha256, 64 B, one caller"] is False
    assert met["sha256, 64 B, 128 callers"] is True
    assert met["p99 of a timer beside process_pre_key_bundle"] is True
    assert met["sign_data, 64 B, one caller"] is None
    assert met["memory of the largest worker"] is True


def test_goals_against_another_engine_count_where_it_ran(result: Result) -> None:
    result["one_caller"].append(latency("erlport", 120))
    result["many_callers"].append(rate("erlport", 19000, callers=128))
    found = {verdict.wanted: (verdict.measured, verdict.met) for verdict in goals.verdicts(result)}
    assert found["at least 2.5 times faster than erlport"] == (3, True)
    assert found["at least 7 times erlport's calls a second"] == (5, False)


def test_sizes_are_in_the_largest_unit_that_leaves_them_whole() -> None:
    sizes = [0, 64, 1000, 1024, 65536, 16777216]
    assert [goals.bytes_for_people(size) for size in sizes] == ["0 B", "64 B", "1000 B", "1 KiB", "64 KiB", "16 MiB"]
