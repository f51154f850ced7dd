"""How a service becomes layers: one file per kind of application, `catalog.py` the table."""
