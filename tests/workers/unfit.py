#!/usr/bin/env python3
"""Announces that it is unfit."""

import sys

from stand_in import write

sentence = b"this Python lacks a wheel"
write(b"\x92\xa5unfit\xd9" + bytes([len(sentence)]) + sentence)
sys.exit(78)
