#!/usr/bin/env python3
"""Ends neither at SIGTERM nor with its pipe."""

import signal

from stand_in import ready

signal.signal(signal.SIGTERM, signal.SIG_IGN)
ready()
while True:
    signal.pause()
