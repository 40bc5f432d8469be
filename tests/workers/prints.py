#!/usr/bin/env python3
"""Prints a line on standard output before each answer, like a forgotten print."""

import sys

from stand_in import serve


def act_up(payload):
    """Print between two frames."""
    print("debug: here", flush=True)
    return True


sys.stdout.reconfigure(line_buffering=True)
serve(act_up)
