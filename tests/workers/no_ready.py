#!/usr/bin/env python3
"""Never gets ready."""

import signal

while True:
    signal.pause()
