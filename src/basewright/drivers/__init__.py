"""One decision driver a file, each a pure function of evidence; `catalog.py` the table."""
