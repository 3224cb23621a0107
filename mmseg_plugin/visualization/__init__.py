"""Pictures of predictions, queries and runs."""
