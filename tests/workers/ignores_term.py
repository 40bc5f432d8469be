#!/usr/bin/env python3
"""Ignores SIGTERM and the end of its pipe."""

import signal

from stand_in import ready

signal.signal(signal.SIGTERM, signal.SIG_IGN)
ready()
while True:
    signal.pause()
