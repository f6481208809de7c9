"""Plans of kernels, made without a compiler: shapes, densities, arrangements, the choice of strategies."""
