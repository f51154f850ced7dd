"""Image to observed behaviour: start-up, load, memory, build trials."""
