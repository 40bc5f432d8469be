#!/usr/bin/env python3
"""Answers, and in the same write begins a frame of 4 GiB."""

from stand_in import answer, serve, tag, write_bytes


def act_up(payload):
    """Write a true reply and the header of none."""
    reply = b"\x92" + tag(payload) + answer(payload)
    write_bytes(len(reply).to_bytes(4, "big") + reply + b"\xff\xff\xff\xff")


serve(act_up)
