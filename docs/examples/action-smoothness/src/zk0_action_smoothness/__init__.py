"""What action-smoothness adds to zk0."""
