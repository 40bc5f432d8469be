#!/usr/bin/env python3
"""Answers a call that holds the marker after the file of LC_STAND_IN_SWITCH appears."""

import os
import time

from stand_in import MARKER, serve


def act_up(payload):
    """Wait for the file, then answer."""
    while not os.path.exists(os.environ["LC_STAND_IN_SWITCH"]):
        time.sleep(0.01)
    return True


serve(act_up, at=MARKER)
