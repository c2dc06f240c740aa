/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf: read configurations in tests, and look at the problems that were told.
 */
#pragma once

#include "config/config.h"

/* Read `text` as the file "wq.conf" of /etc/wq.  Answers what config_read_text answers. */
int conf_read(const char *text, struct config *ret, struct problems *p);

/* Fails the test with the problems where `text` is not a good configuration. */
void conf_must_read(const char *text, struct config *ret);

/* Is one of the problems exactly this line? */
bool conf_has(const struct problems *p, const char *line);

/* All problems, one a line, for a failing test's message.  Lives until the next call. */
const char *conf_lines(const struct problems *p);

/* A directory of its own for a test; conf_rmdir removes it with the files that conf_write made. */
char *conf_mkdir(void);
char *conf_write(const char *dir, const char *name, const void *bytes, size_t len);
void conf_rmdir(char *dir);

/* A file of the source tree, NUL at the end; fails the test where it is not there. */
char *conf_source_file(const char *path);
