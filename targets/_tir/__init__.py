"""Lowering to TVM TIR, shared by the targets that compile through TVM."""
