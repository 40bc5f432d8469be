"""Runs the documents: each fenced code block of Markdown files and notebooks, as a reader would.

    python3 tests/documents/run.py [DOCUMENT ...]

Each document is a story. It runs from its beginning to its end in a fresh project folder. The last
commit of this repository replaces URL-OF-THIS-REPOSITORY. The virtual environment that this runs in
replaces /opt/venv, and is on the path. The language of a block says what it is:

    sh        commands, run by `sh -e` in the project's folder
    erlang    for the shell: one VM for a document, in which variables stay bound; functions and
              modules are compiled
    elixir    the same; in a project of mix with its own dependencies and configuration
    gleam     its external functions are compared with the specs of the Erlang functions
    text      a picture, or what a program prints; like a block without a language it does not run

A comment in the line before a block changes that, unseen by readers:

    <!-- file: PATH -->             the block is this file of the project; any language
    <!-- part of: mix.exs -->       the block is the dependency of a new mix project, in `mix`
    <!-- in: FOLDER -->             it runs in this folder of the project
    <!-- not run: REASON -->        it does not run; the reason is printed

The first failure ends a document. A block without a rule is a failure.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DOCUMENTS = ("*.md", "guides/*.*md", "examples/**/*.md")
PICTURES = ("", "text")
TIMEOUT = 300  # seconds, for one block

FENCE = re.compile(r"^( *)```(\S*)\s*$")
COMMENT = re.compile(r"^ *<!-- ([a-z ]+): (.+) -->$")

APP_SRC = """{application, my_app, [
    {description, "Whoever reads the documents"},
    {vsn, "1.0.0"},
    {modules, []},
    {applications, [kernel, stdlib]}
]}.
"""

MIX_EXS = """defmodule MyApp.MixProject do
  use Mix.Project

  def project, do: [app: :my_app, version: "1.0.0", deps: deps()]

  def application, do: []

  defp deps do
    [
%s
    ]
  end
