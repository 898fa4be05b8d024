"""A zk0 plugin to start from: one strategy, `template-mean`. Rename it and make it yours."""
