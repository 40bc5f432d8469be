"""`priv/install`: what it makes, what it leaves as it is, and how it is interrupted and refused."""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from application import PYTHON, STAND_INS, TIMEOUT, UV, Priv
from index import serve

TOOLS = pytest.mark.parametrize("uv", ["yes", "no"], ids=["uv", "pip"])
RUNTIME = {"cffi", "cryptography", "erlang_py", "msgpack", "pycparser"}
if sys.version_info < (3, 11):
    RUNTIME.add("typing_extensions")
NOBODY = 65534


@pytest.fixture
def installed(priv: Priv) -> Priv:
    """Return a priv with an environment."""
    assert priv.install().status == 0
    return priv


class TestEnvironment:
    """An environment that is made."""

    @TOOLS
    def test_folder_of_packages_is_enough(self, priv: Priv, uv: str) -> None:
        ended = priv.install(UV=uv)
        assert ended.status == 0, ended.stderr
        assert ended.stderr == ""
        assert ended.stdout.startswith(
            f"signal_port: {priv.venv} is made of {PYTHON} (named by PYT"
        )
        assert priv.works()
        assert priv.packages() == RUNTIME
        texts = [*(priv.venv / "bin").iterdir(), priv.venv / "pyvenv.cfg"]
        content = b"".join(path.read_bytes() for path in texts if not path.is_symlink())
        assert os.fsencode(priv.venv) in content
        assert b"venv.new" not in content

    def test_bounds_alone_give_the_packages_of_the_folder(self, priv: Priv) -> None:
        for file in (priv.path / "requirements").iterdir():
            file.unlink()
        assert priv.install(LOCKED="no").status == 0
        assert priv.works()

    def test_autopsy_gives_one_package_more(self, priv: Priv) -> None:
        priv.install(AUTOPSY="1")
        assert priv.packages() == {*RUNTIME, "pyelftools"}

    def test_private_index_is_used(self, priv: Priv, packages: Path) -> None:
        with serve(packages) as (place, asked):
            index = {"PIP_INDEX_URL": f"http://{place}/simple", "PIP_TRUSTED_HOST": "127.0.0.1"}
            ended = priv.install(PIP_NO_INDEX=None, PIP_FIND_LINKS=None, **index)
        assert ended.status == 0, ended.stderr
        assert "/simple/msgpack/" in asked
        assert priv.works()

    @TOOLS
    def test_proxy_is_used(self, priv: Priv, packages: Path, uv: str) -> None:
        with serve(packages) as (place, asked):
            index = "http://packages.invalid/simple"
            ended = priv.install(
                UV=uv,
                PIP_NO_INDEX=None,
                PIP_FIND_LINKS=None,
                PIP_INDEX_URL=index,
                PIP_TRUSTED_HOST="packages.invalid",
                http_proxy=f"http://{place}",
            )
        assert ended.status == 0, ended.stderr
        assert f"{index}/msgpack/" in asked

    def test_no_home_is_needed(self, priv: Priv) -> None:
        assert priv.install(HOME=None).status == 0
        assert priv.works()

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
    @TOOLS
    def test_other_user_without_a_home_can_install(self, priv: Priv, uv: str) -> None:
        for path in (priv.path, *priv.path.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        priv.use(shutil.copy(UV, priv.path.parent), "uv")
        variables = {**priv.environment, "UV": uv, "HOME": "/nonexistent"}
        del variables["PYTHON"]  # perhaps in a folder that is closed to others
        packages = shutil.copytree(
            Path(variables.pop("PIP_FIND_LINKS").removeprefix("file://")), priv.path / "packages"
        )
        ended = subprocess.run(
            ["/bin/sh", str(priv.path / "install")],
            env={**variables, "PIP_FIND_LINKS": packages.as_uri()},
            capture_output=True,
            text=True,
            check=False,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
        )
        assert ended.returncode == 0, ended.stderr
        assert priv.venv.stat().st_uid == NOBODY


class TestPresentEnvironment:
    """What is there already."""

    def test_right_one_stays_and_nothing_is_said(self, installed: Priv) -> None:
        before = installed.venv.stat()
        assert installed.install(PIP_FIND_LINKS="") == (0, "", "")
        assert installed.venv.stat() == before

    def test_other_wish_makes_it_again(self, installed: Priv) -> None:
        assert "is made of" in installed.install(AUTOPSY="1").stdout
        assert "pyelftools" in installed.packages()

    def test_extra_that_is_not_wanted_any_more_stays(self, priv: Priv) -> None:
        priv.install(AUTOPSY="1")
        assert priv.install(PIP_FIND_LINKS="") == (0, "", "")
        assert "pyelftools" in priv.packages()

    def test_other_lock_makes_it_again(self, installed: Priv) -> None:
        with open(installed.path / "requirements" / "runtime.txt", "a") as file:
            file.write("# of a later version\n")
        assert "is made of" in installed.install().stdout

    def test_removed_base_python_makes_it_again(self, installed: Priv) -> None:
        installed.python.unlink()
        installed.python.symlink_to("/nonexistent/python3")
        assert installed.install().status == 0
        assert installed.works()

    def test_other_minor_version_of_the_base_python_makes_it_again(self, installed: Priv) -> None:
        (library,) = (installed.venv / "lib").iterdir()
        library.rename(library.parent / "python3.0")
        assert installed.install().status == 0
        assert installed.works()

    def test_one_that_somebody_put_there_stays(self, installed: Priv) -> None:
        installed.venv.rename(installed.path / "elsewhere")
        (installed.path / "elsewhere" / "signal_port.stamp").unlink()
        installed.venv.symlink_to("elsewhere")
        assert installed.install(AUTOPSY="1") == (0, "", "")
        assert installed.venv.is_symlink()

    def test_dangling_link_is_replaced(self, priv: Priv) -> None:
        priv.venv.symlink_to("../.venv")
        assert priv.install().status == 0
        assert priv.works()
        assert not priv.venv.is_symlink()

    def test_folder_that_is_no_environment_is_replaced(self, priv: Priv) -> None:
        (priv.venv / "bin").mkdir(parents=True)
        assert priv.install().status == 0
        assert priv.works()


class TestInterruption:
    """An installation that ends before its end."""

    @pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "KILL"])
    def test_signal_leaves_the_one_that_was_there(self, installed: Priv, name: str) -> None:
        before = installed.venv.stat()
        installed.use(STAND_INS / "uv_killed", "uv")
        ended = installed.install(AUTOPSY="1", SIGNAL=name, REAL_UV=UV)
        assert ended.status in (128 + signal.Signals[f"SIG{name}"], -signal.SIGKILL)
        assert installed.venv.stat() == before
        assert name == "KILL" or not (installed.path / "venv.new").exists()

    def test_signal_leaves_none_if_none_was_there(self, priv: Priv) -> None:
        priv.use(STAND_INS / "uv_killed", "uv")
        priv.install(SIGNAL="KILL", REAL_UV=UV)
        assert not priv.venv.exists()

    def test_next_one_cleans_up_after_a_killed_one(self, priv: Priv) -> None:
        priv.use(STAND_INS / "uv_killed", "uv")
        priv.install(SIGNAL="KILL", REAL_UV=UV)
        priv.use(UV, "uv")
        assert priv.install().status == 0
        assert priv.works()

    def test_killed_replacement_is_taken_back(self, installed: Priv) -> None:
        installed.venv.rename(installed.path / "venv.old")
        assert installed.install(PIP_FIND_LINKS="") == (0, "", "")
        assert installed.works()

    def test_second_one_waits_and_says_so(self, priv: Priv, tmp_path: Path) -> None:
        at_work, gate = pipe(tmp_path / "at_work"), pipe(tmp_path / "gate")
        priv.use(STAND_INS / "uv_waits", "uv")
        pipes = {"AT_WORK": str(tmp_path / "at_work"), "GATE": str(tmp_path / "gate")}
        first = priv.start(REAL_UV=UV, **pipes)
        assert select.select([at_work], [], [], TIMEOUT)[0]
        second = priv.start()
        assert second.stderr
        said = second.stderr.readline()
        os.write(gate, b"go on\n")
        assert said == f"signal_port: waiting for another install in {priv.path} to end\n"
        assert [ended.wait() for ended in (first, second)] == [0, 0]
        assert "is made of" in first.communicate()[0]
        assert second.communicate() == ("", "")
        assert priv.works()


