"""What a machine has: its architecture, glibc, Erlang, and the libraries that a linker finds."""

import os
from pathlib import Path

import pytest

from signal_port import nif_host


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder to search, where this machine's own are not searched."""
    monkeypatch.setattr(nif_host, "_FOLDERS", ())
    monkeypatch.setattr(nif_host, "_LINKER_CONFIGURATION", tmp_path / "ld.so.conf")
    monkeypatch.setattr(nif_host, "glibc", lambda: (2, 36))
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    return tmp_path


def missing(folder: Path, *needed: str, run_path: str = "") -> list[str]:
    """Return which libraries are missing, for one that lies in the folder."""
    return nif_host.missing_libraries(list(needed), run_path, str(folder / "nif.so"))


class TestMachine:
    """Its architecture, glibc and Erlang."""

    @pytest.mark.parametrize(
        "name, architecture",
        [("AMD64", "x86_64"), ("x86-64", "x86_64"), ("arm64", "aarch64"), ("riscv64", "riscv64")],
    )
    def test_architecture_has_one_name(self, name: str, architecture: str) -> None:
        assert nif_host.architecture(name) == architecture

    def test_architecture_here_is_that_of_uname(self) -> None:
        assert nif_host.architecture() == nif_host.architecture(os.uname().machine)

    @pytest.mark.parametrize(
        "answer, version", [("glibc 2.36", (2, 36)), ("glibc 2.9.1", (2, 9)), ("", None)]
    )
    def test_glibc_tells_its_version(
        self, answer: str, version: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "confstr", lambda _: answer)
        assert nif_host.glibc() == version

    def test_other_c_library_tells_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(name: str) -> str:
            raise ValueError(name)

        monkeypatch.setattr(os, "confstr", refuse)
        assert nif_host.glibc() is None

    @pytest.mark.parametrize("releases", ["erlang/releases", "erlang/lib/erlang/releases"])
    def test_release_is_that_of_the_erl_on_the_path(
        self, releases: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        erl = tmp_path / "erlang/bin/erl"
        erl.parent.mkdir(parents=True)
        erl.write_text("#!/bin/sh\nexit 1\n")
        erl.chmod(0o755)
        (tmp_path / "erl").symlink_to(erl)
        (tmp_path / releases).mkdir(parents=True)
        (tmp_path / releases / "start_erl.data").write_text("15.2 27\n")
        monkeypatch.setenv("PATH", str(tmp_path))
        assert nif_host.otp_release() == 27

    def test_erl_whose_release_is_unknown_has_none(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "erl").write_text("#!/bin/sh\n")
        (tmp_path / "erl").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert nif_host.otp_release() is None

    def test_machine_without_erl_has_no_release(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert nif_host.otp_release() is None


class TestLibraries:
    """Where the linker looks."""

    def test_library_that_is_nowhere_is_missing(self, folder: Path) -> None:
        assert missing(folder, "liba.so", "libb.so") == ["liba.so", "libb.so"]

    def test_library_of_glibc_is_there(self, folder: Path) -> None:
        assert missing(folder, "libc.so.6", "libm.so.6", "ld-linux-aarch64.so.1") == []

    def test_library_of_glibc_is_missing_with_another_c_library(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(nif_host, "glibc", lambda: None)
        assert missing(folder, "libc.so.6") == ["libc.so.6"]

    @pytest.mark.parametrize("run_path", ["$ORIGIN", "/nowhere:${ORIGIN}/.", "FOLDER"])
    def test_library_of_the_run_path_is_found(self, run_path: str, folder: Path) -> None:
        (folder / "liba.so").touch()
        assert missing(folder, "liba.so", run_path=run_path.replace("FOLDER", str(folder))) == []

    def test_library_of_the_environment_is_found(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "liba.so").touch()
        monkeypatch.setenv("LD_LIBRARY_PATH", f":/nowhere:{folder}")
        assert missing(folder, "liba.so") == []

    def test_library_with_a_path_is_looked_for_there(self, folder: Path) -> None:
        (folder / "liba.so").touch()
        assert missing(folder, f"{folder}/liba.so", "/nowhere/liba.so") == ["/nowhere/liba.so"]

    def test_library_of_the_linker_s_configuration_is_found(self, folder: Path) -> None:
        (folder / "more").mkdir()
        (folder / "more/a.conf").write_text(f"# a comment\n\n{folder}/lib\n")
        (folder / "ld.so.conf").write_text(f"include {folder}/more/*.conf {folder}/none.conf\n")
        (folder / "lib").mkdir()
        (folder / "lib/liba.so").touch()
        assert missing(folder, "liba.so", "libb.so") == ["libb.so"]

    def test_configuration_that_includes_itself_has_an_end(self, folder: Path) -> None:
        (folder / "ld.so.conf").write_text(f"include {folder}/ld.so.conf\n")
        assert missing(folder, "liba.so") == ["liba.so"]
