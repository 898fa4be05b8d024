"""The schedulers that come with zk0: learning rate and proximal weight over rounds."""
