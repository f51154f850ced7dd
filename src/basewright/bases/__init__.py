"""Where a runtime base comes from: one file per kind, `catalog.py` the table."""
