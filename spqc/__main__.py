"""`python -m spqc` is `spqc`."""

import sys

from spqc.cli import main

sys.exit(main())
