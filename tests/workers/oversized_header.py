#!/usr/bin/env python3
"""Answers with the header of a frame of 4 GiB."""

from stand_in import serve, write_bytes

serve(lambda payload: write_bytes(b"\xff\xff\xff\xff\x92\xc4\x04"))