def pipe(path: Path) -> int:
    """Make a named pipe; return a descriptor that reads and writes it."""
    os.mkfifo(path)
    return os.open(path, os.O_RDWR)


class TestRefusal:
    """One sentence each; nothing is installed."""

    @pytest.fixture(autouse=True)
    def nothing_is_installed(self, priv: Priv) -> Iterator[None]:
        yield
        assert not [*priv.path.glob("venv*")]

    @pytest.mark.parametrize(
        ("stand_in", "sentence"),
        [
            ("python2.7", "Python 3.10 or later is needed, and {} is 2.7: install a later one"),
            ("python3.9", "Python 3.10 or later is needed, and {} is 3.9: install a later one"),
            ("python_broken", "Python 3.10 or later is needed, and {} does not run: install a"),
        ],
    )
    def test_unfit_python_is_named(self, priv: Priv, stand_in: str, sentence: str) -> None:
        python = str(STAND_INS / stand_in)
        assert sentence.format(python) in priv.refusal(PYTHON=python)

    def test_absent_python_is_named(self, priv: Priv) -> None:
        assert "there is no /no/python, which PYTHON names: run PYTHON=/path" in priv.refusal(
            PYTHON="/no/python"
        )

    def test_path_without_a_python_says_what_to_install(self, priv: Priv, tmp_path: Path) -> None:
        for name in ("sh", "dirname"):
            (tmp_path / name).symlink_to(str(shutil.which(name)))
        said = priv.refusal(PYTHON=None, PATH=str(tmp_path))
        assert "there is no Python on the PATH: install Python 3.10 or later" in said

    def test_python_without_venv_says_which_package_has_it(self, priv: Priv) -> None:
        python = str(STAND_INS / "python_without_venv")
        said = priv.refusal(PYTHON=python, REAL_PYTHON=PYTHON, UV="no")
        assert "/usr/bin/python3 cannot make a virtual environment" in said
        assert "apt-get install python3-venv" in said

    @TOOLS
    def test_changed_hash_is_told(self, priv: Priv, uv: str) -> None:
        file = priv.path / "requirements" / "runtime.txt"
        file.write_text(re.sub("sha256:....", "sha256:0000", file.read_text()))
        said = priv.refusal(UV=uv)
        assert "the hash that the files" in said

    @TOOLS
    def test_missing_network_says_what_to_set(self, priv: Priv, uv: str) -> None:
        said = priv.refusal(
            UV=uv,
            PIP_NO_INDEX=None,
            PIP_FIND_LINKS=None,
            PIP_INDEX_URL="http://127.0.0.1:9/simple",
            PIP_RETRIES="0",
            UV_HTTP_RETRIES="0",
        )
        assert "cannot get the packages: is there a network" in said

    def test_folder_without_the_packages_says_what_to_set(self, priv: Priv, tmp_path: Path) -> None:
        said = priv.refusal(PIP_FIND_LINKS=str(tmp_path))
        assert "cannot get the packages: is there a network" in said

    @TOOLS
    def test_full_disk_is_named(self, priv: Priv, uv: str) -> None:
        said = mounted(priv, "size=6m", uv)
        assert f"the disk of {priv.path} or of /tmp is full: free 100 MB" in said

    @TOOLS
    def test_read_only_priv_is_named(self, priv: Priv, uv: str) -> None:
        said = mounted(priv, "ro", uv)
        assert f"cannot write to {priv.path}: run this as a user who can" in said


def mounted(priv: Priv, options: str, uv: str) -> str:
    """Return what an installation says in a priv that is a file system of its own."""
    command = (
        'cp -R "$1" "$1.copy" && mount -t tmpfs -o size=50m none "$1" && '
        'cp -R "$1.copy/." "$1" && mount -o "remount,$2" "$1" && exec sh "$1/install"'
    )
    # In a root of its own (chroot) a namespace of users is forbidden, and root needs none.
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    ended = subprocess.run(
        ["unshare", *user, "--mount", "sh", "-c", command, "mounted", str(priv.path), options],
        env={**priv.environment, "UV": uv},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, ""), ended
    assert ended.stderr.count("\n") == 1
    return ended.stderr
