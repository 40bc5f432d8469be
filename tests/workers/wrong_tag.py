#!/usr/bin/env python3
"""Answers another request than it was asked."""

from stand_in import OK, serve, write

serve(lambda payload: write(b"\x92\xc4\x04\xff\xff\xff\xff" + OK))
