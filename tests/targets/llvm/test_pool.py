"""The C of a library's threads by itself: every task once, its writes seen, threads ended; no data races or leaks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytest.importorskip("tvm")

from spqc.targets._plan.machine import Machine
from spqc.targets.llvm.pool import source

HARNESS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
void *__TVMBackendParallelLaunch;
typedef int (*Launch)(Task *, void *, int32_t);
typedef struct { int done[TASKS]; int work; } Job;

static int32_t task(int32_t number, Group *group, void *data) {
    Job *job = data;
    for (volatile int i = 0; i < job->work * (number % 3); ++i) {}
    return group->tasks != TASKS || job->done[number]++ != 0;
}

/* Loops of uneven tasks; every few hundred, a pause in which threads fall asleep. */
static int32_t loops_of(void *first, void *arguments, int32_t count, void *result) {
    (void)first, (void)arguments, (void)result;
    for (int32_t i = 0; i < count; ++i) {
        Job job = {{0}, rand() % 200};
        if (((Launch)__TVMBackendParallelLaunch)(task, &job, 0) != 0) return 1;
        for (int k = 0; k < TASKS; ++k) if (job.done[k] != 1) return 1;
        if (i % 400 == 399) nanosleep(&(struct timespec){0, 5000000}, 0);
    }
    return 0;
}

static int32_t alone(void *first, void *arguments, int32_t count, void *result) {
    (void)first, (void)result;
    ++*(int *)arguments;
    return task(0, &(Group){0, TASKS}, &(Job){{0}, count});
}

int main(void) {
    Call loops = {loops_of, 0, 2000, 0};
    int seen[THREADS] = {0};
    Call batch[THREADS];
    for (int k = 0; k < THREADS; ++k) batch[k] = (Call){alone, &seen[k], 100, 0};
    for (int i = 0; i < 4; ++i) {
        if (spqc_run(&loops, 1) != 0 || spqc_run(batch, THREADS) != 0) return 1;
        for (int k = 0; k < THREADS; ++k) if (seen[k] != i + 1) return 2;
        if (i % 2) {
            spqc_stop();
            spqc_stop();  /* there are none to end */
        }
        if (i == 1) nanosleep(&(struct timespec){0, 5000000}, 0);
    }
    puts("done");
    return 0;
}
"""


def build(folder: Path, *options: str) -> Path:
    """Return the program; the test is skipped where the compiler lacks what the options ask for."""
    text, program = folder / "pool.c", folder / "pool"
    text.write_text(source(Machine(frozenset(), threads=3)) + HARNESS)
    strict = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-pthread"]
    command = ["gcc", *strict, *options, str(text), "-o", str(program)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if "tsan" in made.stderr:
        pytest.skip("this compiler has no thread sanitizer")
    assert made.returncode == 0, made.stderr
    return program


@pytest.mark.parametrize("options", [(), ("-fsanitize=thread", "-g")], ids=["plain", "sanitized"])
def test_every_task_is_done_once_and_its_writes_are_seen(options: tuple[str, ...], tmp_path: Path) -> None:
    """The sanitizer ends a program in which it found a race with an error."""
    done = subprocess.run([build(tmp_path, *options)], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-2000:]
