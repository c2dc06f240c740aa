/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A struct spool_io that can be told to fail: the k-th call from now, or all calls of a name.  The
 * clock can be frozen and the random source made to repeat itself.  A call that fails changes
 * nothing (but close, which closes).
 */
#pragma once

#include "spool/io.h"

extern const struct spool_io fault_io;

extern int fault_calls;                   /* since fault_reset */
extern uint64_t fault_clock;              /* 0: the real one */
extern uint64_t fault_suffix;             /* what random gives; 0: the real one */
extern int fault_max_bytes;               /* at most so many bytes a read or write; 0: all */
extern int fault_flags;                   /* what getflags gives */
extern const struct statvfs *fault_space; /* what fstatvfs gives; NULL: the truth */

void fault_reset(void);
void fault_at(int k, int error);
void fault_kill_at(int k); /* the process ends instead of making the k-th call */
void fault_on(const char *name, int error, int times);
void fault_after(const char *name, int error, int calls); /* the one after so many calls of it */
void fault_on_flags(const char *name, unsigned flags, int error); /* each call with these flags */