end
"""


class Failure(Exception):
    """A block did not do what the document says."""


@dataclass
class Block:
    """A fenced block: the number of its first line, its language, its text, its comment."""

    line: int
    language: str
    text: str
    rule: str
    value: str


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a document."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        fence = FENCE.match(lines[number])
        number += 1
        if fence:
            end = next(
                n
                for n in [*range(number, len(lines)), None]
                if n is None or lines[n].strip() == "```"
            )
            if end is None:
                raise Failure(f"the block that begins in line {number} has no end")
            comment = COMMENT.match(lines[number - 2]) if number > 1 else None
            body = "".join(line.removeprefix(fence[1]) + "\n" for line in lines[number:end])
            yield Block(
                number + 1,
                fence[2],
                body,
                comment[1] if comment else "",
                comment[2] if comment else "",
            )
            number = end + 1


class Shell:
    """A VM that evaluates one block after the other, and ends each with `-- ok` or `-- failed`."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def evaluate(self, verb: str, name: str, line: int, path: Path) -> None:
        """Have a file evaluated; the name and the line are those of the document."""
        assert self._process.stdin and self._process.stdout
        watchdog = Timer(TIMEOUT, self._process.kill)
        watchdog.start()
        said = []
        try:
            self._process.stdin.write(f"{verb}\t{name}\t{line}\t{path}\n")
            self._process.stdin.flush()
            for row in self._process.stdout:
                if row == "-- ok\n":
                    return
                if row == "-- failed\n":
                    break
                said.append(row)
        except BrokenPipeError:
            said.append("the VM has ended")
        finally:
            watchdog.cancel()
        raise Failure("".join(said).strip() or "the VM has ended")

    def close(self) -> None:
        """End the VM."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()


class Story:
    """One document, and the project that grows while it is read."""

    def __init__(self, name: str, folder: Path, url: str, environment: dict[str, str]) -> None:
        self._name = name
        self._project = folder / "project"
        self._block = folder / "block"
        self._words = {"URL-OF-THIS-REPOSITORY": url, "/opt/venv": sys.prefix}
        self._environment = environment
        self._shells: dict[tuple[str, Path], Shell] = {}
        (self._project / "src").mkdir(parents=True)
        (self._project / "src" / "my_app.app.src").write_text(APP_SRC)

    def run(self) -> list[str]:
        """Run the blocks; return what is to be told, and whether it went well as the last."""
        count, told, line = 0, [], 1
        try:
            for block in blocks((ROOT / self._name).read_text()):
                line = block.line
                if block.rule == "not run":
                    told.append(f"{self._name}:{line}: not run: {block.value}")
                elif block.rule or block.language not in PICTURES:
                    count += 1
                    self._perform(block)
            return [*told, f"{self._name}: {count} blocks ok"]
        except Failure as failure:
            return [*told, f"{self._name}:{line}: FAILED: {failure}"]
        finally:
            for shell in self._shells.values():
                shell.close()

    def _perform(self, block: Block) -> None:
        for word, meaning in self._words.items():
            block.text = block.text.replace(word, meaning)
        folder = self._project / (block.value if block.rule == "in" else "")
        folder.mkdir(exist_ok=True)
        if block.rule == "file":
            self._write(block.value, block)
        elif block.rule == "part of" and block.value == "mix.exs":
            shutil.rmtree(self._project / "mix", ignore_errors=True)
            block.text = MIX_EXS % block.text
            self._write("mix/mix.exs", block)
        elif block.rule in ("", "in") and block.language == "sh":
            self._block.write_text(block.text)
            self._command(["sh", "-e", str(self._block)], folder)
        elif block.rule in ("", "in") and block.language in ("erlang", "elixir"):
            self._evaluate("run", block, folder)
        elif block.rule == "" and block.language == "gleam":
            self._evaluate("gleam", block, folder)
        else:
            raise Failure(f"no rule says what to do with '{block.language}' after '{block.rule}'")

    def _write(self, path: str, block: Block) -> None:
        """Write a file; one of a build tool or of a configuration must be one by its own rules."""
        file = self._project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text)
        if file.name == "rebar.config":
            self._command(["rebar3", "get-deps"], file.parent)
        elif file.name == "mix.exs":
            self._command(["mix", "do", "deps.get,", "deps.compile"], file.parent)
        elif file.parent.name == "config" and file.suffix in (".config", ".exs"):
            language = "erlang" if file.suffix == ".config" else "elixir"
            self._shell(language, self._block.parent).evaluate(
                "config", self._name, block.line, file
            )

    def _evaluate(self, verb: str, block: Block, folder: Path) -> None:
        self._block.write_text(block.text)
        language = "elixir" if block.language == "elixir" else "erlang"
        self._shell(language, folder).evaluate(verb, self._name, block.line, self._block)

    def _shell(self, language: str, folder: Path) -> Shell:
        """Return the VM of a folder, with the build there, or else this repository's."""
        if (language, folder) not in self._shells:
            libraries = folder / "_build/default/lib"
            ebins = (libraries if libraries.is_dir() else ROOT / "_build/default/lib").glob(
                "*/ebin"
            )
            path = [argument for ebin in ebins for argument in ("-pa", str(ebin))]
            evaluator = str(HERE / "evaluate.exs")
            if language == "erlang":
                command = ["erl", "-noshell", *path, "-s", "evaluate"]
            elif (folder / "mix.exs").exists():
                command = ["mix", "run", evaluator]
            else:
                command = ["elixir", *path, evaluator]
            self._shells[language, folder] = Shell(command, folder, self._environment)
        return self._shells[language, folder]

    def _command(self, command: list[str], folder: Path) -> None:
        try:
            result = subprocess.run(
                command,
                cwd=folder,
                env=self._environment,
                timeout=TIMEOUT,
                text=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure(str(error)) from None
        if result.returncode:
            raise Failure(f"status {result.returncode}: {result.stdout.strip()}")


def surroundings(folder: Path) -> dict[str, str]:
    """Return an environment in which no settings and caches of the user are read or written."""
    return os.environ | {
        "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
        "REBAR_CACHE_DIR": str(folder / "cache"),
        "REBAR_GLOBAL_CONFIG_DIR": str(folder / "settings"),
        "MIX_HOME": str(folder / "mix_home"),
        "MIX_INSTALL_DIR": str(folder / "mix_install"),
        "ERL_FLAGS": f"-pa {folder}",  # what is compiled by prepare/1
        "MIX_REBAR3": shutil.which("rebar3") or "rebar3",
    }


def prepare(folder: Path) -> str:
    """Compile the Erlang here; return the URL of a clone whose main is the last commit."""
    repository = str(folder / "repository")
    head = subprocess.check_output(["git", "-C", ROOT, "rev-parse", "HEAD"], text=True).strip()
    for command in (
        ["git", "clone", "-q", "--bare", str(ROOT), repository],
        ["git", "-C", repository, "update-ref", "refs/heads/main", head],
        ["git", "-C", repository, "symbolic-ref", "HEAD", "refs/heads/main"],
        [
            "erlc",
            "-o",
            str(folder),
            *map(str, HERE.glob("*.erl")),
            str(ROOT / "tests/telemetry/telemetry.erl"),
        ],
    ):
        subprocess.run(command, check=True)
    return f"file://{repository}"


def main(wanted: list[str]) -> int:
    """Run the documents, two at a time, and return the exit status."""
    found = [
        str(path.relative_to(ROOT)) for pattern in DOCUMENTS for path in sorted(ROOT.glob(pattern))
    ]
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(2) as pool:
        folder = Path(temporary)
        url = prepare(folder)

        def tell(name: str) -> bool:
            story = Story(name, folder / name.replace("/", "_"), url, surroundings(folder))
            told = story.run()
            print(*told, sep="\n", flush=True)
            return told[-1].endswith("ok")

        return 0 if all(list(pool.map(tell, wanted or found))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
