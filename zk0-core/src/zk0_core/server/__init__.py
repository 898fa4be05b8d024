"""The server of a run: preflight, rounds, evaluation, output."""
