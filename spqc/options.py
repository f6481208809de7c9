"""Options as text, for plug-ins that read or print them."""

from spqc.foundation.options import (
    build,
    fields_of,
    format_call,
    format_value,
    nearest,
    parse_value,
    split_call,
)

__all__ = ["build", "fields_of", "format_call", "format_value", "nearest", "parse_value", "split_call"]
