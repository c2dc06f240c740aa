/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nobody can be answered for goes to quarantine, with the reason beside it in CBOR.
 */
#include "server/server.h"

#include "base/log.h"
#include "spool/quarantine.h"

#include <wq/cbor.h>

#include <errno.h>
#include <string.h>

void aside_explain(struct wq_cbor_out *out, uint32_t uid, const char *error, const char *text)
{
	wq_cbor_put_map(out, 3);
	wq_cbor_put_text(out, "uid");
	wq_cbor_put_uint(out, uid);
	wq_cbor_put_pair(out, "text", text);
	wq_cbor_put_pair(out, "error", error);
}

int set_aside(struct server *s, int dir_fd, const char *name, const char *error, const char *text)
{
	uint8_t why[512];
	struct wq_cbor_out out;
	wq_cbor_out_fixed(&out, why, sizeof why);
	wq_cbor_put_map(&out, 2);
	wq_cbor_put_pair(&out, "text", text);
	wq_cbor_put_pair(&out, "error", error);
	int rc = quarantine_put(&s->spool, dir_fd, name, why, out.len);
	if (rc == 0) {
		metrics_count(&s->metrics, METRICS_QUARANTINED);
		log_warn("%s: %s; moved to quarantine", name, text);
	} else if (rc != -ENOENT) {
		log_warn("%s: %s; cannot be moved to quarantine, leaving it: %s", name, text,
			strerror(-rc));
		if (!is_forbidden(rc))
			look_again_soon(s);
	}
	return rc;
}

bool is_forbidden(int rc)
{
	return rc == -EACCES || rc == -EPERM;
}
