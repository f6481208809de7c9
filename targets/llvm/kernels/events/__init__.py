"""Event-driven: only the weights of active inputs are added."""
