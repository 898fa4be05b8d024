"""A simulated SO-101 arm that lifts a cube: physics, pictures, a scripted expert, recordings."""
