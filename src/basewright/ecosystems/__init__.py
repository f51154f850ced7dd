"""Package formats, installed sets and version orders of distributions and languages."""
