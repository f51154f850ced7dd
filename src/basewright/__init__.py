"""basewright makes a container base image decision executable."""

__version__ = "0.1.0"
