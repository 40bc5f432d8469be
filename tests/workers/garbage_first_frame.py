#!/usr/bin/env python3
"""Begins with what is no notice."""

from stand_in import requests, write

write(b"Python 2.7.18 (default)")
list(requests())
