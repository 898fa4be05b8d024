"""Did federating help? The same plan federated, centralized and with each client alone."""
