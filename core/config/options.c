/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/options.h"

#include "base/err.h"
#include "base/suggest.h"
#include "config/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char hidden[] = "***";

struct check {
	const struct wq_option *table;
	size_t n_table;
	const char *base_dir;
	const struct problem_at *at;
	struct problems *problems;
	struct option_values *out;
	bool wrong;
};

static void tell(
	struct check *c, const struct setting *s, bool secret, const char *near, const char *rule)
{
	struct problem_at at = *c->at;
	at.line = s->line;
	at.key = s->key;
	at.value = secret ? hidden : s->value;
	at.near = near;
	problems_add(c->problems, &at, "%s", rule);
	c->wrong = true;
}

static ptrdiff_t find(const struct wq_option *table, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].name, key) == 0)
			return (ptrdiff_t)i;
	return -1;
}

/* A misspelt key may be that of a secret, so none of its neighbours' values is shown. */
static void tell_unknown(struct check *c, const struct setting *s)
{
	const char *names[256] = { NULL };
	size_t n = c->n_table < 256 ? c->n_table : 256;
	bool secret = false;
	for (size_t i = 0; i < c->n_table; i++)
		secret |= (c->table[i].flags & WQ_OPT_SECRET) != 0;
	for (size_t i = 0; i < n; i++)
		names[i] = c->table[i].name;
	tell(c, s, secret, suggest_nearest(s->key, names, n), "unknown key");
}

static bool is_secret(const struct wq_option *o)
{
	return (o->flags & WQ_OPT_SECRET) != 0;
}

static const char *nearest_choice(const struct wq_option *o, const char *text, struct block **chain)
{
	const char *words[VALUE_CHOICES_MAX];
	int n = o->type == WQ_T_CHOICE ? value_choices(o, chain, words) : 0;
	return n > 0 ? suggest_nearest(text, words, (size_t)n) : NULL;
}

static int check_setting(struct check *c, const struct setting *s, const struct setting **first,
	struct block **chain)
{
	ptrdiff_t at = find(c->table, c->n_table, s->key);
	if (at < 0) {
		tell_unknown(c, s);
		return 0;
	}
	const struct wq_option *o = &c->table[at];
	if (first[at]) {
		char rule[64];
		snprintf(rule, sizeof rule, "given twice, first in line %d", first[at]->line);
		tell(c, s, is_secret(o), NULL, first[at]->line > 0 ? rule : "given twice");
		return 0;
	}
	first[at] = s;
	char why[400];
	struct wq_value value;
	int rc = value_parse(o, s->value, c->base_dir, chain, &value, why, sizeof why);
	if (rc == -EINVAL) {
		tell(c, s, is_secret(o), nearest_choice(o, s->value, chain), why);
		return 0;
	}
	if (rc < 0)
		return rc;
	value.is_set = 1;
	c->out->values[at] = value;
	return 0;
}

static int fill_rest(struct check *c, const struct setting **first, struct block **chain)
{
	for (size_t i = 0; i < c->n_table; i++) {
		const struct wq_option *o = &c->table[i];
		if (first[i])
			continue;
		c->out->values[i].type = o->type;
		if (o->flags & WQ_OPT_REQUIRED) {
			struct problem_at at = *c->at;
			at.key = o->name;
			problems_add(c->problems, &at, "is required");
			c->wrong = true;
		} else if (o->def) {
			char why[400];
			struct setting s = { .key = (char *)(uintptr_t)o->name,
				.value = (char *)(uintptr_t)o->def,
				.line = c->at->line };
			int rc = value_parse(
				o, o->def, c->base_dir, chain, &c->out->values[i], why, sizeof why);
			if (rc == -EINVAL)
				tell(c, &s, is_secret(o), NULL, why);
			else if (rc < 0)
				return rc;
		}
	}
	return 0;
}

int options_check(const struct wq_option *table, size_t n_table, const struct setting *settings,
	size_t n_settings, const char *base_dir, const struct problem_at *at, struct problems *p,
	struct option_values *ret)
{
	struct block *chain = NULL;
	struct option_values out = { .n = n_table };
	const struct setting **first = calloc(n_table + 1, sizeof *first);
	struct check c = { .table = table,
		.n_table = n_table,
		.base_dir = base_dir,
		.at = at,
		.problems = p,
		.out = &out };
	out.values = block_add(&chain, (n_table + 1) * sizeof *out.values);
	int rc = first && out.values ? 0 : -ENOMEM;
	for (size_t i = 0; rc == 0 && i < n_settings; i++)
		rc = check_setting(&c, &settings[i], first, &chain);
	if (rc == 0)
		rc = fill_rest(&c, first, &chain);
	if (rc == 0 && c.wrong)
		rc = -WQ_E_CONFIG;
	free(first);
	if (rc < 0) {
		blocks_free(chain);
		return rc;
	}
	out.memory = chain;
	*ret = out;
	return 0;
}

void options_fini(struct option_values *v)
{
	blocks_free(v->memory);
	*v = (struct option_values){ 0 };
}

void options_mark_secrets(
	const struct wq_option *table, size_t n_table, struct setting *settings, size_t n_settings)
{
	for (size_t i = 0; i < n_settings; i++) {
		ptrdiff_t at = find(table, n_table, settings[i].key);
		if (at >= 0)
			settings[i].secret = is_secret(&table[at]);
	}
}
