/* SPDX-License-Identifier: BSD-2-Clause */
#include "standard.h"

static const struct wq_handler handlers[] = {
	{ "copy", "copies a file, at a limited rate, to a new name that appears when it is whole",
		copy_run, copy_check },
	{ "digest", "computes the digest of a file", digest_run, digest_check },
	{ "echo", "gives back the request", echo_run, NULL },
	{ "sleep", "waits, and fails if it is told to", sleep_run, sleep_check },
};

WQ_HANDLERS(WQ_VERSION, handlers);
