#!/usr/bin/env python3
"""Answers every request, after one killed start for each byte of the file $LC_STAND_IN_SWITCH."""

import os
import signal

from stand_in import serve

switch = os.environ["LC_STAND_IN_SWITCH"]
left = os.path.getsize(switch) if os.path.exists(switch) else 0
if left:
    os.truncate(switch, left - 1)
    os.kill(os.getpid(), signal.SIGKILL)
serve()
