"""What everything stands on: errors, options as text, files that are complete or not there."""
