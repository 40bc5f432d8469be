#!/usr/bin/env python3
"""Gets ready and never reads its pipe."""

import signal

from stand_in import ready

ready()
while True:
    signal.pause()
