#!/usr/bin/env python3
"""Closes its end of the pipe on a call, and stays alive."""

import os
import signal

from stand_in import serve


def act_up(payload):
    """Close the pipe and wait."""
    os.close(1)
    signal.pause()


serve(act_up)
