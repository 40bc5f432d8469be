#!/usr/bin/env python3
"""Answers with a frame of the limit, or one byte over it to a call that holds the marker."""

import sys

from stand_in import MARKER, OK, reply, serve

MAX_FRAME = int(sys.argv[5])


def act_up(payload):
    """Answer `{ok, Zeros}`."""
    size = MAX_FRAME - 17 + (MARKER in payload)
    reply(payload, b"\x92" + OK + b"\xc6" + size.to_bytes(4, "big") + bytes(size))


serve(act_up)
