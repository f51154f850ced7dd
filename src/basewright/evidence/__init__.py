"""Facts gathered about an image, and their store."""
