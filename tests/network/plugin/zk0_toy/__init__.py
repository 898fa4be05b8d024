"""A policy of a few values, and datasets for it: a federation starts in seconds."""
