#!/usr/bin/env python3
"""Exits on a call that holds the marker."""

import sys

from stand_in import MARKER, serve

serve(lambda payload: sys.exit(6), at=MARKER)
