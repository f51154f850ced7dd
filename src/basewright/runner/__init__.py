"""Runs a program inside an image's root."""
