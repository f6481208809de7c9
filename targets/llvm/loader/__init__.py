"""The compiled library of an artifact: what it must prove before it is loaded, and how it is called."""
