#!/usr/bin/env python3
"""Is killed at its start once for each byte in the file of LC_STAND_IN_SWITCH, then answers."""

import os
import signal

from stand_in import serve

switch = os.environ["LC_STAND_IN_SWITCH"]
left = os.path.getsize(switch) if os.path.exists(switch) else 0
if left:
    os.truncate(switch, left - 1)
    os.kill(os.getpid(), signal.SIGKILL)
serve()
