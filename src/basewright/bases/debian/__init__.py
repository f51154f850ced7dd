"""The base that is assembled from Debian packages; `distribution` is its public face."""
