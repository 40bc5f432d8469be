"""The files of an autopsy: what is opened, what is not, and where modules are looked for."""

import os
import shutil
import socket
from pathlib import Path

import nifs
import pytest

from signal_port import nif_files
from signal_port.elf_memory import Unreadable


def names(*paths: Path) -> list[str]:
    """Return the names of the libraries that are found."""
    return [os.path.basename(file) for file, _ in nif_files.libraries(list(map(str, paths)), [])]


class TestReading:
    """What is opened."""

    def test_regular_file_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"content")
        assert nif_files.read_file(str(tmp_path / "file"), 7) == b"content"

    def test_longer_file_is_not_read(self, tmp_path: Path) -> None:
        with open(tmp_path / "file", "wb") as file:
            file.truncate(2**40)  # has no blocks
        with pytest.raises(Unreadable, match="is longer than 1 MiB"):
            nif_files.read_file(str(tmp_path / "file"), 2**20)

    def test_missing_file_is_unreadable(self, tmp_path: Path) -> None:
        with pytest.raises(Unreadable, match="cannot be read: No such file"):
            nif_files.read_file(str(tmp_path / "none"), 1)

    def test_name_that_no_file_has_is_unreadable(self) -> None:
        with pytest.raises(Unreadable, match="cannot be read"):
            nif_files.read_file("a\0b", 1)

    def test_link_to_itself_is_unreadable(self, tmp_path: Path) -> None:
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        with pytest.raises(Unreadable, match="cannot be read: Too many levels"):
            nif_files.read_file(str(tmp_path / "loop"), 1)

    def test_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(Unreadable, match="is no regular file"):
            nif_files.read_file(str(tmp_path / "pipe"), 1)

    def test_socket_is_unreadable(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(tmp_path / "socket"))
            with pytest.raises(Unreadable, match="is no regular file"):
                nif_files.read_file(str(tmp_path / "socket"), 1)

    @pytest.mark.parametrize("file", ["/dev/zero", "/dev", "/"])
    def test_device_and_folder_are_unreadable(self, file: str) -> None:
        with pytest.raises(Unreadable, match="is no regular file"):
            nif_files.read_file(file, 1)


class TestFolders:
    """Which files of a folder are examined."""

    def test_libraries_of_all_folders_in_it_are_found(self, tmp_path: Path) -> None:
        for name in ("z.so", "a/b.so", "a/c.dylib", "a/d.so.1", "a/e.txt", "so"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        assert names(tmp_path) == ["b.so", "c.dylib", "z.so"]

    def test_folder_that_links_to_itself_has_an_end(self, tmp_path: Path) -> None:
        (tmp_path / "a.so").touch()
        (tmp_path / "loop").symlink_to(tmp_path)
        assert names(tmp_path) == ["a.so"]

    def test_file_that_was_named_is_known_from_one_that_was_found(self, tmp_path: Path) -> None:
        (tmp_path / "a.so").touch()
        found = nif_files.libraries([str(tmp_path / "none"), str(tmp_path)], [])
        assert [is_named for _, is_named in found] == [True, False]

    def test_folder_that_cannot_be_read_is_a_problem(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(path: str) -> None:
            raise PermissionError(13, "Permission denied", path)

        monkeypatch.setattr(os, "scandir", refuse)
        problems: list[str] = []
        assert list(nif_files.libraries([str(tmp_path)], problems)) == []
        assert problems == [f"{tmp_path} cannot be read: Permission denied"]


class TestModules:
    """Where the module of a library is looked for."""

    @pytest.fixture
    def beam(self, tmp_path: Path) -> Path:
        """Return a compiled module."""
        (tmp_path / "built").mkdir()
        return nifs.build_module(tmp_path / "built")

    @pytest.mark.parametrize(
        "place", ["priv", "priv/lib/linux/ebin", "priv/lib/linux", "priv/ebin", "ebin"]
    )
    def test_module_is_found_beside_and_above(self, place: str, beam: Path, tmp_path: Path) -> None:
        folder = tmp_path / "app/priv/lib/linux"
        folder.mkdir(parents=True)
        ebin = tmp_path / "app" / place
        ebin.mkdir(parents=True, exist_ok=True)
        shutil.copy(beam, ebin)
        found = nif_files.find_module("fixture_nif", str(folder / "nif.so"), None)
        assert (found is not None) == (place != "priv")
        if found:
            assert Path(found[0]) == ebin / "fixture_nif.beam"

    def test_folder_that_is_named_comes_first(self, beam: Path, tmp_path: Path) -> None:
        shutil.copy(beam, tmp_path)
        found = nif_files.find_module("fixture_nif", str(tmp_path / "nif.so"), str(beam.parent))
        assert found
        assert found[0] == str(beam)

    @pytest.mark.parametrize("name", ["", "../fixture_nif", "/etc/passwd", "a/b", "none", "a\0"])
    def test_name_that_is_no_module_s_finds_none(self, name: str, tmp_path: Path) -> None:
        assert nif_files.find_module(name, str(tmp_path / "lib/nif.so"), None) is None

    def test_file_that_is_no_module_is_unreadable(self, tmp_path: Path) -> None:
        (tmp_path / "m.beam").write_text("text")
        with pytest.raises(Unreadable, match="is no BEAM file"):
            nif_files.read_module_file(str(tmp_path / "m.beam"))
