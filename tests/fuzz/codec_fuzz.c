/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes at all through the codec.  What must hold:
 *   - wq_cbor_check and libcbor agree on what is well-formed, but for what only one of them takes;
 *   - the reader walks exactly what the check accepted;
 *   - what a decoder accepts, the encoder writes and the decoder reads again as the same.
 *
 * Built with -fsanitize=fuzzer it is a libFuzzer target; without, a program that replays the files
 * named as arguments (compile with -DREPLAY).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cbor.h>

#include <wq/cbor.h>

#include "base/buf.h"
#include "codec/request.h"
#include "codec/result.h"
#include "codec/status.h"

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* Is there what libcbor 0.8 does not read: a simple value without a meaning, a tag of 6 to 20? */
static bool has_unassigned(const void *bytes, size_t len)
{
	struct wq_cbor_in in;
	struct wq_cbor_item item;
	wq_cbor_in_init(&in, bytes, len);
	while (wq_cbor_next(&in, &item) == 1)
		if (item.type == WQ_CBOR_SIMPLE ||
			(item.type == WQ_CBOR_TAG && item.u >= 6 && item.u <= 20))
			return true;
	return false;
}

static void walk(const uint8_t *bytes, size_t used)
{
	struct wq_cbor_in in;
	struct wq_cbor_item item;
	int rc;
	wq_cbor_in_init(&in, bytes, used);
	MUST(wq_cbor_skip(&in) == 1 && in.p == bytes + used);
	wq_cbor_in_init(&in, bytes, used);
	while ((rc = wq_cbor_next(&in, &item)) == 1)
		;
	MUST(rc == 0);
}

static void compare_with_libcbor(const uint8_t *bytes, size_t len)
{
	size_t used = 0;
	struct wq_err err = { 0 };
	struct cbor_load_result loaded;
	int rc = wq_cbor_check(bytes, len, NULL, &used, &err);
	if (rc < 0) {
		/* Not for libcbor: it would believe the lengths that were refused. */
		MUST(err.name[0] && err.text[0] && err.code == rc);
		return;
	}
	walk(bytes, used);
	MUST(wq_cbor_check(bytes, used - 1, NULL, NULL, NULL) < 0);
	cbor_item_t *item = cbor_load(bytes, used, &loaded);
	if (item) {
		MUST(loaded.read == used);
		cbor_decref(&item);
	} else {
		MUST(has_unassigned(bytes, used));
	}
}

/*
 * The other direction, on inputs whose declared lengths cannot hurt: small heads only.  What
 * libcbor reads and the check refuses must be one of the things that wq does not take.
 */
static void compare_with_check(const uint8_t *bytes, size_t len)
{
	struct cbor_load_result loaded;
	struct wq_err err = { 0 };
	if (len > 64)
		return;
	for (size_t i = 0; i < len; i++) /* heads of 4 and 8 bytes */
		if ((bytes[i] >> 5) >= 2 && (bytes[i] >> 5) <= 5 && (bytes[i] & 0x1e) == 0x1a)
			return;
	cbor_item_t *item = cbor_load(bytes, len, &loaded);
	if (!item)
		return;
	if (wq_cbor_check(bytes, len, NULL, NULL, &err) < 0)
		MUST(strcmp(err.name, "indefinite") == 0 || strstr(err.text, "UTF-8"));
	cbor_decref(&item);
}

static bool same(const struct wq_bytes *a, const struct wq_bytes *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->ptr, b->ptr, a->len) == 0);
}

static void try_request(const uint8_t *bytes, size_t len)
{
	struct request req, back;
	struct wq_err err = { 0 };
	struct buf b = { 0 };
	int head = request_decode_envelope(bytes, len, &req, &err);
	int rc = request_decode(bytes, len, &req, &err);
	MUST(head == 0 || rc < 0);
	if (rc < 0) {
		MUST(err.name[0] && err.text[0] && err.code == rc);
		return;
	}
	MUST(request_encode(&req, &b, &err) == 0);
	MUST(request_decode(b.data, b.len, &back, &err) == 0);
	MUST(strcmp(req.key, back.key) == 0 && strcmp(req.label, back.label) == 0);
	MUST(req.run_limit_ns == back.run_limit_ns);
	MUST(strcmp(req.task_manager, back.task_manager) == 0);
	MUST(same(&req.payload, &back.payload) && back.has_check);
	MUST(codec_kind(bytes, len) == 0);
	buf_fini(&b);
}

static void try_result(const uint8_t *bytes, size_t len)
{
	struct result res, back;
	struct wq_err err = { 0 };
	struct buf b = { 0 }, again = { 0 };
	int rc = result_decode(bytes, len, &res, &err);
	if (rc < 0) {
		MUST(err.name[0] && err.text[0] && err.code == rc);
		return;
	}
	MUST(result_encode(&res, &b) == 0);
	MUST(result_decode(b.data, b.len, &back, &err) == 0);
	MUST(result_encode(&back, &again) == 0);
	MUST(b.len == again.len && memcmp(b.data, again.data, b.len) == 0);
	MUST(same(&res.payload, &back.payload));
	MUST(codec_kind(bytes, len) == 1);
	buf_fini(&b);
	buf_fini(&again);
}

/*
 * A fuzzer does not guess checksums: the same bytes as a result and as a status page that are
 * sealed, by way of writing the seal here.
 */
static void try_sealed(const uint8_t *bytes, size_t len)
{
	struct buf b = { 0 };
	struct status_page page, back;
	MUST(buf_add(&b, bytes, len) == 0);
	uint32_t crc = 0xffffffff;
	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	crc = ~crc;
	const uint8_t check[] = { 0x44, (uint8_t)(crc >> 24), (uint8_t)(crc >> 16),
		(uint8_t)(crc >> 8), (uint8_t)crc };
	MUST(buf_add(&b, check, sizeof check) == 0);
	try_request(b.data, b.len);
	try_result(b.data, b.len);
	if (status_page_decode(b.data, b.len, &page, NULL) == 0) {
		buf_clear(&b);
		MUST(status_page_encode(&page, &b) == 0);
		MUST(status_page_decode(b.data, b.len, &back, NULL) == 0);
		MUST(strcmp(page.reason, back.reason) == 0 && page.pid == back.pid);
	}
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	compare_with_libcbor(bytes, len);
	compare_with_check(bytes, len);
	try_request(bytes, len);
	try_result(bytes, len);
	if (len <= 8192)
		try_sealed(bytes, len);
	return 0;
}

#ifdef REPLAY
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct buf b = { 0 };
		uint8_t block[4096];
		size_t n;
		FILE *f = fopen(argv[i], "rb");
		if (!f) {
			perror(argv[i]);
			return 1;
		}
		while ((n = fread(block, 1, sizeof block, f)) > 0)
			MUST(buf_add(&b, block, n) == 0);
		fclose(f);
		LLVMFuzzerTestOneInput(b.data, b.len);
		buf_fini(&b);
	}
	printf("%d passed, 0 failed\n", argc - 1);
	return 0;
}
#endif
