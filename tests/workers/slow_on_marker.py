#!/usr/bin/env python3
"""Takes its time over a call that holds the marker: until the file exists that LC_STAND_IN_SWITCH names."""

import os
import time

from stand_in import MARKER, serve


def act_up(payload):
    """Wait for the file, and answer."""
    while not os.path.exists(os.environ["LC_STAND_IN_SWITCH"]):
        time.sleep(0.01)
    return True


serve(act_up, at=MARKER)
