"""The `zk0` command."""
