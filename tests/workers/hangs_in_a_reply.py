#!/usr/bin/env python3
"""Begins a reply with what it was asked, promises more, and hangs."""

import time

from stand_in import serve, tag, write_bytes


def act_up(payload):
    """Write a header that promises twice what follows."""
    write_bytes((2 * len(payload)).to_bytes(4, "big") + b"\x92" + tag(payload) + payload[7:])
    time.sleep(3600)


serve(act_up)
