"""The client of a run: its session, its local training, what it keeps."""
