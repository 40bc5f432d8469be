#!/usr/bin/env python3
"""Announces another version of the protocol."""

from stand_in import ready, requests

ready(protocol=2)
list(requests())
