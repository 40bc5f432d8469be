"""The limits as figures, each at the figure and one over it: no test here reads the constant."""

import os
from pathlib import Path
from typing import Any

import msgpack
import pytest
from child import framed, request, serve, terms

from signal_port import ed25519, limits, operations, worker
from signal_port.codec import atom
from signal_port.exit_status import PROTOCOL
from signal_port.worker import Worker

OK, ERROR = atom("ok"), atom("error")
BADARG = (ERROR, atom("badarg"))
TOO_LARGE = [ERROR, atom("too_large")]
FIGURES = {
    "MAX_FRAME": 134_217_728,
    "MIN_MEMORY": 67_108_864,
    "MEMORY_PER_FRAME_BYTE": 12,
    "MAX_BATCH": 1024,
    "MAX_SKIP": 32,
    "MAX_SKIPPED_KEYS": 96,
    "MAX_TERMS": 131_072,
    "MAX_TERM_DEPTH": 128,
    "MAX_HKDF_LENGTH": 8160,
    "MAX_CACHED_IDENTITIES": 4096,
    "MAX_HOLD_NS": 200_000,
}


def test_figures_are_those_of_the_documents() -> None:
    found = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert found == FIGURES


class TestBatch:
    """A batch has up to 1024 calls."""

    def test_batch_of_1024_calls_is_answered(self) -> None:
        assert operations.perform("batch", [["init", []]] * 1024) == [OK] * 1024

    def test_batch_of_1025_calls_is_badarg(self) -> None:
        assert operations.perform("batch", [["init", []]] * 1025) == BADARG


class TestIdentityCache:
    """4096 identities are remembered in their X25519 form."""

    def test_cache_holds_4096_identities(self) -> None:
        assert ed25519._convert.cache_info().maxsize == 4096


class TestFrame:
    """A frame of exactly `max_frame` bytes is taken; tag and everything else count."""

    @pytest.mark.parametrize("tag", ["", "t", "tag of another length"])
    def test_request_of_the_limit_is_answered(self, tag: str) -> None:
        payload = msgpack.packb([tag, "sha256", [bytes(1000)]])
        ended = serve(framed(payload), str(len(payload)))
        assert [answered for answered, _ in terms(ended.stdout)[1:]] == [tag]
        assert ended.status == 0

    @pytest.mark.parametrize("tag", ["", "t", "tag of another length"])
    def test_request_of_one_byte_more_ends_it(self, tag: str) -> None:
        payload = msgpack.packb([tag, "sha256", [bytes(1000)]])
        ended = serve(framed(payload), str(len(payload) - 1))
        assert terms(ended.stdout)[1:] == []
        assert ended.status == PROTOCOL
        assert f"{len(payload)} bytes is over the limit of {len(payload) - 1}" in ended.stderr

    @pytest.mark.parametrize("tag", ["", "t", "tag of another length"])
    def test_answer_of_the_limit_is_given(self, tag: str) -> None:
        size = len(msgpack.packb([tag, [OK, bytes(200)]]))
        ended = serve(request(tag, "hkdf_sha256", b"", b"", b"", 200), str(size))
        assert len(terms(ended.stdout)[1][1][1]) == 200

    @pytest.mark.parametrize("tag", ["", "t", "tag of another length"])
    def test_answer_of_one_byte_more_is_too_large(self, tag: str) -> None:
        size = len(msgpack.packb([tag, [OK, bytes(200)]]))
        ended = serve(request(tag, "hkdf_sha256", b"", b"", b"", 200), str(size - 1))
        assert terms(ended.stdout)[1:] == [[tag, TOO_LARGE]]


def writes(nanoseconds: int, calls: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return in how many writes a worker answers calls that were read together.

    Each call takes that long, and nothing else takes time.
    """
    now = 0

    def slow() -> Any:
        nonlocal now
        now += nanoseconds
        return OK

    monkeypatch.setattr(worker, "monotonic_ns", lambda: now)
    init = operations.OPERATIONS["init"]._replace(function=slow)
    monkeypatch.setitem(operations.OPERATIONS, "init", init)
    requests, written = folder / "requests", list[int]()
    requests.write_bytes(request("tag", "init") * calls)
    with requests.open("rb") as source:
        monkeypatch.setattr(os, "write", lambda _, data: written.append(len(data)) or len(data))
        Worker(source.fileno(), -1).serve()
    return sum(1 for size in written if size)


class TestHold:
    """Answers are held for others for up to 200 microseconds."""

    def test_answers_of_200_microseconds_are_written_together(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert writes(100_000, 2, tmp_path, monkeypatch) == 1

    def test_answer_that_takes_one_nanosecond_more_is_written_at_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert writes(200_001, 2, tmp_path, monkeypatch) == 2

    def test_time_is_counted_from_the_last_write(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert writes(100_001, 6, tmp_path, monkeypatch) == 3
