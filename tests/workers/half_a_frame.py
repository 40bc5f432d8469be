#!/usr/bin/env python3
"""Writes half of its reply and exits."""

import sys

from stand_in import OK, serve, tag, write_bytes


def act_up(payload):
    """Write a header and fewer bytes than it announces."""
    write_bytes(b"\x00\x00\x00\x40\x92" + tag(payload) + OK)
    sys.exit(5)


serve(act_up)
