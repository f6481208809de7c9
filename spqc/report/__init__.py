"""Results for people: each report dataclass as text on a terminal, or as one JSON object."""
