"""The command: its exit status, what goes to which stream, and that nothing makes it fail."""

import json
import os
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import nifs
import pytest
from child import PACKAGE, code, python

from signal_port import autopsy, nif_host, requirements
from signal_port.autopsy_arguments import Options, parse
from signal_port.elf_memory import Unreadable
from signal_port.nif_files import MAX_LIBRARY

pytestmark = nifs.ON_LINUX

OK, FOUND, UNREADABLE, UNFIT = 0, 1, 2, 78
HERE = nif_host.architecture()
MUTATIONS = int(os.environ.get("MUTATIONS", "500"))  # of each library
MUTATED = [
    ("null_end", "x86_64", "gcc", ()),
    ("healthy", "aarch64", "gcc", ("-O2",)),
    ("busy_init", "aarch64", "gcc", ()),
    ("healthy", "x86_64", "clang", ("-fuse-ld=lld", "-Wl,--pack-dyn-relocs=relr")),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a healthy and a sick library, and their module."""
    folder = tmp_path_factory.mktemp("libraries")
    for name in ("healthy", "null_end", "null_function", "driver"):
        nifs.build(name, folder, HERE)
    nifs.build_module(folder)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Return the exit status of the command, and what it wrote to both streams."""
    status = autopsy.main(list(map(str, arguments)))
    return status, *capsys.readouterr()


def codes(reports: list[dict[str, Any]]) -> list[list[str]]:
    """Return the codes of the findings of each report."""
    return [[finding["code"] for finding in report["findings"]] for report in reports]


class TestStatus:
    """The exit status and the streams."""

    def test_healthy_library_is_told_as_such(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        status, out, err = run(capsys, folder / "healthy.so")
        assert (status, err) == (OK, "")
        assert "hello/0, slow/1 (dirty_cpu), read/2 (dirty_io)" in out
        assert out.endswith(": nothing found.\n")

    @pytest.mark.parametrize("name", ["null_end", "null_function", "driver"])
    def test_sick_library_has_the_status_one(
        self, name: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        status, out, err = run(capsys, folder / f"{name}.so")
        assert (status, err) == (FOUND, "")
        assert nifs.EXPECTED[name].code in out
        assert out.endswith(": 1 of 1 would crash the VM or be refused.\n")

    def test_unreadable_file_has_the_status_two_and_one_sentence(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        status, out, err = run(capsys, "/dev/null")
        assert (status, out) == (UNREADABLE, "")
        assert err == "signal-port: /dev/null is no regular file\n"

    def test_unreadable_file_beside_a_sick_one_has_the_status_two(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        status, out, err = run(capsys, folder / "null_end.so", folder / "none.so")
        assert (status, err.count("\n")) == (UNREADABLE, 1)
        assert "null_entry" in out

    def test_folder_is_walked(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        status, out, err = run(capsys, folder)
        assert (status, err) == (FOUND, "")
        assert out.endswith(": 2 of 4 would crash the VM or be refused.\n")

    def test_folder_without_libraries_is_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(capsys, tmp_path) == (OK, "There is no *.so and no *.dylib.\n", "")

    def test_control_characters_of_a_name_are_escaped(
        self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        name = os.fsdecode(b"\x1b[2J\xff.so")
        shutil.copy(folder / "healthy.so", tmp_path / name)
        (tmp_path / "\x1b[2J.so").touch()
        _, out, err = run(capsys, tmp_path)
        assert all(line.isprintable() for line in (out + err).splitlines())
        assert "\\x1b[2J" in out

    def test_fault_of_ours_does_not_hide_the_others(
        self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(autopsy, "read_entry", lambda _: 1 // 0)
        status, _, err = run(capsys, folder / "healthy.so")
        assert status == UNREADABLE
        assert err.endswith("healthy.so cannot be read: ZeroDivisionError\n")

    def test_reader_that_has_seen_enough_is_no_error(
        self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def write(options: Options) -> int:
            raise BrokenPipeError

        monkeypatch.setattr(autopsy, "_run", write)
        assert autopsy.main(["nif.so"]) == OK
        print("more")  # goes nowhere
        assert capfd.readouterr() == ("", "")

    def test_closed_pipe_makes_no_noise(self, folder: Path) -> None:
        lines = "import os", "reader, writer = os.pipe()", "os.close(reader)", "os.dup2(writer, 1)"
        command = f"sys.exit(autopsy.main(['--json'] + [{str(folder)!r}] * 50))"
        ended = python(*code(*lines, "from signal_port import autopsy", command))
        assert (ended.status, ended.stderr) == (OK, "")


class TestJson:
    """What programs read."""

    def test_every_file_has_its_object(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        files = [str(folder / name) for name in ("healthy.so", "null_end.so", "none.so")]
        status, out, _ = run(capsys, "--json", *files)
        reports = json.loads(out)
        assert status == UNREADABLE
        assert [report["file"] for report in reports] == files
        assert codes(reports) == [[], ["null_entry"], ["no_entry"]]
        assert reports[0]["architecture"] == HERE
        assert reports[0]["module"] == "fixture_nif"
        assert reports[0]["module_file"] == str(folder / "fixture_nif.beam")

    def test_list_is_whole_with_no_file(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(capsys, "--json", tmp_path) == (OK, "[]\n", "")

    def test_no_control_character_is_written(
        self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        name = "\x7f\x1b\x9b.so"
        shutil.copy(folder / "healthy.so", tmp_path / name)
        _, out, _ = run(capsys, "--json", tmp_path)
        assert out.replace("\n", "").isprintable()
        assert json.loads(out)[0]["file"].endswith(name)

    def test_child_of_the_doctor_gets_its_list(self, folder: Path) -> None:
        file = str(folder / "null_end.so")
        ended = python("-I", "-B", str(PACKAGE), "autopsy", "--json", file)
        assert (ended.status, ended.stderr) == (FOUND, "")
        assert codes(json.loads(ended.stdout)) == [["null_entry"]]


class TestBrief:
    """What the doctor quotes."""

    def test_finding_is_one_line(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        status, out, err = run(capsys, "--brief", folder / "null_end.so")
        assert (status, err, out.count("\n")) == (FOUND, "", 1)
        assert out.startswith("null_end.so: null_entry, crash: ")

    @pytest.mark.parametrize("name", ["healthy", "run_time_entry"])
    def test_library_without_harm_has_no_line(
        self, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        library = nifs.build(name, tmp_path, HERE)
        assert run(capsys, "--brief", library) == (OK, "", "")


class TestArguments:
    """What a library is compared with."""

    def test_default_is_this_machine(self) -> None:
        options = parse(["nif.so"])
        assert options.target.architecture == HERE
        assert options.target.glibc == nif_host.glibc()
        assert options.target.release == nif_host.otp_release()
        assert options.is_here

    def test_other_machine_has_no_glibc_and_no_libraries(self) -> None:
        options = parse(["nif.so", "--target", "riscv64"])
        assert (options.target.architecture, options.target.glibc) == ("riscv64", None)
        assert not options.is_here

    def test_library_for_another_machine_is_compared_with_that(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        other = next(one for one in nifs.ARCHITECTURES if one != HERE)
        library = nifs.build("healthy", tmp_path, other)
        assert run(capsys, library, "--target", other)[0] == OK
        status, out, _ = run(capsys, library)
        assert status == FOUND
        assert "other_architecture" in out

    def test_any_architecture_is_not_compared(self) -> None:
        assert parse(["nif.so", "--target", "any"]).target.architecture is None

    def test_versions_are_taken(self) -> None:
        options = parse(["nif.so", "--target", "arm64", "--otp", "27", "--glibc", "2.31"])
        assert options.target.release == 27
        assert options.target.glibc == (2, 31)

    @pytest.mark.parametrize("found, release", [(None, 29), (21, 23), (28, 28)])
    def test_release_without_an_option_is_one_that_is_known(
        self, found: int | None, release: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(nif_host, "otp_release", lambda: found)
        assert parse(["nif.so"]).target.release == release

    def test_module_that_is_named_is_compared(
        self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        library = nifs.build("not_exported", tmp_path, HERE)
        assert run(capsys, library)[0] == OK
        for beam in (folder, folder / "fixture_nif.beam"):
            status, out, _ = run(capsys, "--json", "--beam", beam, library)
            assert (status, codes(json.loads(out))) == (FOUND, [["not_exported"]])

    @pytest.mark.parametrize(
        "arguments, sentence",
        [
            ([], "required: FILE|DIR"),
            (["nif.so", "--otp", "22"], "it is a number, 23 or later"),
            (["nif.so", "--otp", "new"], "it is a number, 23 or later"),
            (["nif.so", "--glibc", "2"], "a version is two numbers"),
            (["nif.so", "--beam", "/dev/null"], "/dev/null is no regular file"),
        ],
    )
    def test_wrong_arguments_are_told(
        self, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as exit_status:
            parse(arguments)
        assert exit_status.value.code == UNREADABLE
        assert sentence in capsys.readouterr().err


class TestRequirements:
    """A Python without what reads libraries."""

    def test_missing_package_is_told_with_what_to_do(self) -> None:
        line = "sys.modules['elftools'] = None"
        ended = python(*code(line, "from signal_port.command_line import run", "run()"), "autopsy")
        assert (ended.status, ended.stdout) == (UNFIT, b"")
        assert ended.stderr.count("\n") == 1
        assert f'-m pip install "{requirements.EXTRAS["autopsy"]}"' in ended.stderr

    def test_python_with_it_lacks_nothing(self) -> None:
        assert requirements.missing_elf_reader() is None

    def test_where_the_application_has_an_installer_the_sentence_names_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "elftools", None)
        monkeypatch.setattr(sys, "prefix", sys.base_prefix)
        monkeypatch.setattr(requirements, "_installer", lambda: "/app/priv/install")
        sentence = requirements.missing_elf_reader()
        assert sentence
        assert sentence.endswith("run 'AUTOPSY=1 sh /app/priv/install'")

    def test_old_python_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "version_info", (3, 9, 2))
        assert "Python 3.10 or later is needed" in (requirements.missing_elf_reader() or "")

    def test_extra_of_the_package_is_the_same(self) -> None:
        assert (
            f'autopsy = ["{requirements.EXTRAS["autopsy"]}"]'
            in (PACKAGE.parent / "pyproject.toml").read_text()
        )


class TestOtp:
    """What OTP brings along."""

    def test_no_library_of_otp_has_a_finding_that_matters(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        root = nifs.headers().parents[1]
        status, out, _ = run(capsys, "--json", root)
        reports = [report for report in json.loads(out) if report["nif_version"]]
        assert status == OK
        assert "crypto" in [report["module"] for report in reports]
        findings = [finding for report in reports for finding in report["findings"]]
        # In OTP 29 crypto_callback claims a function, and the file does not say which.
        assert [finding for finding in findings if finding["effect"] != "harmless"] == []


class TestMutations:
    """Damage anywhere in a library ends in a report or in a sentence."""

    @pytest.mark.parametrize("name, architecture, compiler, flags", MUTATED)
    def test_mutated_library_is_read_or_refused(
        self, name: str, architecture: str, compiler: str, flags: tuple[str, ...], tmp_path: Path
    ) -> None:
        built = nifs.build(name, tmp_path, architecture, *flags, compiler=compiler)
        whole = built.read_bytes()
        options = parse([str(built)])
        for seed in range(MUTATIONS):
            built.write_bytes(mutated(whole, random.Random(seed)))
            try:
                report = autopsy.examine(str(built), True, options)
            except Unreadable as error:
                assert str(error).isprintable(), seed
            else:
                assert report.architecture, seed

    def test_library_that_is_too_long_is_refused(self, tmp_path: Path) -> None:
        with open(tmp_path / "nif.so", "wb") as file:
            file.truncate(MAX_LIBRARY + 1)
        with pytest.raises(Unreadable, match="is longer than 256 MiB"):
            autopsy.examine(str(tmp_path / "nif.so"), True, parse(["nif.so"]))


def mutated(data: bytes, dice: random.Random) -> bytes:
    """Return a library with a few numbers changed: half of them in headers, where it matters."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        size = dice.choice((1, 4, 8))
        end = len(data) if dice.random() < 0.5 else 1024
        at = dice.randrange(end - size)
        numbers = (0, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), dice.randrange(64), at)
        changed[at : at + size] = (dice.choice(numbers) % 2 ** (8 * size)).to_bytes(size, "little")
    return bytes(changed[: dice.randrange(len(data))] if dice.random() < 0.1 else changed)
