/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/exit.h"

#include <wq/client.h>

#include <string.h>

/* Statuses that do not come from the task. */
static const struct {
	const char *status;
	int exit;
} table[] = {
	{ "ok", 0 },
	{ "rejected", EXIT_REJECTED },
	{ "expired", EXIT_LOST },
	{ "lost", EXIT_LOST },
};

int exit_of_result(const struct wq_result_info *info)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(info->status, table[i].status) == 0)
			return table[i].exit;
	if (info->signal > 0 && info->signal < 128)
		return EXIT_SIGNAL + info->signal;
	if (strcmp(info->status, "killed") == 0)
		return EXIT_KILLED;
	/* Failed, or a status that this version does not know: never 0. */
	return info->code > 0 && info->code < 256 ? info->code : 1;
}

int exit_of_code(int code)
{
	switch (code) {
	case -WQ_E_TIMEOUT:
		return EXIT_TIMEOUT;
	case -WQ_E_GONE:
		return EXIT_GONE;
	default:
		return EXIT_WQ;
	}
}
