#!/usr/bin/env python3
"""Answers, and begins a frame of 4 GiB in the same write."""

from stand_in import answer, serve, tag, write_bytes


def act_up(payload):
    """Write a correct reply and the header of another."""
    reply = b"\x92" + tag(payload) + answer(payload)
    write_bytes(len(reply).to_bytes(4, "big") + reply + b"\xff\xff\xff\xff")


serve(act_up)
