#!/usr/bin/env python3
"""Hangs on its first call."""

import signal

from stand_in import serve

serve(lambda payload: signal.pause())
