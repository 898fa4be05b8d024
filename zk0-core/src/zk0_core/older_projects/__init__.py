"""The settings of older zk0 projects as a run file."""
