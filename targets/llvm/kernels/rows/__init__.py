"""What kernels share whose sums come as rows of one channel each: neurons in lane order, transposes."""
