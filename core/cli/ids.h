/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/ids: which request does a person mean?  A whole id, "@" for the newest request, or a beginning
 * of an id that only one request has, of those in the spool and in the history.
 */
#pragma once

#include <stddef.h>

#include <wq/client.h>

struct cli;
struct ids; /* the ids that were listed; struct cli keeps them for the rest of the command */

enum {
	IDS_NAMED_MAX = 3 /* of those that an ambiguous beginning fits, told by name */
};

/*
 * A whole id is taken as it is, whether there is such a request or not.  All else is looked for: "@",
 * the beginning of the 13 characters behind the '-', or of all of it.  0, or EXIT_WQ with the reason
 * said.
 */
int ids_resolve(struct cli *cli, const char *given, char ret[WQ_ID_SIZE]);

/* The same for `n` of them; free(3) *ret, which holds all of it. */
int ids_resolve_all(struct cli *cli, char *const *given, size_t n, char ***ret);

/* For cli_close.  NULL is fine. */
void ids_free(struct ids *ids);
