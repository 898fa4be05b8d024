"""Videos that evaluators make: pictures, what is drawn over and under them, and the file."""
