"""What one-cycle adds to zk0."""
