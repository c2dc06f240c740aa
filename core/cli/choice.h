/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/choice: which spool?  The one given, else WQ_SPOOL, else that of the configuration, which the
 * server knows: wq-server --print-config says it.
 */
#pragma once

#include <limits.h>

struct wq_err;

/* The path to `ret`, free(3) it; what chose it to `ret_rule`, a static text.  -WQ_E_UNKNOWN with a
 * sentence that says the three ways. */
int choice_find(const char *given, char **ret, const char **ret_rule, struct wq_err *err);

/* The value of the line `spool = "..."` of a printed configuration, free(3) it; NULL: no such
 * line. */
char *choice_read_config(const char *text);

/* The spool that the configuration names, free(3) it.  -WQ_E_UNKNOWN as above. */
int choice_ask_server(char **ret, struct wq_err *err);

/* The program: beside the running wq (a build, or one bin directory), in the sbin beside it, else
 * "wq-server", for PATH.  Returns `ret`. */
char *choice_find_server(char ret[PATH_MAX]);
