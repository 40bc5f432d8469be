"""The socket's path: which are refused and why, what is replaced, and the mode from the start."""

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from signal_port import serve_socket
from signal_port.serve_socket import MAX_PATH, SocketError, listen, unsafe_ancestors


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a short path."""
    path = Path(tempfile.mkdtemp(prefix="sp-")).resolve()
    yield path
    shutil.rmtree(path)


def refusal(path: Path) -> str:
    """Return the sentence of a path that is refused."""
    with pytest.raises(SocketError) as caught:
        listen(str(path), 0o600)
    return str(caught.value)


class TestThePath:
    """A path that cannot be used is refused with a sentence."""

    def test_longest_path_is_served(self, folder: Path) -> None:
        name = "x" * (MAX_PATH - len(str(folder)) - 1)
        listen(str(folder / name), 0o600).release()

    def test_longer_path_is_refused(self, folder: Path) -> None:
        name = "x" * (MAX_PATH - len(str(folder)))
        assert "has at most 107 bytes" in refusal(folder / name)
        assert "has 108: choose a shorter one" in refusal(folder / name)

    def test_path_is_measured_in_bytes(self, folder: Path) -> None:
        assert "has at most 107 bytes" in refusal(folder / ("é" * 50))

    def test_file_at_the_path_is_left_alone(self, folder: Path) -> None:
        (folder / "file").write_text("mine")
        assert "is no socket: remove it" in refusal(folder / "file")
        assert (folder / "file").read_text() == "mine"

    def test_link_at_the_path_is_left_alone(self, folder: Path) -> None:
        (folder / "link").symlink_to(folder / "nothing")
        assert "is no socket: remove it" in refusal(folder / "link")

    def test_link_as_lock_is_refused(self, folder: Path) -> None:
        (folder / "a.sock.lock").symlink_to(folder / "elsewhere")
        assert "cannot listen on" in refusal(folder / "a.sock")
        assert not (folder / "elsewhere").exists()

    def test_listening_that_fails_gives_the_lock_back(self, folder: Path) -> None:
        (folder / "a.sock").write_text("")
        refusal(folder / "a.sock")
        (folder / "a.sock").unlink()
        listen(str(folder / "a.sock"), 0o600).release()


class TestTheFolder:
    """A folder that others can write to could hold another socket tomorrow."""

    @pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o702, 0o1777])
    def test_folder_that_others_can_write_to_is_refused(self, folder: Path, mode: int) -> None:
        folder.chmod(mode)
        assert f"others can write to {folder} (mode {mode:04o})" in refusal(folder / "a.sock")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    def test_folder_of_another_user_is_refused(self, folder: Path) -> None:
        os.chown(folder, 65534, 0)
        assert f"{folder} belongs to the user 65534" in refusal(folder / "a.sock")

    def test_missing_folder_is_made(self, folder: Path) -> None:
        listen(str(folder / "new" / "a.sock"), 0o600).release()
        assert stat.S_IMODE((folder / "new").stat().st_mode) == 0o755

    def test_missing_folders_are_refused(self, folder: Path) -> None:
        assert f"there is no folder {folder}/no" in refusal(folder / "no" / "no" / "a.sock")

    def test_ancestor_that_others_can_write_to_is_found(self, folder: Path) -> None:
        (folder / "own").mkdir(mode=0o755)
        path = str(folder / "own" / "a.sock")
        assert unsafe_ancestors(path) == []  # /tmp is sticky
        folder.chmod(0o777)
        assert unsafe_ancestors(path) == [str(folder)]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    def test_ancestor_of_another_user_is_found(self, folder: Path) -> None:
        (folder / "own").mkdir(mode=0o755)
        os.chown(folder, 65534, 0)
        assert unsafe_ancestors(str(folder / "own" / "a.sock")) == [str(folder)]


class TestWhatIsThere:
    """A stale socket is replaced; one that is served is not."""

    def test_stale_socket_is_replaced(self, folder: Path) -> None:
        path = folder / "a.sock"
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
        before = path.stat().st_ino, path.stat().st_ctime_ns
        listener = listen(str(path), 0o600)
        assert (path.stat().st_ino, path.stat().st_ctime_ns) != before
        listener.release()
        assert not path.exists()

    def test_socket_that_is_locked_is_left_alone(self, folder: Path) -> None:
        first = listen(str(folder / "a.sock"), 0o600)
        assert "another signal-port serves" in refusal(folder / "a.sock")
        first.release()
        listen(str(folder / "a.sock"), 0o600).release()

    @pytest.mark.parametrize("backlog", [8, 0])
    def test_socket_of_another_program_is_left_alone(self, folder: Path, backlog: int) -> None:
        path = folder / "a.sock"
        with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as waits:
            other.bind(str(path))
            other.listen(backlog)
            waits.connect(str(path))  # with a backlog of zero, its queue is full
            assert "another program serves" in refusal(path)
            assert path.is_socket()

    def test_socket_of_another_kind_is_left_alone(self, folder: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.bind(str(folder / "a.sock"))
            assert "another program serves" in refusal(folder / "a.sock")


class TestTheMode:
    """The socket has its mode from the first moment, whatever the process's umask is."""

    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
    @pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
    def test_mode_is_as_told(
        self, folder: Path, umask: int, mode: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Whoever can see the socket at all sees it after bind: nothing corrects the mode later.
        for name in "chmod", "fchmod":
            monkeypatch.setattr(serve_socket.os, name, None)
        before = os.umask(umask)
        try:
            listener = listen(str(folder / "a.sock"), mode)
            assert os.umask(umask) == umask
        finally:
            os.umask(before)
        assert stat.S_IMODE((folder / "a.sock").stat().st_mode) == mode
        listener.release()
