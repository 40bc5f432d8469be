#!/usr/bin/env python3
"""Answers with a frame that is not a reply."""

from stand_in import serve, write

serve(lambda payload: write(b"Traceback (most recent call last):"))
