"""Images as bytes: digests, references, manifests, layers, layouts; knows nothing of basewright's words."""
