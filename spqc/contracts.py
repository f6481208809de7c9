"""What plug-ins implement and are given, by the names that their authors know it by."""

from spqc.plugins.executor import Executor, Package, Stream
from spqc.plugins.frontend import Eager, Frontend, Match, Observation, Source
from spqc.plugins.passes import Module, Pass
from spqc.plugins.pricing import KernelCount, Priced
from spqc.plugins.target import Advice, Binary, Emitter, Finding, Target
from spqc.plugins.tuning import Candidate, Job, Lesson, Tracker, Tunable, Tuner

__all__ = [
    "Advice",
    "Binary",
    "Candidate",
    "Eager",
    "Emitter",
    "Executor",
    "Finding",
    "Frontend",
    "Job",
    "KernelCount",
    "Lesson",
    "Match",
    "Module",
    "Observation",
    "Package",
    "Pass",
    "Priced",
    "Source",
    "Stream",
    "Target",
    "Tracker",
    "Tunable",
    "Tuner",
]
