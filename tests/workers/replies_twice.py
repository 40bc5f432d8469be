#!/usr/bin/env python3
"""Writes every reply twice."""

from stand_in import answer, reply, serve

serve(lambda payload: reply(payload, answer(payload)) is None)
