"""Dated facts about the world, shipped as snapshots."""
