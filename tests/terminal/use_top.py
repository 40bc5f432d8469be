"""Uses `signal_port:top()` in an Erlang shell, as a person at a terminal does.

The arguments are the folders of beams. The shell starts the application, makes calls beside the
table, leaves it with `q`, and ends. The screen goes to standard output.
"""

import os
import pty
import select
import sys
import time

DEADLINE = 60.0  # seconds for each step; far more than any takes
CALLS = "spawn(fun F() -> {ok, _} = signal_port:sha256(<<0>>), timer:sleep(5), F() end)."


class Terminal:
    """A program behind a pseudo-terminal."""

    def __init__(self, program: list[str]) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.execvp(program[0], program)
        self.screen = b""

    def await_text(self, *texts: str) -> None:
        """Wait until these texts were shown, one after the other, since the last call."""
        end = time.monotonic() + DEADLINE
        for text in texts:
            while text.encode() not in self.screen:
                if not select.select([self.descriptor], [], [], end - time.monotonic())[0]:
                    raise SystemExit(f"{text!r} was not shown: {self.screen!r}")
                shown = os.read(self.descriptor, 65536)
                sys.stdout.buffer.write(shown)
                self.screen += shown
            self.screen = self.screen.split(text.encode(), 1)[1]

    def enter(self, line: str) -> None:
        """Type a line."""
        os.write(self.descriptor, line.encode() + b"\r")


def main(folders: list[str]) -> None:
    """Use the table."""
    terminal = Terminal(["erl", "-pa", *folders])
    terminal.await_text("1> ")
    terminal.enter("application:set_env(signal_port, pool_size, 1).")
    terminal.await_text("2> ")
    terminal.enter("application:ensure_all_started(signal_port).")
    terminal.await_text("{ok,", "3> ")
    terminal.enter(CALLS)
    terminal.await_text("4> ")
    terminal.enter("signal_port:top().")
    terminal.await_text("p99, us", "sha256", "leave", "p99, us", "sha256", "leave")
    terminal.enter("no such key")
    terminal.await_text("p99, us", "sha256", "leave")
    terminal.enter("q")
    terminal.await_text("ok", "5> ")
    terminal.enter("signal_port_span:is_observed().")
    terminal.await_text("false", "6> ")
    terminal.enter("halt().")
    _, status = os.waitpid(terminal.pid, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(sys.argv[1:])
