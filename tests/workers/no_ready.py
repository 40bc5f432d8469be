#!/usr/bin/env python3
"""Never gets ready, whatever comes."""

import signal

while True:
    signal.pause()
