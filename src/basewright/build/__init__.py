"""Candidate to image, and candidate to Dockerfile."""
