"""Look-up: sums of a few spikes come out of tables in registers."""
