"""Published weights by name: where they are, and under which licence."""
