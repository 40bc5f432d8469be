#!/usr/bin/env python3
"""Hangs on a call that holds the marker."""

import signal

from stand_in import MARKER, serve

serve(lambda payload: signal.pause(), at=MARKER)
