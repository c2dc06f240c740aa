/* SPDX-License-Identifier: BSD-2-Clause */
/* options_check_table, options_rule, options_print: what a table says without any setting. */
#include "config/options.h"

#include "base/err.h"
#include "base/name.h"
#include "base/quantity.h"
#include "config/value.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
	TABLE_MAX = 256
};

static char *format_bound(const struct wq_option *o, int64_t i, char ret[32])
{
	if (o->type == WQ_T_DURATION)
		return quantity_format_duration(i, ret);
	if (o->type == WQ_T_SIZE)
		return quantity_format_size(i, ret);
	snprintf(ret, 32, "%" PRId64, i);
	return ret;
}

static char *rule_of_number(const struct wq_option *o, const char *what, char *ret, size_t size)
{
	char min[32], max[32];
	/* Durations and sizes have no sign, so a bound of 0 says nothing. */
	bool has_min = o->min != INT64_MIN && (o->type == WQ_T_INT || o->min > 0);
	bool has_max = o->max != INT64_MAX;
	format_bound(o, o->min, min);
	format_bound(o, o->max, max);
	if ((o->min == 0 && o->max == 0) || (!has_min && !has_max))
		snprintf(ret, size, "a %s", what);
	else if (has_min && has_max)
		snprintf(ret, size, "a %s of %s to %s", what, min, max);
	else if (has_min)
		snprintf(ret, size, "a %s of %s or more", what, min);
	else
		snprintf(ret, size, "a %s of at most %s", what, max);
	return ret;
}

/* "'none'", "one of 'recover', 'wipe'" */
static char *rule_of_choice(const struct wq_option *o, char *ret, size_t size)
{
	size_t used = 0;
	if (strchr(o->choices, '|'))
		used = (size_t)snprintf(ret, size, "one of ");
	for (const char *p = o->choices;; p++) {
		size_t len = strcspn(p, "|");
		if (used + len + 5 > size)
			break;
		used += (size_t)snprintf(
			ret + used, size - used, "'%.*s'%s", (int)len, p, p[len] ? ", " : "");
		p += len;
		if (!*p)
			break;
	}
	return ret;
}

char *options_rule(const struct wq_option *o, char *ret, size_t size)
{
	static const char *const plain[] = {
		[WQ_T_BOOL] = "true or false",
		[WQ_T_FLOAT] = "a decimal number",
		[WQ_T_STRING] = "a text",
		[WQ_T_PATH] = "a path",
		[WQ_T_LIST] = "a list, \"a, b, c\"",
	};
	switch (o->type) {
	case WQ_T_INT:
		return rule_of_number(o, "number", ret, size);
	case WQ_T_DURATION:
		return rule_of_number(o, "duration", ret, size);
	case WQ_T_SIZE:
		return rule_of_number(o, "size", ret, size);
	case WQ_T_CHOICE:
		return rule_of_choice(o, ret, size);
	default:
		snprintf(ret, size, "%s",
			o->type >= WQ_T_BOOL && o->type <= WQ_T_LIST ? plain[o->type]
								     : "of a known type");
		return ret;
	}
}

void options_print(const struct wq_option *table, size_t n, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct wq_option *o = &table[i];
		char rule[256];
		fprintf(out, "%s%s: %s", i > 0 ? "\n" : "", o->name,
			options_rule(o, rule, sizeof rule));
		if (o->flags & WQ_OPT_REQUIRED)
			fprintf(out, "; required");
		else if (o->def)
			fprintf(out, "; default '%s'", o->flags & WQ_OPT_SECRET ? "***" : o->def);
		if (o->flags & WQ_OPT_SECRET)
			fprintf(out, "; secret");
		fprintf(out, "\n    %s\n", o->help);
	}
}

/* ---- is a table sound? ------------------------------------------------------------- */

static const char *fault_of_choices(const char *choices)
{
	int n = 1;
	for (const char *p = choices; *p; p++)
		n += *p == '|';
	if (n > VALUE_CHOICES_MAX)
		return "has too many choices";
	size_t len = strlen(choices);
	if (len == 0 || choices[0] == '|' || choices[len - 1] == '|' || strstr(choices, "||"))
		return "has an empty choice";
	return NULL;
}

static const char *fault_of_bounds(const struct wq_option *o)
{
	bool numeric = o->type == WQ_T_INT || o->type == WQ_T_DURATION || o->type == WQ_T_SIZE;
	if (!numeric && (o->min != 0 || o->max != 0))
		return "has bounds but is no number, duration or size";
	if (o->min > o->max)
		return "has a lower bound above the upper one";
	return NULL;
}

static const char *fault_of(const struct wq_option *o)
{
	if (o->type < WQ_T_BOOL || o->type > WQ_T_LIST)
		return "has an unknown type";
	if (o->flags & ~(uint32_t)(WQ_OPT_REQUIRED | WQ_OPT_SECRET))
		return "has an unknown flag";
	if (!o->help || !o->help[0])
		return "has no help text";
	if ((o->type == WQ_T_CHOICE) != (o->choices != NULL))
		return o->choices ? "has choices but is no choice" : "is a choice without choices";
	const char *fault = o->choices ? fault_of_choices(o->choices) : NULL;
	if (fault)
		return fault;
	if ((o->flags & WQ_OPT_REQUIRED) && o->def)
		return "is required and has a default";
	return fault_of_bounds(o);
}

static int check_default(const struct wq_option *o, struct wq_err *err)
{
	struct block *chain = NULL;
	struct wq_value value;
	char why[400];
	int rc = o->def ? value_parse(o, o->def, "/", &chain, &value, why, sizeof why) : 0;
	blocks_free(chain);
	if (rc == -EINVAL)
		return err_set(err, -WQ_E_FORMAT, "option '%s': its default '%s' %s", o->name,
			o->flags & WQ_OPT_SECRET ? "***" : o->def, why);
	return rc < 0 ? err_set(err, rc, "option '%s'", o->name) : 0;
}

int options_check_table(const struct wq_option *table, size_t n, struct wq_err *err)
{
	if (n > TABLE_MAX)
		return err_set(err, -WQ_E_FORMAT, "%zu options, more than %d", n, TABLE_MAX);
	if (n > 0 && !table)
		return err_set(err, -WQ_E_FORMAT, "%zu options but no table", n);
	for (size_t i = 0; i < n; i++) {
		const struct wq_option *o = &table[i];
		if (!o->name || !name_is_valid(o->name, strlen(o->name), NAME_LONG_MAX))
			return err_set(err, -WQ_E_FORMAT,
				"option %zu: its name '%.64s' is not of the form [a-z][a-z0-9-]*, "
				"at most %d bytes",
				i, o->name ? o->name : "", NAME_LONG_MAX);
		const char *fault = fault_of(o);
		if (fault)
			return err_set(err, -WQ_E_FORMAT, "option '%s' %s", o->name, fault);
		for (size_t k = 0; k < i; k++)
			if (strcmp(table[k].name, o->name) == 0)
				return err_set(err, -WQ_E_DUPLICATE, "option '%s' is there twice",
					o->name);
		int rc = check_default(o, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
