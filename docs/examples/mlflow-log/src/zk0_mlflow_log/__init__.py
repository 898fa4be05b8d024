"""What mlflow-log adds to zk0."""
