"""`signal-port serve`: who is let in, what a worker gets, and how everything ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from child import ROOT, TIMEOUT, code, python, request
from serving import SERVE, Client, Serving, is_alive, serve_with, state_of, until, workers_are

from signal_port.codec import atom
from signal_port.serve import worker_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="serve needs Linux")
takes_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

OK = atom("ok")
ANSWER = [OK, sha256(b"abc").digest()]
NOBODY = 65534
LISTENS_TO_NOTHING = workers_are("import time\nwhile True: time.sleep(60)")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a short path that every user may pass through."""
    path = Path(tempfile.mkdtemp(prefix="sp-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def path(folder: Path) -> Path:
    """Return where a socket may be."""
    return folder / "worker.sock"


class TestAConnection:
    """A connection has a worker of its own, and both end together."""

    def test_call_is_answered(self, path: Path) -> None:
        with Serving(path) as serving, serving.client() as client:
            assert client.ready()["os_pid"] == serving.event("begin")["worker"]
            assert client.call("sha256", b"abc") == ANSWER

    def test_two_connections_have_two_workers(self, path: Path) -> None:
        with Serving(path) as serving, serving.client() as one, serving.client() as other:
            assert one.ready()["os_pid"] != other.ready()["os_pid"]

    def test_connection_is_logged_with_user_and_process(self, path: Path) -> None:
        with Serving(path) as serving, serving.client() as client:
            client.ready()
            begin = serving.event("begin")
            client.send(bytes(4))
            end = serving.event("end")
        for event in begin, end:
            assert (event["uid"], event["pid"]) == (os.geteuid(), os.getpid())
        assert end["reason"] == "ended"
        assert end["worker"] == begin["worker"]

    def test_closed_connection_ends_its_worker(self, path: Path) -> None:
        with Serving(path) as serving:
            with serving.client() as client:
                client.ready()
            assert serving.event("end")["reason"] == "ended"
            assert serving.children() == []

    def test_connection_closed_with_unread_answers_ends_its_worker(self, path: Path) -> None:
        with Serving(path) as serving:
            with serving.client() as client:
                client.ready()
                client.send(request(1, "sha256", b"abc") * 100)
                client.receive()
            assert serving.event("end")["reason"] == "ended"

    def test_half_closed_connection_is_answered(self, path: Path) -> None:
        with Serving(path) as serving, serving.client() as client:
            client.ready()
            client.send(b"".join(request(n, "generate_ed25519_keypair") for n in range(500)))
            client.end_output()
            assert [client.receive()[0] for _ in range(500)] == list(range(500))
            assert client.is_at_end()
            assert serving.event("end")["reason"] == "ended"

    def test_killed_worker_closes_its_connection(self, path: Path) -> None:
        with Serving(path) as serving, serving.client() as client:
            os.kill(client.ready()["os_pid"], signal.SIGKILL)
            assert client.is_at_end()
            assert serving.event("end")["reason"] == "was killed by SIGKILL"

    def test_stopped_worker_of_closed_connection_is_killed(self, path: Path) -> None:
        with Serving(path) as serving:
            with serving.client() as client:
                os.kill(client.ready()["os_pid"], signal.SIGSTOP)
            assert serving.event("end")["reason"] == "did not end within 1 s, and was killed"
            assert serving.children() == []

    def test_worker_that_ignores_the_end_is_killed(self, path: Path) -> None:
        with Serving(path, program=serve_with(LISTENS_TO_NOTHING)) as serving:
            with serving.client():
                serving.event("begin")
            assert serving.event("end")["reason"] == "did not end within 1 s, and was killed"

    def test_connection_closed_before_its_worker_starts_has_none(self, path: Path) -> None:
        with Serving(path) as serving:
            assert examined(path)
            serving.event("end")
            before = serving.descriptors()
            serving.signal(signal.SIGSTOP)
            until(lambda: state_of(serving.process.pid) == "T")
            for _ in range(1000):
                serving.client().socket.close()
            serving.signal(signal.SIGCONT)
            assert examined(path)
            assert serving.event("begin")["connection"] == 1002
            serving.event("end")
            until(lambda: serving.descriptors() == before)
            assert serving.children() == []


def examined(path: Path) -> bool:
    """Tell whether a worker answers."""
    with Client(path) as client:
        client.ready()
        return bool(client.call("sha256", b"abc") == ANSWER)


class TestABadPeer:
    """What a peer does harms its own worker and nothing else."""

    @pytest.mark.parametrize(
        "data",
        [b"GET / HTTP/1.1\r\nHost: signal\r\n\r\n", b"\x00\x00\x00\x01\xc1", b"\xff" * 100_000],
        ids=["http", "no_request", "length_over_the_limit"],
    )
    def test_garbage_ends_its_worker(self, path: Path, data: bytes) -> None:
        with Serving(path) as serving, serving.client() as good, serving.client() as bad:
            good.ready()
            bad.ready()
            bad.send(data)
            assert bad.is_at_end()
            assert "invalid protocol data" in serving.event("end")["reason"]
            assert good.call("sha256", b"abc") == ANSWER

    def test_half_a_frame_and_silence_leaves_others_alone(self, path: Path) -> None:
        with Serving(path) as serving, serving.client() as good:
            good.ready()
            with serving.client() as bad:
                bad.ready()
                bad.send(request(1, "sha256", b"abc")[:-1])
                assert good.call("sha256", b"abc") == ANSWER
            assert "invalid protocol data" in serving.event("end")["reason"]

    def test_peer_that_never_reads_leaves_others_alone(self, path: Path) -> None:
        with Serving(path) as serving, serving.client() as good:
            good.ready()
            with serving.client() as bad:
                bad.socket.setblocking(False)
                fill(bad.socket, request(1, "hkdf_sha256", b"", b"", b"", 8160) * 50)
                assert good.call("sha256", b"abc") == ANSWER
            assert serving.event("end")["worker"] != good.call("init")
            assert good.call("sha256", b"abc") == ANSWER


def fill(channel: socket.socket, data: bytes) -> None:
    """Send to a non-blocking socket until it has taken nothing for a while."""
    import select

    while select.select([], [channel], [], 0.5)[1]:
        channel.send(data)


class TestAdmission:
    """Who is refused gets a notice with a sentence, and is closed."""

    def test_connection_over_the_limit_is_unfit(self, path: Path) -> None:
        with Serving(path, "--max-workers", "1") as serving:
            with serving.client() as first, serving.client() as second:
                first.ready()
                notice, reason = second.receive()
                assert (notice, "--max-workers" in reason) == ("unfit", True)
                assert second.is_at_end()
                assert serving.event("refused")["reason"] == reason
            serving.event("end")
            with serving.client() as third:
                third.ready()

    @takes_root
    def test_another_user_is_refused(self, path: Path) -> None:
        with Serving(path, "--mode", "0666") as serving:
            status, stderr = examined_by_nobody(path)
            assert status == 1
            assert f"does not admit the user {NOBODY}: start it with --allow-uid {NOBODY}" in stderr
            assert serving.event("refused")["uid"] == NOBODY
            assert serving.children() == []

    @takes_root
    @pytest.mark.parametrize("name", [str(NOBODY), "nobody"])
    def test_allowed_user_is_served(self, path: Path, name: str) -> None:
        with Serving(path, "--mode", "0666", "--allow-uid", name) as serving:
            assert examined_by_nobody(path) == (0, "")
            assert serving.event("end")["uid"] == NOBODY

    @takes_root
    def test_mode_keeps_another_user_out(self, path: Path) -> None:
        with Serving(path):
            status, stderr = examined_by_nobody(path)
            assert (status, "must not open" in stderr) == (1, True)

    @takes_root
    def test_mode_that_keeps_an_allowed_user_out_is_refused(self, path: Path) -> None:
        status, _, stderr = python(*SERVE, "--socket", str(path), "--allow-uid", str(NOBODY))
        assert (status, "--mode 0600 keeps the user 65534 out" in stderr) == (66, True)

    def test_worker_that_cannot_start_is_unfit(self, path: Path) -> None:
        missing = "serve.worker_command = lambda *_: ['/nowhere/python3']"
        with Serving(path, program=serve_with(missing)) as serving, serving.client() as client:
            notice, reason = client.receive()
            assert notice == "unfit"
            assert "cannot start a worker (No such file or directory)" in reason
            assert client.is_at_end()
            assert serving.event("refused")["reason"] == reason


def examined_by_nobody(path: Path) -> tuple[int, str]:
    """Examine a socket as the user nobody; return the exit status and standard error."""
    lines = (
        "import os, msgpack",
        "from signal_port import doctor_socket",  # nobody might not be allowed to read the package
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})",
        f"sys.exit(doctor_socket.examine({str(path)!r}))",
    )
    status, _, stderr = python(*code(*lines))
    return status, stderr


