/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * digest: the digest of a file, by any algorithm that libcrypto knows.
 */
#include "args.h"
#include "file.h"
#include "standard.h"

#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <wq/plugin-util.h>

enum {
	ALGORITHM_SIZE = 64
};

struct args {
	char path[PATH_MAX];
	char algorithm[ALGORITHM_SIZE];
};

static int32_t parse(struct wq_bytes request, struct args *ret, struct wq_err *err)
{
	static const char *const known[] = { "path", "algorithm", NULL };
	int32_t rc = args_check_keys(request, known, err);
	if (rc == WQ_OK)
		rc = args_path(request, "path", ret->path, err);
	(void)snprintf(ret->algorithm, sizeof(ret->algorithm), "sha256");
	if (rc == WQ_OK)
		rc = args_text(request, "algorithm", ret->algorithm, sizeof(ret->algorithm), err);
	return rc;
}

/* A context ready for input.  WQ_OK or WQ_CALL_REJECTED. */
static int32_t begin(const char *algorithm, EVP_MD_CTX **ret, struct wq_err *err)
{
	char shown[ARGS_SHOWN_SIZE];
	EVP_MD *md = EVP_MD_fetch(NULL, algorithm, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int good = md && ctx && EVP_MD_get_size(md) > 0 && EVP_DigestInit_ex(ctx, md, NULL) == 1;
	EVP_MD_free(md); /* the context holds it */
	if (good) {
		*ret = ctx;
		return WQ_OK;
	}
	EVP_MD_CTX_free(ctx);
	return wq_fail(err, WQ_CALL_REJECTED, "unknown-algorithm",
		"libcrypto knows no digest '%s'; common ones are sha256, sha512, sha3-256, "
		"blake2b512, sha1, md5",
		args_show(algorithm, shown));
}

int32_t digest_check(struct wq_bytes request, struct wq_err *err)
{
	struct args args;
	EVP_MD_CTX *ctx = NULL;
	int32_t rc = parse(request, &args, err);
	if (rc == WQ_OK)
		rc = begin(args.algorithm, &ctx, err);
	EVP_MD_CTX_free(ctx);
	return rc;
}

/* Read all of it.  WQ_OK, WQ_CALL_CANCELLED or WQ_CALL_FAILED. */
static int32_t feed(
	EVP_MD_CTX *ctx, int fd, const char *path, struct file_meter *meter, struct wq_err *err)
{
	unsigned char *buf = malloc(FILE_CHUNK);
	int32_t rc = buf ? WQ_OK : -ENOMEM;
	while (rc == WQ_OK) {
		int64_t n = file_read(fd, buf, FILE_CHUNK);
		if (n == 0)
			break;
		if (n < 0)
			rc = file_fail(err, "unreadable", "cannot read", path, (int)-n);
		else if (wq_call_cancelled(meter->call))
			rc = WQ_CALL_CANCELLED;
		else if (EVP_DigestUpdate(ctx, buf, (size_t)n) != 1)
			rc = wq_fail(err, WQ_CALL_FAILED, "libcrypto", "libcrypto failed");
		else
			file_meter_add(meter, n);
	}
	free(buf);
	return rc;
}

static int32_t put_result(
	const struct args *args, EVP_MD_CTX *ctx, int64_t bytes, int64_t ns, struct wq_reply *reply)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char md[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	if (EVP_DigestFinal_ex(ctx, md, &len) != 1)
		return wq_fail(&reply->error, WQ_CALL_FAILED, "libcrypto", "libcrypto failed");
	for (unsigned int i = 0; i < len; i++) {
		hex[2 * i] = digits[md[i] >> 4];
		hex[2 * i + 1] = digits[md[i] & 0xf];
	}
	struct wq_cbor_out *out = reply->result;
	wq_cbor_put_map(out, 5);
	wq_cbor_put_text(out, "path");
	wq_cbor_put_text(out, args->path);
	wq_cbor_put_text(out, "algorithm");
	wq_cbor_put_text(out, args->algorithm);
	wq_cbor_put_text(out, "digest");
	wq_cbor_put_text_n(out, hex, 2 * (size_t)len);
	wq_cbor_put_text(out, "bytes");
	wq_cbor_put_int(out, bytes);
	wq_cbor_put_text(out, "ns");
	wq_cbor_put_int(out, ns);
	return WQ_OK;
}

int32_t digest_run(const struct wq_call *call, struct wq_reply *reply)
{
	struct args args;
	struct stat st;
	EVP_MD_CTX *ctx = NULL;
	int fd = -1;
	int64_t start = file_clock_ns();
	int32_t rc = parse(call->request, &args, &reply->error);
	if (rc == WQ_OK)
		rc = begin(args.algorithm, &ctx, &reply->error);
	if (rc == WQ_OK)
		rc = file_open(args.path, &fd, &st, &reply->error);
	if (rc == WQ_OK) {
		struct file_meter meter = { .call = call, .total = st.st_size };
		rc = feed(ctx, fd, args.path, &meter, &reply->error);
		(void)close(fd);
		if (rc == WQ_OK)
			rc = put_result(&args, ctx, meter.done, file_clock_ns() - start, reply);
	}
	EVP_MD_CTX_free(ctx);
	return rc;
}
