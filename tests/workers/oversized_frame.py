#!/usr/bin/env python3
"""Answers with the beginning of a frame of 1 GiB."""

from stand_in import serve, write_bytes

serve(lambda payload: write_bytes(b"\x40\x00\x00\x00" + bytes(1 << 16)))
