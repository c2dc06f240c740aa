/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/payload.h"

#include "base/err.h"
#include "base/fdio.h"
#include "base/utf8.h"
#include "cli/json.h"

#include <wq/cbor.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int value_of(const char *text, json_t **ret, struct wq_err *err)
{
	struct wq_err why = { 0 };
	size_t len = strlen(text);
	int rc = len ? cli_json_read(text, len, ret, &why) : -WQ_E_FORMAT;
	/* A number too large for JSON here is no text that somebody meant. */
	if (rc == -WQ_E_LIMIT)
		return err_set(err, rc, "%s", why.text);
	if (rc == 0)
		return 0;
	/* Nor is what begins like more than a word: a brace or quote has been lost. */
	if (strchr("{[\"", *text) && len)
		return err_set(err, -WQ_E_FORMAT,
			"it begins with %c and is no JSON (%s); text that begins so is "
			"written as a JSON string, \"%s%c...\", or comes by --file",
			*text, why.text, *text == '"' ? "\\" : "", *text);
	if (!utf8_is_valid(text, len))
		return err_set(err, -WQ_E_FORMAT, "it is not UTF-8");
	*ret = json_stringn(text, len);
	return *ret ? 0 : err_set(err, -ENOMEM, "cannot keep it");
}

static int add_word(json_t *object, const char *word, struct wq_err *err)
{
	const char *equals = strchr(word, '=');
	if (!equals || equals == word)
		return err_set(err, -WQ_E_FORMAT, "'%s' is not key=value", word);
	size_t len = (size_t)(equals - word);
	if (!utf8_is_valid(word, len))
		return err_set(err, -WQ_E_FORMAT, "the key of '%s' is not UTF-8", word);
	if (json_object_getn(object, word, len))
		return err_set(err, -WQ_E_DUPLICATE, "'%.*s' is given twice", (int)len, word);
	json_t *value = NULL;
	int rc = value_of(equals + 1, &value, err);
	if (rc < 0) {
		err_prefix(err, "the value of '%.*s'", (int)len, word);
		return rc;
	}
	if (json_object_setn_new(object, word, len, value) < 0)
		return err_set(err, -ENOMEM, "cannot keep '%s'", word);
	return 0;
}

int payload_from_words(char *const *words, size_t n, struct wq_cbor_out *out, struct wq_err *err)
{
	json_t *object = json_object();
	int rc = object ? 0 : err_set(err, -ENOMEM, "cannot make the payload");
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_word(object, words[i], err);
	if (rc == 0)
		rc = cli_json_to_cbor(object, out, err);
	json_decref(object);
	return rc;
}

static int convert(const struct buf *bytes, bool cbor, struct wq_cbor_out *out, struct wq_err *err)
{
	json_t *value = NULL;
	if (cbor && bytes->len == 0)
		return err_set(err, -WQ_E_FORMAT, "there is no CBOR item in it");
	if (cbor) {
		wq_cbor_put_raw(out, bytes->data, bytes->len);
		return out->err ? err_set(err, out->err, "cannot keep it") : 0;
	}
	int rc = cli_json_read((const char *)bytes->data, bytes->len, &value, err);
	if (rc == 0)
		rc = cli_json_to_cbor(value, out, err);
	json_decref(value);
	return rc;
}

int payload_from_file(const char *path, bool cbor, struct wq_cbor_out *out, struct wq_err *err)
{
	bool standard = strcmp(path, "-") == 0;
	auto_close int opened = standard ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (!standard && opened < 0)
		return err_set(err, -errno, "cannot open '%s'", path);
	struct buf bytes = { 0 };
	int rc = fdio_read_all(standard ? STDIN_FILENO : opened, PAYLOAD_FILE_MAX, &bytes);
	if (rc == -EFBIG)
		rc = err_set(
			err, -WQ_E_LIMIT, "'%s' is larger than %d bytes", path, PAYLOAD_FILE_MAX);
	else if (rc < 0)
		rc = err_set(err, rc, "cannot read '%s'", path);
	else if ((rc = convert(&bytes, cbor, out, err)) < 0)
		err_prefix(err, "'%s'", path);
	buf_fini(&bytes);
	return rc;
}
