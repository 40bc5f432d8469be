#!/usr/bin/env python3
"""Begins with a frame that is not a notice."""

from stand_in import requests, write

write(b"Python 2.7.18 (default)")
list(requests())
