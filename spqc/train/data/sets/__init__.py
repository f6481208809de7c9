"""One module a family of data sets; a module put here is found."""
