#!/usr/bin/env python3
"""Answers with an atom that is not in the protocol: the data of the request."""

from stand_in import reply, serve


def act_up(payload):
    """Answer the last sixteen bytes of the request as an atom."""
    reply(payload, b"\xd8\x01" + payload[-16:])


serve(act_up)
