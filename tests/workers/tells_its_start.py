#!/usr/bin/env python3
"""Answers with the tuning of its C library and its arguments, one a line."""

import os
import sys

from stand_in import OK, reply, serve


def act_up(payload):
    """Answer `{ok, Lines}`."""
    told = "\n".join([os.environ.get("GLIBC_TUNABLES", ""), *sys.argv[1:]]).encode()
    reply(payload, b"\x92" + OK + b"\xc5" + len(told).to_bytes(2, "big") + told)


serve(act_up)
