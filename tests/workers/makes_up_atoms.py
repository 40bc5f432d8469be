#!/usr/bin/env python3
"""Announces versions of unknown names, and answers every call with an invented atom."""

import os

from stand_in import reply, requests, write


def name():
    """Return sixteen random letters."""
    return os.urandom(8).hex().encode()


write(b"\x93\xa5ready\x01\x8f" + b"".join(b"\xb0" + name() + b"\xa1x" for _ in range(15)))
for payload in requests():
    reply(payload, b"\x92\xc7\x05\x01error\xc7\x10\x01" + name())
