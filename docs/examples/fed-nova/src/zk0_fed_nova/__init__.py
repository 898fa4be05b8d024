"""What fed-nova adds to zk0."""
