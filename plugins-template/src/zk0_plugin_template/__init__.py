"""What plugin-template adds to zk0."""
