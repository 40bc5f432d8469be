#!/usr/bin/env python3
"""Turns in an endless loop on its first call."""

from stand_in import serve


def act_up(payload):
    """Never return, and never sleep."""
    while True:
        pass


serve(act_up)