class TestWhatAWorkerGets:
    """A worker has its connection and standard error, and little of the environment."""

    def test_descriptors_are_the_connection_and_standard_error(self, path: Path) -> None:
        listing = """
import os, sys
found = []
for descriptor in range(256):
    try:
        status = os.fstat(descriptor)
    except OSError:
        continue
    found.append(f"{descriptor}:{status.st_ino}")
os.write(1, " ".join(found).encode())
"""
        leak = "import os; os.set_inheritable(os.open('/dev/null', os.O_RDONLY), True)"
        program = serve_with(leak, workers_are(listing))
        with Serving(path, program=program) as serving, serving.client() as client:
            found = dict(field.split(":") for field in read_all(client).split())
            assert list(found) == ["0", "1", "2"]
            assert found["0"] == found["1"]
            assert found["2"] != found["0"]
            assert serving.process.poll() is None

    def test_variables_are_those_that_python_needs(self) -> None:
        given = {"PATH": "/bin", "LC_ALL": "C", "SIGNAL_PORT_X": "1", "LD_PRELOAD": "x.so"}
        secret = {"DATABASE_URL": "secret", "NOTIFY_SOCKET": "/run/x", "LISTEN_FDS": "1"}
        assert worker_environment({**given, **secret}) == given

    def test_frame_limit_and_busy_wait_reach_the_worker(self, path: Path) -> None:
        with (
            Serving(path, "--max-frame", "1000", "--busy-wait", "50") as serving,
            serving.client() as client,
        ):
            client.ready()
            client.send((1001).to_bytes(4, "big"))
            assert client.is_at_end()
            until(lambda: any("over the limit of 1000" in line for line in serving.lines))


