"""One module a file format: bytes in, arrays out, and an error that names the file where they are damaged."""
