#!/usr/bin/env python3
"""Exits on every call."""

import sys

from stand_in import serve

serve(lambda payload: sys.exit(6))
