#!/usr/bin/env python3
"""Exits on every call; its status is the last byte of the call."""

import os

from stand_in import serve

serve(lambda payload: os._exit(payload[-1]))
