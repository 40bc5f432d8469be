"""The benchmark's readers: what compare calls a change and what noise, and that report shows what was measured."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

sys.path.append(str(Path(__file__).parents[2] / "bench"))  # scripts, no package

import compare
import goals
import pictures
import report

PNG = b"\x89PNG\r\n\x1a\n"
CALM = [0.99, 1.0, 1.01, 1.0, 0.98]  # what five rounds are of their median
ROUGH = [0.6, 1.4, 0.9, 1.5, 1.1]
SECTIONS = [
    "One caller",
    "Callers",
    "Batches",
    "A timer of 1 ms beside a load",
    "Memory",
    "Start",
    "Goals",
    "Of 20 goals",
]
Result = dict[str, Any]


def latency(engine: str, p50: float, size: int = 64) -> Result:
    """Return a cell of one caller, with calm rounds."""
    times = {
        "min": p50 * 0.9,
        "p50": p50,
        "p95": p50 * 1.2,
        "p99": p50 * 1.5,
        "rounds": [p50 * part for part in CALM],
    }
    return {
        "case": "sha256",
        "operation": "sha256",
        "size": size,
        "engine": engine,
        "calls": 1000,
        **times,
    }


def rate(engine: str, per_second: float, **more: int) -> Result:
    """Return a cell of calls a second, with calm rounds."""
    rounds = [per_second * part for part in CALM]
    figures = {"per_second": per_second, "rounds": rounds, **more}
    return {"case": "sha256", "operation": "sha256", "size": 64, "engine": engine, **figures}


def late(load: str | None, engine: str) -> Result:
    """Return a cell of a timer that is a little late, with calm rounds."""
    times = {"p50_ms": 0.0, "p99_ms": 2.0, "max_ms": 5.0, "rounds": [2 * part for part in CALM]}
    return {"load": load, "size": None, "engine": engine, "callers": 8, "timers": 900, **times}


@pytest.fixture
def result() -> Result:
    """Return a small result: the port too slow by its goal, 2 echoes where 1.6 are wanted."""
    return {
        "format": 1,
        "date": "2026-11-23T03:40:00Z",
        "commit": "35b99a2",
        "machine": {"cpu": "Some [quick] CPU", "cores": 2},
        "versions": {
            "otp": "25",
            "python": "3.11.7",
            "cryptography": "50.0.2",
            "openssl": "OpenSSL 4.0.3 9 Jun",
        },
        "one_caller": [
            *(latency("port", 40), latency("echo", 20), latency("echo_as_long", 21)),
            *(
                latency("port", 90, 4096),
                latency("echo", 30, 4096),
                latency("echo_as_long", 55, 4096),
            ),
        ],
        "many_callers": [rate("port", 20000, callers=1), rate("port", 95000, callers=128)],
        "batches": [
            *(rate("port", 30000, length=100), rate("port, one by one", 20000, length=100)),
            *(rate("port", 40000, length=1000), rate("port, in flight", 25000, length=1000)),
        ],
        "lateness": [late(None, "none"), late("process_pre_key_bundle", "port")],
        "memory": {
            "vm_mib": 40.0,
            "vm_after_mib": 44.0,
            "workers_mib": [25.0, 25.1],
            "workers_after_mib": [47.5, 48.5],
        },
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


def test_a_later_timer_is_slower(result: Result) -> None:
    later = copy.deepcopy(result)
    later["lateness"][1]["rounds"] = [9 * part for part in CALM]
    first = compare.differences(result, later)[0]
    assert (first.verdict, first.unit, first.a, first.b) == ("slower", "ms", 2, 9)
    assert str(first.key) == "process_pre_key_bundle, p99 of a timer beside 8 callers, port"


def test_a_timer_without_rounds_is_left_out(result: Result) -> None:
    for cell in result["lateness"]:
        del cell["rounds"]
    assert "lateness" not in {one.key.section for one in compare.differences(result, result)}


def test_no_echo_is_compared(result: Result) -> None:
    result["many_callers"].append(rate("echo", 150000, callers=128))
    assert {one.key.engine for one in compare.differences(result, result)}.isdisjoint(
        ["echo", "echo_as_long"]
    )


def test_three_rounds_tell_nothing(result: Result) -> None:
    later = copy.deepcopy(result)
    later["start"]["rounds"] = [200.0, 201.0, 202.0]
    assert compare.differences(result, later)[0].verdict == "too few rounds"


def test_the_largest_change_comes_first(result: Result) -> None:
    quicker = copy.deepcopy(result)
    quicker["one_caller"][3] = latency("port", 45, 4096)
    quicker["batches"][0] = rate("port", 36000, length=100)
    found = compare.differences(result, quicker)
    assert [str(one.key) for one in found[:2]] == [
        "sha256, 4 KiB, one caller, port",
        "sha256, 64 B, 100 calls, batch/1",
    ]


def test_what_one_result_lacks_is_named(
    result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fewer = copy.deepcopy(result)
    del fewer["batches"]
    fewer["machine"]["cores"] = 8
    assert compare.main([write(tmp_path / "a", result), write(tmp_path / "b", fewer)]) == 0
    output = capsys.readouterr().out
    assert output.count("only in A") == 4
    assert "The machines differ: cores 2 / 8." in output
    assert compare.RULE in output
    assert output.endswith("Nothing changed in the 7 figures that both have.\n")


def test_the_last_sentence_counts(
    result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [write(tmp_path / "a", result), write(tmp_path / "b", times(result, [1.2] * 5, "port"))]
    assert compare.main(files) == 0
    assert (
        "Of 11 figures 2 are slower and 0 faster; the largest change is sha256, "
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("content", ["not a result", {"format": 2}, []])
def test_what_is_no_result_gets_one_sentence(
    content: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "a", content)
    assert compare.main([file, file]) == 2
    assert capsys.readouterr().err == f"compare.py: {file} is not a benchmark result of format 1\n"


def test_compare_wants_two_files_that_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare.main(["one"]) == 2
    assert compare.main([str(tmp_path / "none")] * 2) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"compare.py: {compare.USAGE}",
        f"compare.py: {tmp_path / 'none'} cannot be read: No such file or directory",
    ]


# --- report ---


def test_report_shows_each_section_in_order(
    result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.main([write(tmp_path / "result", result)]) == 0
    output = capsys.readouterr().out
    assert output.startswith(
        "Some [quick] CPU · 2 cores · OTP 25 · Python 3.11.7 · cryptography 50.0.2 · OpenSSL 4.0.3 "
    )
    places = [output.index(f"\n{section}") for section in SECTIONS]
    assert places == sorted(places)
    assert "\x1b" not in output  # no colour in a pipe
    assert "…" not in output  # nothing cut short


def test_report_measures_the_port_in_echoes(
    result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = report_rows(result, tmp_path, capsys)
    assert ["sha256, 64 B", "40.0", "60.0", "20.0", "21.0", "2.00", "0.24*", "1.6", "no"] in rows
    assert ["sha256, 4 KiB", "90.0", "135", "30.0", "55.0", "3.00"] in rows


def test_report_shows_every_goal(
    result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = report_rows(result, tmp_path, capsys)
    assert ["sha256, 64 B, one caller", "2.00", "at most 1.6 echoes", "no"] in rows
    assert ["first answer", "120", "at most 250 ms", "yes"] in rows
    assert ["sign_data, 64 B, one caller", "at most 6.6 echoes", "?"] in rows
    assert rows[-1] == ["Of 20 goals 4 are met, 1 are not, and 15 could not be measured."]


def test_report_names_the_ways_of_a_batch(
    result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = report_rows(result, tmp_path, capsys)
    assert ["sha256, 64 B", "batch/1", "30,000", "40,000"] in rows
    assert ["sha256, 64 B", "one by one", "20,000"] in rows
    assert ["sha256, 64 B", "send_request/2, all in flight", "25,000"] in rows


def test_report_shows_memory_before_and_after(
    result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ["worker 2", "25.1", "48.5"] in report_rows(result, tmp_path, capsys)
    del result["memory"]["workers_after_mib"]
    assert ["worker 2", "25.1"] in report_rows(result, tmp_path, capsys)


def test_all_engines_fit_into_120_columns(
    result: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [latency(engine, 83912.0) for engine in report.ENGINES]
    for cell in cells:
        cell["case"] = "process_pre_key_bundle_bob, known identity"
        cell["size"] = None
    report.show({**result, "one_caller": cells}, Console(width=120))
    output = capsys.readouterr().out
    assert "…" not in output
    assert "as long" not in output  # it would not fit
    report.show({**result, "one_caller": cells}, Console(width=report.PIPE_WIDTH))
    output = capsys.readouterr().out
    assert "…" not in output
    assert "as long" in output


def test_report_of_an_empty_result_says_what_is_not_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report_rows({"format": 1}, tmp_path, capsys)[-1] == [
        "Of 20 goals 0 are met, 0 are not, and 20 could not be measured."
    ]


def test_tables_need_no_matplotlib() -> None:
    code = "import sys; sys.modules['matplotlib'] = None; import compare, report"
    subprocess.run([sys.executable, "-c", code], cwd=Path(report.__file__).parent, check=True)


def report_rows(
    result: Result, folder: Path, capsys: pytest.CaptureFixture[str]
) -> list[list[str]]:
    """Return the cells of each line of the report that are not empty."""
    assert report.main([write(folder / "result", result)]) == 0
    return [re.split(" {2,}", line.strip()) for line in capsys.readouterr().out.splitlines()]


# --- pictures ---


def test_pictures_are_drawn_and_stay_the_same(result: Result, tmp_path: Path) -> None:
    for folder in ("first", "second"):
        assert (
            report.main([write(tmp_path / "result", result), "--pictures", str(tmp_path / folder)])
            == 0
        )
    for name in pictures.PICTURES:
        assert (tmp_path / "first" / f"{name}.png").read_bytes().startswith(PNG)
        svg = (tmp_path / "first" / f"{name}.svg").read_bytes()
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert svg == (tmp_path / "second" / f"{name}.svg").read_bytes()


def test_what_was_not_measured_has_no_picture(tmp_path: Path) -> None:
    pictures.draw({"format": 1}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_empty_data_has_no_place_on_a_logarithmic_scale(result: Result) -> None:
    result["one_caller"].append(latency("port", 39, 0))
    sheet = pictures.size(result)
    assert sheet
    assert list(sheet.axes[0].dataLim.intervalx) == [64, 4096]


def test_the_echo_as_long_is_in_the_picture_by_size_alone(result: Result) -> None:
    shown = {
        name: {text.get_text() for text in sheet.legends[0].get_texts()}
        for name, picture in pictures.PICTURES.items()
        if (sheet := picture(result))
    }
    assert [name for name, engines in shown.items() if "echo in C, as long" in engines] == ["size"]


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
    assert [goals.bytes_for_people(size) for size in sizes] == [
        "0 B",
        "64 B",
        "1000 B",
        "1 KiB",
        "64 KiB",
        "16 MiB",
    ]
