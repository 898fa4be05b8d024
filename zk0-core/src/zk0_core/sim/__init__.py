"""A simulated SO-101 that lifts a cube: physics, pictures, a scripted expert, recordings."""
