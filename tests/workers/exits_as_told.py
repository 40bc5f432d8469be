#!/usr/bin/env python3
"""Exits on every call, with the call's last byte as its status."""

import os

from stand_in import serve

serve(lambda payload: os._exit(payload[-1]))
