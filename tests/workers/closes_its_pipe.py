#!/usr/bin/env python3
"""Closes its end of the pipe on a call, and lives on."""

import os
import signal

from stand_in import serve


def act_up(payload):
    """Leave nothing to be read."""
    os.close(1)
    signal.pause()


serve(act_up)
