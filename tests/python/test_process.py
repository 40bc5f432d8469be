"""The pipes of a worker's process, on systems that enlarge them and on others."""

import os
import socket
import sys
from pathlib import Path

import pytest
from child import code, python

from signal_port.process import PIPE_SIZE, enlarge_pipe


class TestEnlargePipe:
    """A pipe holds more if the system allows it."""

    def test_pipe_is_enlarged(self) -> None:
        fcntl = pytest.importorskip("fcntl")
        if not hasattr(fcntl, "F_GETPIPE_SZ"):
            pytest.skip("this system enlarges no pipes")
        ends = os.pipe()
        before = fcntl.fcntl(ends[0], fcntl.F_GETPIPE_SZ)
        enlarge_pipe(ends[0])
        after = fcntl.fcntl(ends[1], fcntl.F_GETPIPE_SZ)
        for end in ends:
            os.close(end)
        # A user with many pipes open is refused, and the pipe stays as it was.
        assert after in (before, PIPE_SIZE)
        assert os.geteuid() != 0 or after == PIPE_SIZE

    def test_other_descriptors_stay_as_they_are(self, tmp_path: Path) -> None:
        file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
        one, other = socket.socketpair()
        with one, other:
            for descriptor in (file, one.fileno()):
                enlarge_pipe(descriptor)
                os.write(descriptor, b"still")
            assert other.recv(5) == b"still"
        os.close(file)
        enlarge_pipe(file)  # closed
        assert (tmp_path / "file").read_bytes() == b"still"

    def test_system_without_the_call_is_no_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fcntl = pytest.importorskip("fcntl")
        monkeypatch.delattr(fcntl, "F_SETPIPE_SZ", raising=False)
        ends = os.pipe()
        enlarge_pipe(ends[0])
        for end in ends:
            os.close(end)

    def test_system_without_fcntl_is_no_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "fcntl", None)
        enlarge_pipe(0)


class TestTakeStreams:
    """The port's pipes become descriptors that nothing else knows."""

    def test_streams_taken_are_the_pipes(self) -> None:
        taken = """
import os
from signal_port.process import take_streams
source, sink = take_streams()
os.write(sink, os.read(source, 100))
print("stray")
"""
        assert python(*code(taken), stdin=b"through") == (0, b"through", "stray\n")

    @pytest.mark.parametrize("stream", [0, 1])
    def test_closed_stream_is_an_error(self, stream: int) -> None:
        taken = f"""
import os
from signal_port.process import take_streams
os.close({stream})
try:
    take_streams()
except OSError:
    os.write(2, b"closed")
"""
        assert python(*code(taken)) == (0, b"", "closed")
