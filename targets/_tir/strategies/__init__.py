"""Ways to compute a weighted sum: one module a strategy, found by its name; it ends with STRATEGY = <class>."""
