"""The benchmark's tables, goals and pictures: what is shown of a result, and what is marked."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import capacity
import goals
import labels
import pictures
import pytest
import report
import results
import tables
from bench_results import (
    BENCH,
    ROUGH,
    File,
    latency,
    multiplied,
    pooled,
    rate,
    small,
    with_cells,
    write,
)
from bench_results import late as late_timer
from rich.console import Console

ROOT = BENCH.parent
SECTIONS = [
    "One caller",
    "Callers",
    "Batches",
    "A timer of 1 ms beside a load",
    "Memory",
    "Start",
    "Goals",
    "Of 23 goals",
]
BUNDLE = "process_pre_key_bundle, known identity"
LOAD = "process_pre_key_bundle"


def rows(file: File, folder: Path, capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """Return the cells of each line of the report that are not empty."""
    assert report.main([write(folder / "result", file)]) == 0
    return [re.split(" {2,}", line.strip()) for line in capsys.readouterr().out.splitlines()]


class TestTables:
    def test_section_comes_after_section(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert report.main([write(tmp_path / "result", small())]) == 0
        output = capsys.readouterr().out
        assert output.startswith("Some [quick] CPU · x86_64 · 2 cores · OTP 25 · Python 3.11.7 · ")
        places = [output.index(f"\n{section}") for section in SECTIONS]
        assert places == sorted(places)
        assert "\x1b" not in output  # no colour in a pipe
        assert "…" not in output  # nothing cut short

    def test_cell_is_the_median_and_the_least_round(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        found = rows(small(), tmp_path, capsys)
        assert ["sha256, 64 B", "40.0 (39.2)", "20.0 (19.6)", "21.0 (20.6)", "60.0"] in found

    def test_noisy_cell_is_both_ends_and_no_median(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        found = rows(multiplied(small(), ROUGH, "port"), tmp_path, capsys)
        assert ["sha256, 64 B", "~23.8-60.0", "20.0 (19.6)", "21.0 (20.6)", "60.0"] in found

    def test_pooled_results_that_disagree_are_noise(self) -> None:
        slow = multiplied(small(), [3.0] * 5, "port")
        cell = pooled(small(), slow).cells[results.Key("one_caller", "sha256", 64, "port")]
        assert labels.measured(cell.figure) == "~39.2-121"
        assert labels.in_full(cell.figure) == "~79.0 (39.2-121)"

    def test_port_is_shown_against_the_nif_round_by_round(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        beside = with_cells(small(), "one_caller", latency("port", 40), latency("nif", 10))
        both = multiplied(beside, ROUGH, "port", "nif")
        last = [row[-1] for row in rows(both, tmp_path, capsys) if row[0] == "sha256, 64 B"]
        assert last[0] == "4.00"

    def test_rates_have_a_row_of_the_ports_part(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells = [rate("port", 20000, callers=32), rate("nif", 80000, callers=32)]
        found = rows(with_cells(small(), "many_callers", *cells), tmp_path, capsys)
        assert ["sha256, 64 B", "port / nif", "0.250"] in found

    def test_workers_elsewhere_are_shown_beside_the_port_alone(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        beside = with_cells(small(), "one_caller", latency("port", 40), latency("socket", 50))
        found = rows(beside, tmp_path, capsys)
        elsewhere = [row for row in found if "socket" in row]
        assert elsewhere == [
            ["sha256, 64 B", "socket", "1", "50.0 (49.0) us", "40.0 (39.2) us", "1.25"]
        ]

    def test_way_of_a_batch_is_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        found = rows(small(), tmp_path, capsys)
        assert ["sha256, 64 B", "batch/1", "30k (29.4k)", "40k (39.2k)"] in found
        assert ["sha256, 64 B", "one by one", "20k (19.6k)"] in found
        assert ["sha256, 64 B", "send_request/2, all in flight", "25k (24.5k)"] in found

    def test_lateness_compares_p99_with_p99(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        timers = [late_timer(LOAD, "port", 4.0), late_timer(LOAD, "nif", 1000.0)]
        found = rows(with_cells(small(), "lateness", *timers), tmp_path, capsys)
        assert [LOAD, "port", "8", "0.000", "4.00 (3.92)", "5.00", "250"] in found

    def test_memory_is_shown_before_and_after_the_load(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = small()
        assert ["worker 2", "25.1", "48.5"] in rows(file, tmp_path, capsys)
        del file["memory"]["after"]
        assert ["worker 2", "25.1"] in rows(file, tmp_path, capsys)

    def test_all_engines_fit_into_a_pipe_and_into_120_columns(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        case = "process_pre_key_bundle_bob, known identity"
        cells = [latency(engine, 83912.0, None, case) for engine in labels.ENGINES]
        found = pooled(with_cells(small(), "one_caller", *cells))
        report.show(found, Console(width=120))
        output = capsys.readouterr().out
        assert "echo as long" not in output
        assert "…" not in output
        report.show(found, Console(width=tables.PIPE_WIDTH))
        output = capsys.readouterr().out
        assert "echo as long" in output
        assert "…" not in output

    def test_result_without_cells_has_goals_that_were_not_measured(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        found = rows({"format": 2}, tmp_path, capsys)
        assert found[-1] == ["Of 23 goals 0 are met, 0 are missed, 23 were not measured."]

    def test_note_of_a_file_is_printed_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        noted = {**small(), "note": "The NIF was reconstructed."}
        report.show(pooled(noted, noted), Console(width=120))
        assert capsys.readouterr().out.count("The NIF was reconstructed.") == 1

    def test_file_that_is_no_result_ends_with_status_2(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert report.main([write(tmp_path / "a", {"format": 1})]) == 2
        assert capsys.readouterr().err.startswith(f"report.py: {tmp_path / 'a'} is a benchmark ")

    def test_tables_need_no_matplotlib(self) -> None:
        code = "import sys; sys.modules['matplotlib'] = None; import capacity, compare, report"
        subprocess.run([sys.executable, "-c", code], cwd=BENCH, check=True)

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0123, "0.012"),
            (0.9, "0.900"),
            (12.34, "12.3"),
            (9999.4, "9999"),
            (9999.5, "10k"),
            (999_499, "999k"),
            (999_500, "1M"),
            (None, ""),
        ],
    )
    def test_number_has_five_characters_at_most(self, value: float | None, text: str) -> None:
        assert labels.number(value) == text

    def test_size_is_in_the_largest_unit_that_leaves_it_whole(self) -> None:
        sizes = [0, 64, 1000, 1024, 65536, 16777216]
        words = [labels.bytes_for_people(size) for size in sizes]
        assert words == ["0 B", "64 B", "1000 B", "1 KiB", "64 KiB", "16 MiB"]


class TestReadme:
    def test_table_is_that_of_the_reference(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert report.main([str(BENCH / "results"), "--readme"]) == 0
        table = capsys.readouterr().out
        assert table.count("\n") == len(labels.ASKED_FIRST) + 2
        assert table in (ROOT / "guides" / "performance.md").read_text()
        readme = re.findall(r"^\| `.*\d.*$", (ROOT / "README.md").read_text(), re.MULTILINE)
        assert readme
        assert set(readme) <= set(table.splitlines())

    def test_capacity_is_that_of_the_reference(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert capacity.main(["--rate", "20000"]) == 0
        printed = [line.split() for line in capsys.readouterr().out.splitlines()]
        performance = (ROOT / "guides" / "performance.md").read_text()
        block = re.search(r"```\n(operation .*?)```", performance, re.DOTALL)
        assert block
        for line in filter(None, block[1].splitlines()):
            assert line.split() in printed

    def test_committed_picture_is_shown_by_a_document(self) -> None:
        documents = [ROOT / "README.md", *(ROOT / "guides").glob("*.md")]
        text = "".join(document.read_text() for document in documents)
        shown = set(re.findall(r"bench/pictures/([\w.]+)", text))
        assert shown == {picture.name for picture in (BENCH / "pictures").iterdir()}


class TestGoals:
    def verdicts(self, file: File) -> dict[str, goals.Verdict]:
        """Return what a result says about each goal that it has a figure for."""
        found = goals.verdicts(pooled(file))
        return {f"{one.goal.name}: {one.goal.wanted}": one for one in found if one.measured}

    def test_goal_is_met_missed_or_not_measured(self) -> None:
        met = {name: one.met for name, one in self.verdicts(small()).items()}
        assert met == {
            "sha256, 64 B, one caller: at most 1.6 echoes": False,
            "sha256, 64 B, 128 callers: at least 90,000 calls a second": True,
            "p99 of a timer, 8 callers of X3DH: at most 10 ms late": True,
            "first answer: at most 250 ms": True,
            "memory of the largest worker: at most 32 MiB": True,
        }

    def test_latency_goal_is_taken_against_the_nif_of_the_same_round(self) -> None:
        cells = [latency(engine, time, 64, "dr_encrypt") for engine, time in BESIDE]
        beside = multiplied(with_cells(small(), "one_caller", *cells), ROUGH, "port", "nif")
        one = self.verdicts(beside)["dr_encrypt, 64 B, one caller: at most 5 times the NIF's time"]
        assert one.measured == pytest.approx((4.0, 4.0, 4.0))
        assert (one.met, one.rounds_reached, one.rounds) == (True, 5, 5)

    @pytest.mark.parametrize(("port", "met"), [(0.54, False), (0.56, True)])
    def test_x3dh_goal_is_a_part_of_the_nifs_rate(self, port: float, met: bool) -> None:
        both = [("port", 5000 * port), ("nif", 5000)]
        cells = [{**rate(engine, one, BUNDLE, callers=32), "size": None} for engine, one in both]
        name = "X3DH, known identity, 32 callers: at least 0.55 of the NIF's calls a second"
        assert self.verdicts(with_cells(small(), "many_callers", *cells))[name].met is met

    @pytest.mark.parametrize(("nif", "met"), [(390.0, False), (410.0, True)])
    def test_lateness_goal_is_p99_over_p99(self, nif: float, met: bool) -> None:
        timers = [late_timer(LOAD, "port", 2.0), late_timer(LOAD, "nif", nif)]
        name = "p99 of a timer, 8 callers of X3DH: at least 200 times less late than the NIF"
        one = self.verdicts(with_cells(small(), "lateness", *timers))[name]
        assert (one.met, one.measured and one.measured.median) == (met, pytest.approx(nif / 2))

    def test_erlport_goals_are_one_callers_time_and_128_callers_rate(self) -> None:
        file = with_cells(small(), "one_caller", latency("port", 40), latency("erlport", 39))
        cells = [rate("port", 95000, callers=128), rate("erlport", 30000, callers=128)]
        found = self.verdicts(with_cells(file, "many_callers", *cells))
        assert found["sha256, 64 B, one caller: at most 1 times erlport's time"].met is False
        name = "sha256, 64 B, 128 callers: at least 3 times erlport's calls a second"
        assert found[name].met is True

    def test_rounds_that_reach_a_goal_are_counted(self) -> None:
        one = goals.verdict(goals.GOALS[0], [1.0, 1.5, 1.6, 1.7, 9.0])
        assert (one.met, one.rounds_reached, one.rounds) == (True, 3, 5)

    def test_results_that_meet_every_goal_are_said_to(self) -> None:
        found = [goals.verdict(goals.GOALS[0], [1.0])]
        assert goals.summary(found) == "All 1 goals are met."


BESIDE = (("port", 160.0), ("nif", 40.0))


class TestPictures:
    def test_same_result_gives_the_same_bytes(self, tmp_path: Path) -> None:
        file = write(tmp_path / "result", small())
        for folder in ("first", "second"):
            assert report.main([file, "--pictures", str(tmp_path / folder)]) == 0
        for name in pictures.PICTURES:
            svg = (tmp_path / "first" / f"{name}.svg").read_bytes()
            assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
            assert svg == (tmp_path / "second" / f"{name}.svg").read_bytes()

    def test_only_the_named_pictures_are_drawn(self, tmp_path: Path) -> None:
        pictures.draw(pooled(small()), tmp_path, ["latency"])
        assert [file.name for file in tmp_path.iterdir()] == ["latency.svg"]

    def test_section_that_was_not_measured_has_no_picture(self, tmp_path: Path) -> None:
        pictures.draw(pooled({"format": 2}), tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_empty_data_has_no_place_on_a_logarithmic_scale(self) -> None:
        cells = [latency("port", 39, size) for size in (0, 64, 4096)]
        sheet = pictures.size(pooled(with_cells(small(), "one_caller", *cells)))
        assert sheet
        assert list(sheet.axes[0].dataLim.intervalx) == [64, 4096]

    def test_noisy_latency_is_marked(self) -> None:
        for file, mark in ((small(), "40.0"), (multiplied(small(), ROUGH, "port"), "~43.1")):
            sheet = pictures.latency(pooled(file))
            assert sheet
            assert mark in [text.get_text() for text in sheet.axes[0].texts]

    def test_echo_as_long_is_in_the_picture_by_size_alone(self) -> None:
        shown = {
            name: {text.get_text() for text in sheet.legends[0].get_texts()}
            for name, picture in pictures.PICTURES.items()
            if (sheet := picture(pooled(small())))
        }
        with_it = [name for name, engines in shown.items() if "echo in C, as long" in engines]
        assert with_it == ["size"]
