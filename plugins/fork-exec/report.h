/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report: what became of a child, as the outcome of its task.  docs/wq-command.cddl has the map.
 */
#pragma once

#include <wq/cbor.h>

#include "settings.h"

/* The end of a child, a copy to keep; end.error and end.text are the buffers here, or NULL. */
struct ending {
	struct wq_child_end end;
	char error[WQ_ERR_NAME_SIZE];
	char text[WQ_ERR_TEXT_SIZE];
};
void ending_copy(struct ending *ret, const struct wq_child_end *end);

/* What an outcome points at. */
struct report {
	struct wq_cbor_out out;
	char error[WQ_ERR_NAME_SIZE];
	char text[WQ_ERR_TEXT_SIZE];
};

/*
 * Fill in all of `ret` but tid; it points into `r`, which lives until report_clear.  Reads the child's
 * output in `work_dir`, within bounds.  Without memory the outcome is right and has no payload.
 */
void report_make(struct report *r, const struct settings *settings, const struct ending *ending,
	const char *work_dir, struct wq_outcome *ret);
void report_clear(struct report *r);
