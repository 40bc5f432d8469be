#!/usr/bin/env python3
"""Hangs inside a reply that begins with the request."""

import time

from stand_in import serve, tag, write_bytes


def act_up(payload):
    """Write a header and half of the bytes that it announces."""
    write_bytes((2 * len(payload)).to_bytes(4, "big") + b"\x92" + tag(payload) + payload[7:])
    time.sleep(3600)


serve(act_up)
