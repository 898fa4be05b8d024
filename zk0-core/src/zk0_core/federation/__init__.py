"""A federation over a network: its server, its nodes, and what keeps both running."""
