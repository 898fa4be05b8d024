"""What act adds to zk0."""
