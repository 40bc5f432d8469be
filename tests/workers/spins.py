#!/usr/bin/env python3
"""Spins on its first call."""

from stand_in import serve


def act_up(payload):
    """Never return, and never sleep."""
    while True:
        pass


serve(act_up)
