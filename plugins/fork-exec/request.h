/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * request: the command that a payload asks for, checked.  docs/wq-command.cddl is the format.
 *
 * Whatever is not wholly right is refused, with a text that names the key, what stands there and
 * what would be right: a command must not run in another way than it asks for.
 */
#pragma once

#include "settings.h"

enum {
	REQUEST_WORDS_MAX = 60000 /* arguments and variables together; a spawn takes 65536 */
};

struct request {
	const char **argv; /* NULL at the end */
	const char **env;  /* in order of environment_compare */
	size_t n_env;
	bool no_pass;          /* `env` is all of it */
	const char *dir;       /* NULL: not said */
	struct wq_bytes input; /* borrowed from the payload */
	int32_t umask;         /* -1: not said */
	int32_t nice;          /* -1: not said */
	struct limits limits;
	char *words; /* what the texts are in */
};

/*
 * WQ_OK; WQ_REJECT with name "bad-request", or "not-allowed" where the task manager's options forbid
 * it; -ENOMEM.  Only after WQ_OK there is something to free.
 */
int32_t request_parse(const struct settings *settings, struct wq_bytes payload, struct request *ret,
	struct wq_err *err);
void request_fini(struct request *r);
