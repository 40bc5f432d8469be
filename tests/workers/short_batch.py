#!/usr/bin/env python3
"""Answers a batch with one answer too few, every other request correctly."""

from stand_in import OK, answer, reply, serve


def act_up(payload):
    """Leave out the last answer of a batch."""
    whole = answer(payload)
    if whole[:1] != b"\xdc":
        return True
    count = int.from_bytes(whole[1:3], "big") - 1
    reply(payload, b"\xdc" + count.to_bytes(2, "big") + OK * count)
    return False


serve(act_up)
