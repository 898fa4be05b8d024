"""LeRobot's datasets and policies as zk0 sees them."""
