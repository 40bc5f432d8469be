"""Write the recorded messages that the demo reads, a part of the recorded answers of the NIF.

    python3 scripts/write_demo_data.py > examples/demo/messages.terms

The file has Erlang terms, so that the demo reads it by `file:consult/1`. A test of the Python side
compares it with what this script writes.
"""

import base64
import gzip
import json
import textwrap
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).resolve().parents[1] / "tests/vectors/nif-vectors.jsonl.gz"
EACH = 24  # messages received, and as many sent
LONGEST = 4000  # characters of a recorded line; longer lines have many skipped keys
WIDTH = 80  # characters of base64 in a line

HEAD = """\
%% Messages that libsignal_protocol_nif 0.3 received and sent, with the sessions that it stored.
%% Written by scripts/write_demo_data.py; do not edit.
%%
%% {received, #{session, wire, plaintext, next}}: the session decrypts the wire to the plaintext,
%%     and becomes the next session, which is `random' if the step makes a new key pair.
%% {sent, #{session, plaintext, peer}}: the peer's session decrypts what the session encrypts.
%%
%% A binary is {plain, Base64}, or {zlib, Base64} if it is compressed.
"""


def term(recorded: Any) -> str:
    """Return a recorded binary as an Erlang term."""
    kind, data = ("zlib", recorded["z"]) if "z" in recorded else ("plain", recorded["b"])
    lines = textwrap.wrap(base64.b64encode(bytes.fromhex(data)).decode(), WIDTH) or [""]
    strings = "".join(f'\n        "{line}"' for line in lines)
    return f"{{{kind}, <<{strings}>>}}"


def message(kind: str, fields: dict[str, str]) -> str:
    """Return a message as an Erlang term of several lines."""
    pairs = ",\n".join(f"    {name} => {value}" for name, value in fields.items())
    return f"{{{kind}, #{{\n{pairs}\n}}}}.\n"


def received(call: dict[str, Any]) -> str:
    """Return a recorded call of dr_decrypt."""
    session, wire = call["args"]
    plaintext, following = call["result"]["t"][1]["t"]
    return message(
        "received",
        {
            "session": term(session),
            "wire": term(wire),
            "plaintext": term(plaintext),
            "next": "random" if call.get("random") else term(following),
        },
    )


def sent(call: dict[str, Any]) -> str:
    """Return a recorded call of dr_encrypt, with the peer who read the message."""
    session, plaintext = call["args"]
    peer = call["follow"]["session"]
    return message(
        "sent", {"session": term(session), "plaintext": term(plaintext), "peer": term(peer)}
    )


def sample(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return as many calls as the demo shows, from all parts of the recording."""
    return calls[:: len(calls) // EACH][:EACH]


def content() -> str:
    """Return the whole file."""
    with gzip.open(RECORDED, "rt") as lines:
        calls = [json.loads(line) for line in lines if len(line) <= LONGEST]
    reads = [
        call
        for call in calls
        if call["op"] == "dr_decrypt" and call["result"].get("t", [""])[0] == {"a": "ok"}
    ]
    writes = [call for call in calls if call["op"] == "dr_encrypt" and "follow" in call]
    return HEAD + "".join([*map(received, sample(reads)), *map(sent, sample(writes))])


if __name__ == "__main__":
    print(content(), end="")
