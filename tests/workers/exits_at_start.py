#!/usr/bin/env python3
"""Exits before it is ready."""

import sys

sys.exit(3)
