"""Capacity: the simulation against what queueing theory knows, and the way from a mix to hosts."""

from collections.abc import Callable
from math import log
from pathlib import Path
from random import Random
from statistics import mean
from xml.etree import ElementTree

import capacity
import mix
import pytest
import queueing
import results
from bench_results import ROUGH, File, latency, pooled, rate, small, with_cells, write
from results import Figure, Key

CALLS = 80_000
SERVICE = 0.001  # seconds; a rate is so many thousandths busy


def waits(rate: float, workers: int, service: Callable[[Random], float]) -> list[float]:
    """Return how long calls wait that arrive at a rate and take what `service` draws."""
    random = Random(1)
    arrivals = queueing.arrivals(rate, CALLS, random)
    found = queueing.waits_of(arrivals, [service(random) for _ in arrivals], workers)
    return found[CALLS // 10 :]


def constant(_: Random) -> float:
    return SERVICE


def exponential(random: Random) -> float:
    return random.expovariate(1 / SERVICE)


def mean_of_md1(busy: float) -> float:
    """Pollaczek and Khinchine: one worker, constant service."""
    return SERVICE * busy / (2 * (1 - busy))


def mean_of_mmc(busy: float, workers: int) -> float:
    """Erlang's C formula: workers that share one queue, exponential service."""
    load = busy * workers
    term, below = 1.0, 0.0
    for count in range(workers):
        below += term
        term *= load / (count + 1)
    waiting = term / (1 - busy)
    return waiting / (below + waiting) * SERVICE / (workers * (1 - busy))


class TestQueueing:
    @pytest.mark.parametrize("busy", [0.3, 0.5, 0.7])
    def test_one_worker_of_constant_service_is_md1(self, busy: float) -> None:
        found = mean(waits(busy / SERVICE, 1, constant))
        assert found == pytest.approx(mean_of_md1(busy), rel=0.05)

    @pytest.mark.parametrize("busy", [0.3, 0.5, 0.7])
    def test_one_worker_of_random_service_is_mm1(self, busy: float) -> None:
        found = sorted(waits(busy / SERVICE, 1, exponential))
        assert mean(found) == pytest.approx(mean_of_mmc(busy, 1), rel=0.05)
        p99 = SERVICE * log(busy / 0.01) / (1 - busy)
        assert queueing.percentile(99, found) == pytest.approx(p99, rel=0.05)

    @pytest.mark.parametrize("workers", [2, 4, 8])
    def test_workers_with_queues_wait_between_one_queue_and_queues_by_lot(
        self, workers: int
    ) -> None:
        found = mean(waits(0.8 * workers / SERVICE, workers, exponential))
        assert mean_of_mmc(0.8, workers) < found < mean_of_mmc(0.8, 1)

    def test_call_goes_to_the_worker_with_the_fewest_in_flight(self) -> None:
        times = [5.0, 1.0, 1.0, 1.0]  # the first is long: the third waits for the second
        assert queueing.waits_of([0.0, 0.1, 0.2, 1.5], times, 2) == pytest.approx([0, 0, 4.8, 0])

    def test_first_of_equal_workers_is_chosen(self) -> None:
        found = queueing.waits_of([0.0, 0.0, 0.5], [1.0, 2.0, 1.0], 2)
        assert found == pytest.approx([0, 0, 0.5])

    def test_workers_that_are_enough_let_no_call_wait(self) -> None:
        assert set(queueing.waits_of([0.0, 0.1, 0.2], [9.0] * 3, 3)) == {0.0}

    def test_same_seed_gives_the_same_answer(self) -> None:
        once, again = (queueing.waiting(1500, [0.001], [1], 2, 1000) for _ in range(2))
        assert once == again

    def test_long_operation_makes_short_ones_wait(self) -> None:
        even = queueing.waiting(700, [0.001], [1], 1, CALLS)
        mixed = queueing.waiting(700, [0.0005, 0.0055], [9, 1], 1, CALLS)  # the same mean
        assert mixed.p99 > 2 * even.p99


def measured() -> File:
    """Return a result of two cores: 20,000 dr_encrypt and 4,000 dr_decrypt a second at most."""
    cells = [
        *(
            rate("port", 9000, "dr_encrypt", callers=1),
            rate("port", 20000, "dr_encrypt", callers=8),
        ),
        *(rate("port", 4000, CHAIN, callers=8), rate("port", 1000, STEP, callers=8)),
        rate("nif", 80000, "dr_encrypt", callers=32),
    ]
    return with_cells(small(), "many_callers", *cells)


CHAIN, STEP = "dr_decrypt, in the chain", "dr_decrypt, ratchet step"


def loads(text: str) -> list[mix.Load]:
    """Return what a mix costs by that result."""
    return mix.read_mix(text, pooled(measured()))


class TestMix:
    def test_cost_is_the_core_time_at_the_best_rate(self) -> None:
        (load,) = loads("dr_encrypt:3")
        assert load.key == Key("many_callers", "dr_encrypt", 64, "port", 8)
        assert (load.share, load.cost.median) == (1, pytest.approx(2 / 20000))
        assert load.nif_cost == pytest.approx(2 / 80000)

    def test_cost_of_an_operation_the_nif_lacks_has_no_nif(self) -> None:
        assert loads("dr_decrypt:1")[0].nif_cost is None

    def test_operation_is_its_first_variant(self) -> None:
        assert [load.key.case for load in loads("dr_decrypt:1")] == [CHAIN]
        assert [load.key.case for load in loads("dr_decrypt ratchet step:1")] == [STEP]

    def test_weights_become_shares(self) -> None:
        found = loads("dr_encrypt:40, dr_decrypt:9, dr_encrypt:1")
        assert [load.share for load in found] == pytest.approx([0.82, 0.18])

    def test_busy_cores_are_the_sum_of_the_mix(self) -> None:
        found = loads("dr_encrypt:1,dr_decrypt:1")
        assert capacity.busy_cores(1000, found) == pytest.approx(500 * 2 / 20000 + 500 * 2 / 4000)

    def test_noisy_rate_is_a_noisy_cost(self) -> None:
        rough = [20000 * part for part in ROUGH]
        cell = {**rate("port", 1, "dr_encrypt", callers=8), "rounds": rough}
        (load,) = mix.read_mix("dr_encrypt:1", pooled(with_cells(small(), "many_callers", cell)))
        assert load.cost == pytest.approx((2 / 30000, 2 / 22000, 2 / 12000))
        assert load.cost.noisy

    def test_default_mix_is_one_of_the_reference(self) -> None:
        reference = results.read([capacity.REFERENCE])
        assert len(mix.read_mix(capacity.MIX, reference)) == 3


class TestHosts:
    @pytest.mark.parametrize(
        ("rate", "cores", "hosts"),
        [(1, 2, 1), (13_900, 2, 1), (15_000, 2, 2), (140_000, 2, 10), (140_000, 20, 1)],
    )
    def test_hosts_are_at_most_70_percent_busy(self, rate: float, cores: int, hosts: int) -> None:
        assert capacity.needed(rate, loads("dr_encrypt:1"), cores) == hosts

    def test_every_choice_can_serve_the_rate(self) -> None:
        found = list(capacity.choices(100_000, loads("dr_encrypt:1"), 2))
        assert [choice.hosts for choice in found] == [6, 7, 8, 10]
        assert all(choice.busy < 1 for choice in found)
        p99s = [choice.waiting.p99 for choice in found]
        assert p99s == sorted(p99s, reverse=True)

    def test_loss_of_a_host_is_shared_by_the_others(self) -> None:
        (first, *_) = capacity.choices(30_000, loads("dr_encrypt:1"), 2)
        assert (first.hosts, first.busy) == (2, pytest.approx(0.75))
        assert first.busy_with_one_lost == pytest.approx(1.5)
        (alone,) = capacity.choices(100, loads("dr_encrypt:1"), 2)
        assert alone.busy_with_one_lost is None


class TestCommand:
    def run(self, folder: Path, *arguments: str) -> int:
        """Run the command with that result."""
        return capacity.main([*arguments, write(folder / "result", measured())])

    def test_answer_is_a_table_and_a_sentence(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(tmp_path, "--rate", "30000", "--mix", "dr_encrypt:1") == 0
        output = capsys.readouterr().out
        printed = [line.split() for line in output.splitlines()]
        assert ["all", "30k", "3.00", "0.750"] in printed
        assert "30,000 calls a second need 3 hosts of 2 cores: " in output

    def test_pool_that_auto_does_not_start_is_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        same = ("--mix", "dr_encrypt:1")
        assert self.run(tmp_path, "--rate", "9", "--cores", "8", *same) == 0
        assert "pool_size" not in capsys.readouterr().out
        assert self.run(tmp_path, "--rate", "9", "--cores", "16", *same) == 0
        assert "Set pool_size to 16: auto starts 8 workers at most." in capsys.readouterr().out

    def test_picture_has_a_curve_for_each_choice(self, tmp_path: Path) -> None:
        file = tmp_path / "new" / "capacity.svg"
        same = ("--mix", "dr_encrypt:1")
        assert self.run(tmp_path, "--rate", "30000", *same, "--picture", str(file)) == 0
        assert ElementTree.fromstring(file.read_bytes()).tag == "{http://www.w3.org/2000/svg}svg"

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ([], "RATE is calls a second, for example RATE=2000; it is ''"),
            (["--rate", "many"], "RATE is calls a second, for example RATE=2000; it is 'many'"),
            (["--rate", "-1"], "RATE is calls a second, for example RATE=2000; it is '-1'"),
            (["--rate", "0"], "RATE is calls a second, for example RATE=2000; it is '0'"),
            (["--rate", "nan"], "RATE is calls a second, for example RATE=2000; it is 'nan'"),
            (["--rate", "1e999"], "RATE is calls a second, for example RATE=2000; it is '1e999'"),
            (["--cores", "0"], "CORES is a whole number from 1 to 256; it is '0'"),
            (["--cores", "1.5"], "CORES is a whole number from 1 to 256; it is '1.5'"),
            (["--cores", "257"], "CORES is a whole number from 1 to 256; it is '257'"),
            (["--mix", "dr_encrypt"], "MIX has 'dr_encrypt'; OPERATION:WEIGHT, with one of: "),
            (["--mix", "send:1"], "MIX has 'send:1'; OPERATION:WEIGHT, with one of: dr_encrypt, "),
            (["--mix", "dr_encrypt:1,"], "MIX has ''; OPERATION:WEIGHT, with one of: "),
            (
                ["--mix", "dr_encrypt:x"],
                "the weight of dr_encrypt in MIX is a number above 0; it is 'x'",
            ),
            (
                ["--mix", "dr_encrypt:0"],
                "the weight of dr_encrypt in MIX is a number above 0; it is '0'",
            ),
        ],
    )
    def test_bad_input_gets_one_sentence(
        self,
        arguments: list[str],
        sentence: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        given = {"--rate": "100", "--mix": "dr_encrypt:1", "--cores": ""}
        given |= dict(zip(arguments[::2], arguments[1::2])) or {"--rate": ""}
        flat = [f"{name}={value}" for name, value in given.items()]
        assert self.run(tmp_path, *flat) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"capacity: {sentence}")
        assert error.count("\n") == 1

    def test_result_without_rates_gets_one_sentence(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = {**small(), "many_callers": []}
        assert capacity.main(["--rate=9", write(tmp_path / "a", file)]) == 2
        assert capsys.readouterr().err.endswith("OPERATION:WEIGHT, with one of: none\n")

    def test_result_without_its_machine_gets_one_sentence(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = with_cells({"format": 2}, "one_caller", latency("port", 40))
        assert capacity.main(["--rate=9", write(tmp_path / "a", file)]) == 2
        error = capsys.readouterr().err
        assert error == "capacity: the result lacks the number of cores of its machine\n"

    def test_missing_result_gets_one_sentence(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert capacity.main(["--rate=9", str(tmp_path / "none")]) == 2
        assert capsys.readouterr().err.endswith("none cannot be read: No such file or directory\n")


class TestCost:
    def test_cost_of_a_rate_that_varies_is_the_other_way_round(self) -> None:
        rates = [{**rate("port", 1, "init", callers=8), "rounds": [1000.0, 2000.0, 4000.0]}]
        found = pooled(with_cells(small(), "many_callers", *rates))
        key = Key("many_callers", "init", 64, "port", 8)
        assert mix.costs(key, found) == (Figure(0.0005, 0.001, 0.002), None)
