/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/value.h"

#include "base/quantity.h"
#include "config/options.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct block {
	struct block *next;
	max_align_t data[];
};

void blocks_free(struct block *chain)
{
	while (chain) {
		struct block *next = chain->next;
		free(chain);
		chain = next;
	}
}

void *block_add(struct block **chain, size_t size)
{
	struct block *b = calloc(1, sizeof *b + size);
	if (!b)
		return NULL;
	b->next = *chain;
	*chain = b;
	return b->data;
}

static char *block_text(struct block **chain, const char *text, size_t len)
{
	char *copy = block_add(chain, len + 1);
	if (copy)
		memcpy(copy, text, len);
	return copy;
}

char *path_absolute(const char *path, const char *base_dir, struct block **chain)
{
	if (path[0] == '/')
		return block_text(chain, path, strlen(path));
	while (path[0] == '.' && path[1] == '/')
		for (path++; *path == '/';)
			path++;
	size_t dir_len = strlen(base_dir), size = dir_len + strlen(path) + 2;
	char *whole = block_add(chain, size);
	if (whole)
		snprintf(whole, size, "%s%s%s", base_dir,
			dir_len > 0 && base_dir[dir_len - 1] == '/' ? "" : "/", path);
	return whole;
}

int value_choices(
	const struct wq_option *o, struct block **chain, const char *ret[VALUE_CHOICES_MAX])
{
	char *words = block_text(chain, o->choices, strlen(o->choices)), *rest = words;
	if (!words)
		return -ENOMEM;
	int n = 0;
	while (n < VALUE_CHOICES_MAX && (ret[n] = strsep(&rest, "|")))
		n++;
	return n;
}

static bool in_bounds(const struct wq_option *o, int64_t i)
{
	return (o->min == 0 && o->max == 0) || (i >= o->min && i <= o->max);
}

/* ---- one type each: 0, -EINVAL, -ERANGE, -ENOMEM ----------------------------------- */

static int parse_bool(const char *text, struct wq_value *ret)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };
	for (int i = 0; i < 6; i++)
		if (strcmp(text, words[i]) == 0) {
			ret->u.i = i % 2;
			return 0;
		}
	return -EINVAL;
}

static int parse_int(const char *text, struct wq_value *ret)
{
	const char *digits = text + (text[0] == '-');
	if (digits[0] == '\0' || digits[strspn(digits, "0123456789")] != '\0')
		return -EINVAL;
	errno = 0;
	long long i = strtoll(text, NULL, 10);
	if (errno != 0)
		return -errno;
	ret->u.i = i;
	return 0;
}

static int parse_float(const char *text, struct wq_value *ret)
{
	if (text[0] == '\0' || text[strspn(text, "0123456789+-.eE")] != '\0')
		return -EINVAL;
	locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!plain)
		return -ENOMEM;
	char *end;
	ret->u.f = strtod_l(text, &end, plain);
	freelocale(plain);
	if (*end != '\0')
		return -EINVAL;
	return isfinite(ret->u.f) ? 0 : -ERANGE;
}

static int parse_choice(
	const struct wq_option *o, const char *text, struct block **chain, struct wq_value *ret)
{
	const char *words[VALUE_CHOICES_MAX];
	int n = value_choices(o, chain, words);
	for (int i = 0; i < n; i++)
		if (strcmp(text, words[i]) == 0) {
			ret->u.s = words[i];
			ret->n = (size_t)i;
			return 0;
		}
	return n < 0 ? n : -EINVAL;
}

static int parse_path(
	const char *text, const char *base_dir, struct block **chain, struct wq_value *ret)
{
	if (text[0] == '\0')
		return -EINVAL;
	ret->u.s = path_absolute(text, base_dir, chain);
	if (!ret->u.s)
		return -ENOMEM;
	ret->n = strlen(ret->u.s);
	return ret->n < PATH_MAX ? 0 : -ERANGE;
}

static int parse_list(const char *text, struct block **chain, struct wq_value *ret)
{
	char *copy = block_text(chain, text, strlen(text));
	size_t n = 1;
	for (const char *p = text; *p; p++)
		n += *p == ',';
	const char **list = copy ? block_add(chain, (n + 1) * sizeof *list) : NULL;
	if (!list)
		return -ENOMEM;
	ret->u.list = list;
	if (text[strspn(text, " \t\n")] == '\0')
		return 0;
	for (char *rest = copy, *entry; (entry = strsep(&rest, ","));) {
		entry += strspn(entry, " \t\n");
		size_t len = strlen(entry);
		while (len > 0 && strchr(" \t\n", entry[len - 1]))
			entry[--len] = '\0';
		if (len == 0)
			return -EINVAL;
		list[ret->n++] = entry;
	}
	return 0;
}

static int parse_typed(const struct wq_option *o, const char *text, const char *base_dir,
	struct block **chain, struct wq_value *ret)
{
	switch (o->type) {
	case WQ_T_BOOL:
		return parse_bool(text, ret);
	case WQ_T_INT:
		return parse_int(text, ret);
	case WQ_T_FLOAT:
		return parse_float(text, ret);
	case WQ_T_STRING:
		ret->n = strlen(text);
		ret->u.s = block_text(chain, text, ret->n);
		return ret->u.s ? 0 : -ENOMEM;
	case WQ_T_CHOICE:
		return parse_choice(o, text, chain, ret);
	case WQ_T_PATH:
		return parse_path(text, base_dir, chain, ret);
	case WQ_T_DURATION:
		return quantity_parse_duration(text, &ret->u.i);
	case WQ_T_SIZE:
		return quantity_parse_size(text, &ret->u.i);
	case WQ_T_LIST:
		return parse_list(text, chain, ret);
	default:
		return -EINVAL;
	}
}

/* What a number without its unit, or with a wrong one, needs to hear. */
static const char *form_of(uint32_t type)
{
	switch (type) {
	case WQ_T_DURATION:
		return ", with its unit (ns us ms s m h d)";
	case WQ_T_SIZE:
		return ", in bytes or with K, M, G or T";
	case WQ_T_BOOL:
		return " (or yes, no, on, off)";
	case WQ_T_LIST:
		return ", without empty entries";
	case WQ_T_PATH:
		return " and not empty";
	default:
		return "";
	}
}

int value_parse(const struct wq_option *o, const char *text, const char *base_dir,
	struct block **chain, struct wq_value *ret, char *why, size_t why_size)
{
	struct wq_value value = { .type = o->type };
	int rc = parse_typed(o, text, base_dir, chain, &value);
	if (rc == -ENOMEM)
		return rc;
	bool numeric = o->type == WQ_T_INT || o->type == WQ_T_DURATION || o->type == WQ_T_SIZE;
	if (rc == 0 && numeric && !in_bounds(o, value.u.i))
		rc = -ERANGE;
	if (rc < 0) {
		char rule[256];
		options_rule(o, rule, sizeof rule);
		snprintf(
			why, why_size, "must be %s%s", rule, rc == -EINVAL ? form_of(o->type) : "");
		return -EINVAL;
	}
	*ret = value;
	return 0;
}
