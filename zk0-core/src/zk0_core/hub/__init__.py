"""A run's model, published on the Hugging Face Hub with a card that says what was recorded."""
