"""What the commands of `spqc` do, one module a verb; `spqc.api` calls them and `spqc.cli` prints."""
