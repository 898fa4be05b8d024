"""The strategies that come with zk0."""