def read_all(client: Client) -> str:
    """Return what comes until the end."""
    data = b""
    while more := client.socket.recv(4096):
        data += more
    return data.decode()


class TestTheEnd:
    """No worker outlives the server, and a server that is asked to stop finishes its calls."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_running_calls_are_answered(self, path: Path, number: signal.Signals) -> None:
        calls = b"".join(request(n, "generate_ed25519_keypair") for n in range(2000))
        with Serving(path, "--drain", "60") as serving, serving.client() as client:
            client.ready()
            client.send(calls)
            serving.signal(number)
            assert [client.receive()[0] for _ in range(2000)] == list(range(2000))
            assert client.is_at_end()
            assert serving.wait() == 0
            assert serving.event("stopped")["killed"] == 0

    def test_starting_worker_gets_ready_and_ends(self, path: Path) -> None:
        with Serving(path, "--drain", "60") as serving, serving.client() as client:
            serving.event("begin")
            serving.signal(signal.SIGTERM)
            client.ready()
            assert client.is_at_end()
            assert serving.wait() == 0

    def test_idle_connections_end_at_once(self, path: Path) -> None:
        with Serving(path, "--drain", "3600") as serving, serving.client() as client:
            client.ready()
            assert serving.stop() == 0
            assert not path.exists()

    def test_worker_that_does_not_finish_is_killed(self, path: Path) -> None:
        program = serve_with(LISTENS_TO_NOTHING)
        with Serving(path, "--drain", "0.1", program=program) as serving, serving.client():
            worker = serving.event("begin")["worker"]
            assert serving.stop() == 0
            assert serving.event("stopped")["killed"] == 1
            assert not is_alive(worker)

    def test_second_signal_kills_at_once(self, path: Path) -> None:
        program = serve_with(LISTENS_TO_NOTHING)
        with Serving(path, "--drain", "3600", program=program) as serving, serving.client():
            serving.event("begin")
            serving.signal(signal.SIGTERM)
            serving.event("draining")
            assert serving.stop() == 0

    def test_path_is_free_for_a_successor_while_calls_finish(self, path: Path) -> None:
        program = serve_with(LISTENS_TO_NOTHING)
        with Serving(path, "--drain", "3600", program=program) as old, old.client():
            old.event("begin")
            old.signal(signal.SIGTERM)
            old.event("draining")
            with Serving(path) as new, new.client() as client:
                client.ready()
                assert old.stop() == 0
                assert path.exists()

    def test_killed_server_takes_workers_along(self, path: Path) -> None:
        with Serving(path) as serving:
            clients = [serving.client() for _ in range(3)]
            workers = [client.ready()["os_pid"] for client in clients]
            os.kill(workers[0], signal.SIGSTOP)
            clients[1].send(request(1, "sha256", bytes(1000)) * 100)
            serving.signal(signal.SIGKILL)
            until(lambda: not any(map(is_alive, workers)))
            for client in clients:
                client.socket.close()

    def test_server_killed_while_workers_start_takes_them_along(self, path: Path) -> None:
        for _ in range(5):
            with Serving(path) as serving:
                clients = [serving.client() for _ in range(4)]
                workers = [serving.event("begin")["worker"] for _ in range(2)]
                workers += serving.children()
                serving.signal(signal.SIGKILL)
                until(lambda: not any(map(is_alive, workers)))  # noqa: B023
                for client in clients:
                    client.socket.close()


class TestThePath:
    """A stale socket is replaced, one in use is not, and a folder of others is refused."""

    def test_socket_left_by_a_killed_server_is_replaced(self, path: Path) -> None:
        with Serving(path) as serving:
            serving.signal(signal.SIGKILL)
            serving.wait()
        assert path.is_socket()
        with Serving(path) as serving, serving.client() as client:
            client.ready()

    def test_socket_of_a_running_server_is_left_alone(self, path: Path) -> None:
        with Serving(path) as serving:
            status, _, stderr = python(*SERVE, "--socket", str(path))
            assert (status, f"another signal-port serves {path}" in stderr) == (66, True)
            with serving.client() as client:
                client.ready()

    def test_servers_started_together_leave_one(self, path: Path) -> None:
        command = [sys.executable, *SERVE, "--socket", str(path)]
        servers = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(4)]
        until(lambda: sum(server.poll() == 66 for server in servers) == 3)
        until(path.exists)
        (winner,) = (server for server in servers if server.poll() is None)
        winner.terminate()
        assert winner.wait(TIMEOUT) == 0

    def test_nothing_to_listen_on_is_an_error(self) -> None:
        status, _, stderr = python(*SERVE)
        assert (status, stderr) == (
            66,
            "signal-port: there is nothing to listen on: give --socket PATH\n",
        )

    @pytest.mark.parametrize(
        ("option", "value", "sentence"),
        [
            ("--mode", "rw", "'rw' is no mode such as 0660"),
            ("--mode", "01777", "'01777' is no mode such as 0660"),
            ("--max-workers", "0", "it must be at least 1"),
            ("--max-workers", "-1", "'-1' is no number"),
            ("--drain", "soon", "'soon' is no number of seconds"),
            ("--allow-uid", "no-such-user", "there is no user 'no-such-user' here: give the uid"),
        ],
    )
    def test_wrong_argument_is_named(self, option: str, value: str, sentence: str) -> None:
        status, _, stderr = python(*SERVE, "--socket", "/nowhere/x", option, value)
        assert (status, sentence in stderr) == (2, True)

    def test_more_workers_than_descriptors_is_an_error(self, path: Path) -> None:
        limit = ["prlimit", "--nofile=64:64", sys.executable, *SERVE, "--max-workers", "64"]
        ended = subprocess.run(
            [*limit, "--socket", str(path)], capture_output=True, check=False, cwd=ROOT
        )
        assert (ended.returncode, b"64 workers need 96 file descriptors" in ended.stderr) == (
            66,
            True,
        )


class TestAServiceManager:
    """It passes a socket, and is told when calls are accepted and when no more."""

    PASSED = (
        "import os",
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')",
        "import socket; listener = socket.socket(socket.AF_UNIX)",
        "listener.bind(sys.argv[2]); listener.listen(); os.dup2(listener.detach(), 3)",
    )

    def test_passed_socket_is_served_and_left_there(self, path: Path) -> None:
        with Serving(path, program=serve_with(*self.PASSED)) as serving:
            with serving.client() as client:
                client.ready()
            assert serving.stop() == 0
            assert path.is_socket()
            assert not path.with_name("worker.sock.lock").exists()

    def test_passed_socket_of_another_path_is_an_error(self, path: Path) -> None:
        other = f"sys.argv[2] = {str(path)!r} + '.other'"
        program = serve_with(*self.PASSED, other)
        status, _, stderr = python(*program, "--socket", str(path))
        assert (status, f"--socket names {path}.other" in stderr) == (66, True)

    def test_start_and_stop_are_notified(self, folder: Path, path: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(folder / "notify"))
            manager.settimeout(TIMEOUT)
            name = f"import os; os.environ['NOTIFY_SOCKET'] = {str(folder / 'notify')!r}"
            with Serving(path, program=serve_with(name)) as serving:
                assert manager.recv(100) == b"READY=1"
                serving.signal(signal.SIGTERM)
                assert manager.recv(100) == b"STOPPING=1"
                assert serving.wait() == 0
