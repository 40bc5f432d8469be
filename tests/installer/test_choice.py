"""Which Python is taken, and how a Python describes itself."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import interpreters
import pytest
from application import STAND_INS
from interpreters import Interpreter, choose
from refusals import Refusal

PLAIN = Interpreter("plain", is_optimized=False, has_venv=True, is_open=True)
FAST = Interpreter("fast", is_optimized=True, has_venv=True, is_open=True)
CLOSED = Interpreter("closed", is_optimized=True, has_venv=True, is_open=False)
BARE = Interpreter("bare", is_optimized=True, has_venv=False, is_open=True)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function from the Pythons on the PATH and the user's id to the one that is taken."""

    def take(*found: Interpreter, uid: int = 1000, has_uv: bool = False) -> str:
        monkeypatch.setattr(interpreters, "on_path", lambda: iter(found))
        monkeypatch.setattr(os, "getuid", lambda: uid)
        return choose(None, has_uv)[0].path

    return take


class TestChoice:
    """`choose`: the first of those that miss least."""

    def test_first_of_equals_is_taken(self, taken: Callable[..., str]) -> None:
        assert taken(PLAIN, PLAIN._replace(path="other")) == "plain"

    def test_fast_one_is_preferred(self, taken: Callable[..., str]) -> None:
        assert taken(PLAIN, FAST) == "fast"

    def test_root_prefers_one_that_others_can_run(self, taken: Callable[..., str]) -> None:
        assert taken(CLOSED, PLAIN, uid=0) == "plain"

    def test_other_users_do_not_care(self, taken: Callable[..., str]) -> None:
        assert taken(CLOSED, PLAIN) == "closed"

    def test_one_without_venv_is_passed_over(self, taken: Callable[..., str]) -> None:
        assert taken(BARE, PLAIN) == "plain"

    def test_uv_needs_no_venv(self, taken: Callable[..., str]) -> None:
        assert taken(BARE, PLAIN, has_uv=True) == "bare"

    def test_none_with_venv_is_refused(self, taken: Callable[..., str]) -> None:
        with pytest.raises(Refusal, match="bare cannot make a virtual environment"):
            taken(BARE)

    @pytest.mark.parametrize(
        ("python", "named", "why"),
        [
            (FAST, None, "built with PGO"),
            (PLAIN, None, "the first on the PATH"),
            (FAST, "fast", "named by PYTHON"),
            (CLOSED, None, "built with PGO; other users cannot run it, since its folder is closed"),
        ],
    )
    def test_reason_is_given(
        self,
        monkeypatch: pytest.MonkeyPatch,
        python: Interpreter,
        named: str | None,
        why: str,
    ) -> None:
        monkeypatch.setattr(interpreters, "on_path", lambda: iter([python]))
        monkeypatch.setattr(interpreters, "examine", lambda _: python)
        assert choose(named, False) == (python, why)


class TestExamination:
    """`examine`: what a Python says of itself."""

    def test_this_one_describes_the_one_below_its_environment(self) -> None:
        found = interpreters.examine(sys.executable)
        assert found
        assert os.path.samefile(found.path, sys._base_executable)  # type: ignore[attr-defined]
        assert found.has_venv

    def test_one_that_does_not_run_is_none(self) -> None:
        assert interpreters.examine(str(STAND_INS / "python_broken")) is None

    def test_file_in_a_closed_folder_is_not_open(self, tmp_path: Path) -> None:
        file = tmp_path / "python3"
        file.touch(mode=0o755)
        tmp_path.chmod(0o700)
        assert not interpreters.is_open(file)
        assert interpreters.is_open(Path("/bin/sh").resolve())


class TestPath:
    """`on_path`: every fit Python, once."""

    def test_same_file_by_two_names_comes_once(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name in ("python3", "python3.12"):
            (tmp_path / name).symlink_to(sys.executable)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert len([*interpreters.on_path()]) == 1

    def test_unfit_ones_are_left_out(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "python3").symlink_to(STAND_INS / "python_broken")
        monkeypatch.setenv("PATH", str(tmp_path))
        assert [*interpreters.on_path()] == []
