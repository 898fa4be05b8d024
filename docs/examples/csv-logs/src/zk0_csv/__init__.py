"""What csv adds to zk0."""
