/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A spool in a temporary directory, one a test, and short words for what stands in it.  Names are
 * looked up with plain system calls, not through the code under test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "spool/spool.h"

/* An id that no clock of today makes. */
#define ID_TEXT "1511472984.123456-0k3v9q2m7t1dh"
extern const struct reqid tmpspool_id;

extern struct spool tmpspool; /* opened as the server */
extern char tmpspool_dir[];   /* the temporary directory */
extern char tmpspool_path[];  /* the spool in it */

/* Fixtures: the directory alone; with a spool opened in it (through fault_io). */
void tmpspool_make_dir(void);
void tmpspool_remove_dir(void);
void tmpspool_open(void);
void tmpspool_close(void);

/* Become a user without privilege, owner of the directory; true when that or root is not us. */
bool tmpspool_drop_root(void);

struct reqid tmpspool_nth(unsigned n); /* ids in order */

/* `place` is relative to the spool, "3-running". */
void tmpspool_put(const char *place, const char *name, const char *text);
void tmpspool_put_mode(const char *place, const char *name, const char *text, unsigned mode);
bool tmpspool_has(const char *place, const char *name);
bool tmpspool_holds(const char *place, const char *name, const char *text);
int tmpspool_count(const char *place);
const char *tmpspool_at(const char *place, const char *name); /* its path, one at a time */

int tmpspool_open_fds(void); /* of this process */
