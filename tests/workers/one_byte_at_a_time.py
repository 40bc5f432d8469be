#!/usr/bin/env python3
"""Answers every request, in as many writes as the reply has bytes."""

from stand_in import answer, serve, tag, write_bytes


def act_up(payload):
    """Write a byte, and another."""
    reply = b"\x92" + tag(payload) + answer(payload)
    for byte in len(reply).to_bytes(4, "big") + reply:
        write_bytes(bytes([byte]))


serve(act_up)
