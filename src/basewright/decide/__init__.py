"""Measurements to decision: values, ranking, robustness."""
