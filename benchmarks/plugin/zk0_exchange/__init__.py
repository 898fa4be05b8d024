"""What benchmarks/network.py sends around: as a plugin of zk0, and as an app of plain Flower."""
