"""What frontends share: weights on a grid, neurons, and layers of spqc.nn, as operators of a graph."""
