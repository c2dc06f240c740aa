/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes for tests: shells with a tag, and the end of all that a test has left.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Fixtures: be a subreaper; end and reap all children. */
void kin_setup(void);
void kin_teardown(void);

/* Run `script` by sh(1) in a session of its own, with WQ_TASK=<tag> in its environment (NULL: none);
 * answers when it has printed "ready".  Its standard input says nothing as long as the test runs. */
pid_t kin_sh(const char *tag, const char *script);
/* The same for another program and environment. */
pid_t kin_exec(const char *const *argv, const char *const *env);

/* Reap what has ended, without waiting. */
void kin_reap(void);
bool kin_is_alive(pid_t pid); /* no zombie */
int kin_wait(pid_t pid);      /* its wait status */

/* From here on a system call answers with an error (seccomp(2)); false where that cannot be done. */
bool kin_deny(long number, int error);
