/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wq/err.h: how wq says what went wrong.
 *
 * Functions answer 0 or a positive number for success and a negative code for failure: -errno as
 * the system gave it, or one of -WQ_E_ below (all above 5000, so they never meet an errno).  Where
 * a person will read the failure a struct wq_err carries the sentence.  The caller owns it, it is
 * written only on failure, and every function that takes one accepts NULL.
 */
#ifndef WQ_ERR_H
#define WQ_ERR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	WQ_E_CONFIG = 5001, /* a setting is wrong; the text names file, section, key, value, rule */
	WQ_E_FORMAT = 5002, /* bytes are not what the format says */
	WQ_E_LIMIT = 5003,  /* larger than a limit allows */
	WQ_E_STATE = 5004,  /* not allowed in this state */
	WQ_E_UNKNOWN = 5005, /* names a thing that does not exist */
	WQ_E_DUPLICATE = 5006,
	WQ_E_THREAD = 5007,      /* called from a thread that may not */
	WQ_E_UNSUPPORTED = 5008, /* not offered by this version, file system or plugin */
	WQ_E_TIMEOUT = 5009,     /* the time given has passed */
	WQ_E_GONE = 5010,        /* aborted, collected by someone else, or wiped */
	WQ_E_NOT_A_SPOOL = 5011, /* the directory is not a spool of wq */
	WQ_E_LOCKED = 5012,      /* another server holds the spool */
	WQ_E_REFUSED = 5013,     /* the other side understood and said no */
	WQ_E_FAULT = 5014        /* a plugin is broken: a fault, not a bad request */
};

enum {
	WQ_ERR_NAME_SIZE = 48,
	WQ_ERR_TEXT_SIZE = 448
};

/*
 * One failure.  `name` is a stable word for programs ("bad-cbor"), at most 47 bytes of [a-z0-9.-];
 * `text` is one line of UTF-8 for people, without secrets.  Both end in NUL.
 */
struct wq_err {
	uint32_t struct_size; /* sizeof as its owner compiled it; 0 is taken as the size of 1.0 */
	int32_t code;         /* the negative code that was returned */
	int32_t sys_errno;    /* the errno behind it, or 0 */
	uint32_t reserved;
	char name[WQ_ERR_NAME_SIZE];
	char text[WQ_ERR_TEXT_SIZE];
};

#ifdef __cplusplus
}
#endif
#endif
