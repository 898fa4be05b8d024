"""What comes with zk0, each part in a module of its own."""
