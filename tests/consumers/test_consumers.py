"""Projects that depend on this repository, in place of the NIF or beside it.

They are made, compiled and started as their owners do it. The cases of the class `TestPython` and
`TestInstall` take packages from the network.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from project import Project

ROOT = Path(__file__).parents[2]
DEADLINE = 300  # seconds, for a condition that is waited for
MADE = "priv/venv is made of "  # what the installer says if it has done something


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {DEADLINE} s"
        time.sleep(0.1)


def package(project: Project, repository: Path, target: Path) -> None:
    """Make a folder with the files that the package for hex has, and no others."""
    clone = project.folder.parent / "whole"
    project.run("git", "clone", "-q", repository, clone)
    command = ["escript", ROOT / "tests/consumers/list_files.escript"]
    for file in subprocess.check_output(command, cwd=clone, text=True).splitlines():
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(clone / file, target / file)


class TestRebar3:
    """Projects of rebar3 that are started with `erl`."""

    @pytest.mark.consumer("rebar3")
    def test_drop_in_replaces_the_nif_of_an_old_lock(self, project: Project) -> None:
        project.run("rebar3", "unlock", "libsignal_protocol_nif")
        project.run("rebar3", "compile")
        assert "git_subdir" in (project.folder / "rebar.lock").read_text()
        output = project.run("rebar3", "eunit", "--sys_config", "config/sys.config")
        assert "1 tests, 0 failures" in output

    @pytest.mark.consumer("rebar3_direct")
    def test_signal_port_itself_answers(self, project: Project) -> None:
        project.run("rebar3", "compile")
        project.erl("consumer", "start_and_check", "-config", "config/sys")

    @pytest.mark.consumer("checkouts")
    def test_checkouts_replace_the_nif_without_a_network(
        self, project: Project, repository: Path
    ) -> None:
        clone = project.folder.parent / "clone"
        project.run("git", "clone", "-q", repository, clone)
        checkouts = project.folder / "_checkouts"
        checkouts.mkdir()
        (checkouts / "signal_port").symlink_to(clone)
        drop_in = clone / "erlang/drop_in/libsignal_protocol_nif"
        (checkouts / "libsignal_protocol_nif").symlink_to(drop_in)
        project.run("rebar3", "compile")
        assert "libsignal_protocol_nif" not in (project.folder / "rebar.lock").read_text()
        project.erl("consumer", "start_and_check_drop_in", "-config", "config/sys")

    @pytest.mark.consumer("umbrella")
    def test_umbrella_calls_through_another_application(self, project: Project) -> None:
        project.run("rebar3", "compile")
        project.erl("caller", "start_and_check", "-config", "config/sys")

    @pytest.mark.consumer("umbrella_drop_in")
    def test_umbrella_with_a_copy_of_the_drop_in_answers(
        self, project: Project, repository: Path
    ) -> None:
        clone = project.folder.parent / "clone"
        project.run("git", "clone", "-q", repository, clone)
        name = "libsignal_protocol_nif"
        shutil.copytree(clone / "erlang/drop_in" / name, project.folder / "apps" / name)
        project.run("rebar3", "compile")
        project.erl("consumer", "start_and_check_drop_in", "-config", "config/sys")

    @pytest.mark.consumer("child_spec")
    def test_pool_under_a_supervisor_of_the_consumer_answers(self, project: Project) -> None:
        project.run("rebar3", "compile")
        project.erl("consumer_app", "start_and_check")

    @pytest.mark.consumer("package")
    def test_files_of_the_package_are_enough(self, project: Project, repository: Path) -> None:
        package(project, repository, project.folder / "_checkouts/signal_port")
        project.run("rebar3", "compile")
        project.erl("consumer", "start_and_check", "-config", "config/sys")


class TestMix:
    """Projects of mix, and a release of mix."""

    @pytest.mark.consumer("mix")
    def test_drop_in_answers_in_a_project_and_in_a_release(self, project: Project) -> None:
        project.run("mix", "deps.get")
        project.run("mix", "run", "check.exs")
        project.run("mix", "release", MIX_ENV="prod")
        script = project.release() / "bin/consumer"
        require = 'Code.require_file("check_release.exs")'
        project.run(script, "eval", require, RELEASE_DISTRIBUTION="none")

    @pytest.mark.consumer("mix_direct")
    def test_signal_port_itself_answers(self, project: Project) -> None:
        project.run("mix", "deps.get")
        project.run("mix", "run", "check.exs")

    @pytest.mark.consumer("mix_elixir")
    def test_pool_of_elixir_answers_without_rebar3_and_in_a_release(self, project: Project) -> None:
        project.environment = project.environment | {"MIX_REBAR3": "/no/rebar3"}
        project.run("mix", "deps.get")
        project.run("mix", "run", "-e", ":ok = Consumer.check()")
        project.run("mix", "release", MIX_ENV="prod")
        script = project.release() / "bin/consumer"
        require = 'Code.require_file("check_release.exs")'
        project.run(script, "eval", require, RELEASE_DISTRIBUTION="none")

    @pytest.mark.consumer("mix_path")
    def test_files_of_the_package_are_enough(self, project: Project, repository: Path) -> None:
        package(project, repository, project.folder.parent / "clone")
        project.run("mix", "compile", MIX_REBAR3="/no/rebar3")


class TestRelease:
    """Releases of rebar3 in embedded mode, in which every on_load runs before any application."""

    @pytest.mark.consumer("release")
    def test_release_answers_and_leaves_no_worker(self, project: Project) -> None:
        project.run("rebar3", "release")
        assert not list((project.release() / "lib").glob("crypto*"))
        with running(project) as (node, evaluate):
            state = evaluate("{code:get_mode(), consumer:check(), code:is_loaded(crypto)}.")
            assert state == "{embedded,ok,false}"
            workers = evaluate(
                "[Pid || #{os_pid := Pid} <- maps:get(workers, signal_port:info())]."
            )
            pids = [int(pid) for pid in workers.strip("[]").split(",")]
            assert len(pids) == 2
            # The script waits until the process is gone, and so until this one has reaped it.
            stop = start(project, project.release() / "bin/consumer", "stop")
            assert node.wait(DEADLINE) == 0
            assert stop.wait(DEADLINE) == 0
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    @pytest.mark.consumer("front")
    def test_drop_in_goes_before_a_nif_that_ends_the_vm(self, project: Project) -> None:
        front = ROOT / "_build/drop_in/lib/libsignal_protocol_nif/ebin"
        assert front.is_dir(), "run 'make build' first"
        project.run("rebar3", "release")
        assert project.boot("-s", "consumer", "check_and_halt").returncode == 139
        ended = project.boot("-pa", front, "-s", "consumer", "check_and_halt")
        assert ended.returncode == 0, ended.stdout


def start(project: Project, *command: object) -> subprocess.Popen[bytes]:
    """Start a command in the background."""
    return subprocess.Popen(
        [str(word) for word in command],
        env=project.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


@contextlib.contextmanager
def running(project: Project) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[str], str]]]:
    """Start the release, with an epmd of its own; yield its process, and how it evaluates."""
    script = project.release() / "bin/consumer"
    (binaries,) = project.release().glob("erts-*/bin")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    project.environment = project.environment | {
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(port),
    }

    def works(*command: object) -> bool:
        return project.attempt(*command).returncode == 0

    def evaluate(expression: str) -> str:
        return "".join(project.run(script, "eval", expression).split())

    epmd = start(project, binaries / "epmd")
    try:
        until(lambda: works(binaries / "epmd", "-names"), "the start of epmd")
        node = start(project, script, "foreground")
        try:
            until(lambda: node.poll() is not None or works(script, "ping"), "the release's start")
            assert node.poll() is None, "the release ended at its start"
            yield node, evaluate
        finally:
            node.kill()
            node.wait()
    finally:
        epmd.kill()
        epmd.wait()


class TestInstall:
    """`priv/install`, where the python3 that comes first on the path does not work."""

    @pytest.mark.consumer("install")
    def test_installed_packages_are_found_in_a_project_and_in_a_moved_release(
        self, project: Project
    ) -> None:
        path = project.with_broken_python3()
        project.run("rebar3", "compile")
        project.erl("without_python", "check", PATH=path)
        install = project.folder / "_build/default/lib/signal_port/priv/install"
        project.run("sh", install, PYTHON=sys.executable)
        project.erl("consumer", "start_and_check", PATH=path)
        # All packages are there, so pip is not asked for any.
        project.run("sh", install, PYTHON=sys.executable, PIP_NO_INDEX=1, PIP_FIND_LINKS="")

        project.run("rebar3", "release")
        moved = project.folder / "moved"
        shutil.move(project.release(), moved)
        shutil.move(project.folder / "_build", project.folder / "_built")  # the old place is gone
        (project.folder / "_build/default/rel").mkdir(parents=True)
        shutil.move(moved, project.folder / "_build/default/rel/consumer")
        assert project.boot("-s", "consumer", "start_and_check", PATH=path).returncode == 0

        (priv,) = project.release().glob("lib/signal_port-*/priv")
        (priv / "venv/bin/python3").unlink()
        project.run("sh", priv / "install", PYTHON=sys.executable)
        assert project.boot("-s", "consumer", "start_and_check", PATH=path).returncode == 0

    @pytest.mark.consumer("post_hook")
    def test_post_hook_brings_the_environment_back(self, project: Project) -> None:
        path = project.with_broken_python3()
        for _ in ("fresh", "after a wipe"):
            assert MADE in project.run("rebar3", "compile", PYTHON=sys.executable)
            project.erl("consumer", "start_and_check", PATH=path)
            shutil.rmtree(project.folder / "_build")
        project.run("rebar3", "release", PYTHON=sys.executable)
        assert project.boot("-s", "consumer", "start_and_check", PATH=path).returncode == 0
        assert MADE not in project.run("rebar3", "compile", PYTHON=sys.executable)

    @pytest.mark.consumer("relx_hook")
    def test_hook_of_a_release_makes_the_environment_at_its_start(self, project: Project) -> None:
        project.run("rebar3", "release")
        (priv,) = project.release().glob("lib/signal_port-*/priv")
        assert not (priv / "venv").exists()
        project.environment = project.environment | {"PYTHON": sys.executable}
        with running(project) as (_, evaluate):
            assert evaluate("consumer:check(signal_port, signal_port).") == "ok"
        assert (priv / "venv").is_dir()

    @pytest.mark.consumer("mix_install")
    def test_alias_and_step_of_mix_make_the_environment(self, project: Project) -> None:
        project.environment = project.environment | {"PYTHON": sys.executable}
        project.run("mix", "deps.get")
        assert MADE in project.run("mix", "compile")
        project.run("mix", "run", "check.exs")
        assert MADE not in project.run("mix", "compile")
        shutil.rmtree(project.folder / "deps/signal_port/priv/venv")
        assert MADE in project.run("mix", "release", MIX_ENV="prod")
        script = project.release() / "bin/consumer"
        require = 'Code.require_file("check_release.exs")'
        project.run(script, "eval", require, RELEASE_DISTRIBUTION="none")

    @pytest.mark.consumer("mix_path")
    def test_task_of_mix_makes_the_environment_for_a_conversation(
        self, project: Project, repository: Path
    ) -> None:
        project.run("git", "clone", "-q", repository, project.folder.parent / "clone")
        project.environment = project.environment | {"MIX_REBAR3": "/no/rebar3"}
        assert MADE in project.run("mix", "signal_port.install", PYTHON=sys.executable)
        project.run("mix", "run", "check.exs")
        assert "All is well" in project.run("mix", "signal_port.doctor")


class TestPython:
    """The Python package alone, in a virtual environment."""

    @pytest.mark.consumer("wheel")
    def test_wheel_has_protocol_commands_and_types(
        self, project: Project, repository: Path
    ) -> None:
        source = project.folder.parent / "source"
        project.run("git", "clone", "-q", repository, source)
        project.run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", "dist", source)
        project.run(sys.executable, "-m", "venv", "venv")
        binaries = project.folder / "venv/bin"
        (wheel,) = project.folder.glob("dist/signal_port-*.whl")
        project.run(binaries / "pip", "install", wheel, "mypy", "pyright[nodejs]")

        for command in ("version", "doctor", "selftest"):
            project.run(binaries / "signal-port", command)
        project.run(binaries / "python3", "consumer.py", "session")
        inspected = project.run(binaries / "signal-port", "inspect-session", "session")
        assert "skipped message keys 1 of 96" in [
            " ".join(line.split()) for line in inspected.splitlines()
        ]
        assert "'role' must be" in project.attempt(binaries / "python3", "wrong_role.py").stdout

        in_venv = "--pythonpath", binaries / "python3"
        for checker in (["mypy", "--strict"], ["pyright", *in_venv]):
            project.run(binaries / checker[0], *checker[1:], "consumer.py")
            mistyped = project.attempt(binaries / checker[0], *checker[1:], "mistyped.py")
            found = re.findall(r"mistyped\.py:(\d+):.* error", mistyped.stdout)
            assert [int(line) for line in found] == [5, 6, 7], mistyped.stdout
