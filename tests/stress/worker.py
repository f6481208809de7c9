"""Runs cases of the stress suite in a process of its own, which a crash may end: `-m stress.worker FIRST STEP`."""

from __future__ import annotations

import faulthandler
import json
import sys
import traceback

from .case import Result, run_case

CASES = 25
"""Of one process: memory that a bug would lose stays bounded."""


def main(first: int, step: int) -> None:
    faulthandler.enable()
    for seed in range(first, first + CASES * step, step):
        print(f"begin {seed}", flush=True)
        try:
            result = run_case(seed)
        except KeyboardInterrupt:
            return  # of the whole suite
        except Exception as error:
            traceback.print_exc()
            result = Result(seed, differences=[f"{type(error).__name__}: {error}"])
        print(json.dumps(result.record()), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
