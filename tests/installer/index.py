"""A package index on this machine, and a proxy before one that nobody else can reach."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit


def project(file: str) -> str:
    """Return the normalized name of the project that a file belongs to."""
    return re.sub(r"[-_.]+", "-", re.split(r"-\d", file)[0]).lower()


@contextmanager
def serve(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve the packages of a folder as an index; yield `host:port`, and the paths asked for.

    It is a proxy as well: of a whole URL it takes the path, whatever the host.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            parts = unquote(urlsplit(self.path).path).strip("/").split("/")
            files = [file for file in folder.iterdir() if project(file.name) == parts[-1]]
            if parts[0] == "simple" and files:
                links = (f'<a href="/files/{file.name}">{file.name}</a>' for file in files)
                self.answer("text/html", "<br>".join(links).encode())
            elif parts[0] == "files" and (folder / parts[-1]).is_file():
                self.answer("application/octet-stream", (folder / parts[-1]).read_bytes())
            else:
                self.send_error(404)

        def answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # uv asks so for a file's size

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", asked
        server.shutdown()
