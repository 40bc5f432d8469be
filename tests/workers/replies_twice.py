#!/usr/bin/env python3
"""Gives each answer two times."""

from stand_in import answer, reply, serve

serve(lambda payload: reply(payload, answer(payload)) is None)
