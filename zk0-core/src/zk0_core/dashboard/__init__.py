"""The page of a run, live: read from its folder, served on loopback, never written."""
