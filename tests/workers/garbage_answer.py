#!/usr/bin/env python3
"""Replies with the right tag and an answer that is not msgpack."""

from stand_in import reply, serve

serve(lambda payload: reply(payload, b"\xc1\xc1\xc1"))
