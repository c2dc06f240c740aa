/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handler: a payload as the standard input of the program that wq.conf names.
 */
#pragma once

#include "settings.h"

struct handler_input {
	struct wq_bytes bytes;
	char *memory; /* of the JSON text; NULL: the payload itself, borrowed */
};

/* WQ_OK; WQ_REJECT where the payload has no form in JSON; -ENOMEM. */
int32_t handler_input(const struct settings *settings, struct wq_bytes payload,
	struct handler_input *ret, struct wq_err *err);
void handler_input_fini(struct handler_input *in);
