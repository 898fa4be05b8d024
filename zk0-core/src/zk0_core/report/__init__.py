"""A run's page: read from its folder, never from a model."""
