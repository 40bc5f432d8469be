#!/usr/bin/env python3
"""Answers every request, one byte a write."""

from stand_in import answer, serve, tag, write_bytes


def act_up(payload):
    """Write each byte alone."""
    reply = b"\x92" + tag(payload) + answer(payload)
    for byte in len(reply).to_bytes(4, "big") + reply:
        write_bytes(bytes([byte]))


serve(act_up)
