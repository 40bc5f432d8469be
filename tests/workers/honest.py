#!/usr/bin/env python3
"""Answers every request."""

from stand_in import serve

serve()
