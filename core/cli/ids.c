/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/ids.h"

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/exit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "1511472984.123456-0k3v9q2m7t1dh", see wq-spool(7). */
enum {
	DOT_AT = 10,
	DASH_AT = 17,
	SUFFIX_AT = DASH_AT + 1,
	ID_LEN = WQ_ID_SIZE - 1
};

struct ids {
	struct buf bytes;
	char (*id)[WQ_ID_SIZE]; /* in these; in order, each once */
	size_t n;
};

void ids_free(struct ids *ids)
{
	if (!ids)
		return;
	buf_fini(&ids->bytes);
	free(ids);
}

/* ---- listing --------------------------------------------------------------------------------- */

static int add(void *arg, const struct wq_entry *entry)
{
	struct ids *ids = arg;
	return strlen(entry->id) == ID_LEN ? buf_add(&ids->bytes, entry->id, WQ_ID_SIZE) : 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* One that was collected between the two listings is in both. */
static void sort_unique(struct ids *ids)
{
	size_t n = 0, all = ids->bytes.len / WQ_ID_SIZE;
	ids->id = (void *)ids->bytes.data;
	if (all)
		qsort(ids->id, all, sizeof *ids->id, by_text);
	for (size_t i = 0; i < all; i++) {
		if (n > 0 && strcmp(ids->id[n - 1], ids->id[i]) == 0)
			continue;
		if (n != i)
			memcpy(ids->id[n], ids->id[i], sizeof *ids->id);
		n++;
	}
	ids->n = n;
}

/* The spool before the history, as requests move that way.  NULL with the reason said. */
static const struct ids *list(struct cli *cli)
{
	struct wq_err err = { 0 };
	if (cli->ids)
		return cli->ids;
	struct ids *ids = calloc(1, sizeof *ids);
	int rc = ids ? wq_list(cli->client, add, ids, &err) : -ENOMEM;
	if (rc == 0)
		rc = wq_list_finished(cli->client, add, ids, &err);
	if (rc < 0) {
		cli_say("%s", err.text[0] ? err.text : "no memory for the ids of the spool");
		ids_free(ids);
		return NULL;
	}
	sort_unique(ids);
	cli->ids = ids;
	return ids;
}

/* ---- which one ------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool fits_at(char c, size_t at)
{
	if (at == DOT_AT)
		return c == '.';
	if (at == DASH_AT)
		return c == '-';
	return is_digit(c) || (at >= SUFFIX_AT && c >= 'a' && c <= 'v');
}

/* Could it be the beginning of an id, written from its place `at` on? */
static bool could_begin(const char *given, size_t at)
{
	size_t len = strlen(given);
	if (len == 0 || len > ID_LEN - at)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!fits_at(given[i], at + i))
			return false;
	return true;
}

static bool is_meant(const char *id, const char *given, size_t len)
{
	return strncmp(id + SUFFIX_AT, given, len) == 0 || strncmp(id, given, len) == 0;
}

static int say_ambiguous(const char *given, const size_t *at, size_t n, const struct ids *ids)
{
	char names[IDS_NAMED_MAX * (WQ_ID_SIZE + 1)] = "";
	size_t len = 0, named = n < IDS_NAMED_MAX ? n : IDS_NAMED_MAX;
	for (size_t i = 0; i < named; i++)
		len += (size_t)snprintf(
			names + len, sizeof names - len, "%s%s", i ? ", " : "", ids->id[at[i]]);
	if (n > named)
		cli_say("'%s' is the beginning of several ids: %s and %zu more", given, names,
			n - named);
	else
		cli_say("'%s' is the beginning of several ids: %s", given, names);
	return EXIT_WQ;
}

static int find(struct cli *cli, const char *given, char ret[WQ_ID_SIZE])
{
	size_t at[IDS_NAMED_MAX], n = 0, len = strlen(given);
	const struct ids *ids = list(cli);
	if (!ids)
		return EXIT_WQ;
	/* The newest are named: they are meant more often. */
	for (size_t i = ids->n; i-- > 0;) {
		if (!is_meant(ids->id[i], given, len))
			continue;
		if (n < IDS_NAMED_MAX)
			at[n] = i;
		n++;
	}
	if (n == 0) {
		cli_say("no request in '%s', and none in its history, has an id that begins with "
			"'%s'",
			cli->spool, given);
		return EXIT_WQ;
	}
	if (n > 1)
		return say_ambiguous(given, at, n, ids);
	memcpy(ret, ids->id[at[0]], WQ_ID_SIZE);
	return 0;
}

static int find_newest(struct cli *cli, char ret[WQ_ID_SIZE])
{
	const struct ids *ids = list(cli);
	if (!ids)
		return EXIT_WQ;
	if (ids->n == 0) {
		cli_say("'@' is the newest request, and there is none in '%s' nor in its history",
			cli->spool);
		return EXIT_WQ;
	}
	memcpy(ret, ids->id[ids->n - 1], WQ_ID_SIZE);
	return 0;
}

int ids_resolve(struct cli *cli, const char *given, char ret[WQ_ID_SIZE])
{
	if (strcmp(given, "@") == 0)
		return find_newest(cli, ret);
	bool begins = could_begin(given, 0);
	if (begins && strlen(given) == ID_LEN) {
		memcpy(ret, given, WQ_ID_SIZE);
		return 0;
	}
	if (!begins && !could_begin(given, SUFFIX_AT)) {
		cli_say("'%s' is not an id, nor the beginning of one", given);
		return EXIT_WQ;
	}
	return find(cli, given, ret);
}

int ids_resolve_all(struct cli *cli, char *const *given, size_t n, char ***ret)
{
	/* The pointers, then what they point at. */
	char **pointers = calloc(n, sizeof *pointers + WQ_ID_SIZE);
	if (!pointers) {
		cli_say("no memory for %zu ids", n);
		return EXIT_WQ;
	}
	char *text = (char *)(pointers + n);
	for (size_t i = 0; i < n; i++) {
		pointers[i] = text + i * WQ_ID_SIZE;
		int status = ids_resolve(cli, given[i], pointers[i]);
		if (status) {
			free(pointers);
			return status;
		}
	}
	*ret = pointers;
	return 0;
}
