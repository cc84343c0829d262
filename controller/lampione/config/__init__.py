"""What can be set on a node: one model, and the binary config, documents and differences of it."""
