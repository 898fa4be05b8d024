"""What can be wrong with datasets: looked for by `zk0 data check`, and before every run."""
