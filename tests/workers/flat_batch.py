#!/usr/bin/env python3
"""Answers a batch with `ok`, like a single call."""

from stand_in import OK, reply, serve

serve(lambda payload: reply(payload, OK))
