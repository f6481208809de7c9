"""Dense: a block of outputs, pixels and steps in registers, every input times every weight."""
