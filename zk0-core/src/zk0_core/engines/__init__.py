"""Where a run happens: here, on Ray, or over a network."""
