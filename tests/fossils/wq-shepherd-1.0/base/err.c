/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_OWN = 5000
};

static const char *const own_names[] = {
	"WQ_E_0",
	"WQ_E_CONFIG",
	"WQ_E_FORMAT",
	"WQ_E_LIMIT",
	"WQ_E_STATE",
	"WQ_E_UNKNOWN",
	"WQ_E_DUPLICATE",
	"WQ_E_THREAD",
	"WQ_E_UNSUPPORTED",
	"WQ_E_TIMEOUT",
	"WQ_E_GONE",
	"WQ_E_NOT_A_SPOOL",
	"WQ_E_LOCKED",
	"WQ_E_REFUSED",
	"WQ_E_FAULT",
};

bool err_is_system(int code)
{
	return code < 0 && code > -FIRST_OWN;
}

const char *err_code_name(int code)
{
	int n = code < -INT_MAX ? 0 : -code;
	const char *name = NULL;
	if (n > FIRST_OWN && n < FIRST_OWN + (int)(sizeof own_names / sizeof *own_names))
		name = own_names[n - FIRST_OWN];
	else if (n > 0 && n < FIRST_OWN)
		name = strerrorname_np(n);
	return name ? name : "unknown code";
}

/* struct_size and reserved are its owner's.  A member that is added behind the size of 1.0 may be
 * written only where struct_size says that it is there. */
_Static_assert(sizeof(struct wq_err) == 512, "only the members of 1.0 are written");

__attribute__((format(printf, 4, 0))) static int set(
	struct wq_err *err, int code, const char *name, const char *fmt, va_list ap)
{
	if (!err)
		return code;
	int system = code < 0 && code > -FIRST_OWN ? -code : 0;
	err->code = code;
	err->sys_errno = system;
	snprintf(err->name, sizeof err->name, "%s", name ? name : "");
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	if (system) {
		size_t used = strlen(err->text);
		snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(system));
	}
	return code;
}

int err_set(struct wq_err *err, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	set(err, code, NULL, fmt, ap);
	va_end(ap);
	return code;
}

int err_set_name(struct wq_err *err, int code, const char *name, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	set(err, code, name, fmt, ap);
	va_end(ap);
	return code;
}

int err_prefix(struct wq_err *err, const char *fmt, ...)
{
	if (!err)
		return 0;
	char old[sizeof err->text];
	memcpy(old, err->text, sizeof old);
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof err->text)
		snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", old);
	return err->code;
}

_Noreturn void wq_check_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "<2>wq: broken invariant at %s:%d: %s\n", file, line, cond);
	abort();
}
