/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library: the handler file of an instance; found, judged before any of its code runs, loaded, its
 * table copied.  It is never unloaded: a handler may have left something behind that still runs.
 */
#pragma once

#include <wq/handler.h>

enum {
	LIBRARY_HANDLERS_MAX = 256
};

struct library {
	void *dl;
	struct wq_handler *handlers; /* our copy; the names are the file's */
	uint32_t n_handlers;
};

/*
 * Load the handler file `path`, or the shipped one, handlers/standard.so beside this plugin, when
 * that is NULL.  0, or a code with `err` filled:
 *   -ENOENT, ...         cannot be read
 *   -WQ_E_REFUSED        not safe to load, not a handler file, or its table is broken
 *   -WQ_E_UNSUPPORTED    made for another ABI
 */
int32_t library_open(struct library *lib, const char *path, struct wq_err *err);
void library_close(struct library *lib); /* fine after a failed open, and on zeros */

const struct wq_handler *library_find(const struct library *lib, const char *name, size_t len);

/* "copy, digest, echo", cut where `size` ends.  Returns `ret`. */
char *library_list(const struct library *lib, char *ret, size_t size);
