"""The published numbers of SpQuant-SNN, LT-SNN, Spikformer and ACE-SNN beside what spqc computes; docs/papers.md."""
