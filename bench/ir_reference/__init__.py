"""The reference of the intermediate representation, written from its own classes; docs/ir.md."""
