/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/parse.h"

#include "base/err.h"
#include "base/suggest.h"
#include "config/config.h"

#include <confuse.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

/*
 * libconfuse stops at the first name that is not in its schema, and it keeps only the last of two
 * equal keys.  So the schema learns: each name that it lacked is added and the text is parsed
 * again, until nothing new turns up.  Every value passes on_value, which collects all there are.
 */
enum scope {
	SCOPE_TOP,
	SCOPE_TM,
	SCOPE_OPTIONS,
	SCOPE_NONE
};
enum shape {
	SHAPE_VALUE,
	SHAPE_SECTION,
	SHAPE_TITLED
};

struct learned {
	enum scope scope;
	enum shape shape;
	char *name;
	char *section; /* the task manager in which it was met first; NULL outside */
	int line;
	bool collected;
};

struct parser {
	const char *file;
	struct problems *problems;
	struct parsed *out;
	struct learned learned[PARSE_NAMES_MAX];
	size_t n_learned;
	const cfg_t *open; /* the task manager that is being read */
	bool again;        /* something was learned in this round */
	bool stopped;      /* a problem was told, or what is learned will tell it */
	int rc;            /* -ENOMEM, or 0 */
};

/* libconfuse gives its callbacks no argument of ours. */
static struct parser *current;

void settings_fini(struct settings *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->items[i].key);
		free(s->items[i].value);
	}
	free(s->items);
	*s = (struct settings){ 0 };
}

void parsed_fini(struct parsed *p)
{
	settings_fini(&p->top);
	for (size_t i = 0; i < p->n_sections; i++) {
		settings_fini(&p->sections[i].own);
		settings_fini(&p->sections[i].options);
		free(p->sections[i].name);
	}
	free(p->sections);
	*p = (struct parsed){ 0 };
}

static int fail(struct parser *ps, int rc)
{
	ps->rc = rc;
	return -1;
}

static int settings_add(struct settings *s, const char *key, const char *value, int line)
{
	struct setting *items = reallocarray(s->items, s->n + 1, sizeof *items);
	if (!items)
		return -ENOMEM;
	s->items = items;
	struct setting new = { .key = strdup(key), .value = strdup(value), .line = line };
	if (!new.key || !new.value) {
		free(new.key);
		free(new.value);
		return -ENOMEM;
	}
	s->items[s->n++] = new;
	return 0;
}

static void tell(struct parser *ps, int line, cfg_t *cfg, const char *rule)
{
	char where[PROBLEMS_VALUE_MAX + 32];
	const char *section = cfg ? cfg_title(cfg) : NULL;
	bool options =
		cfg && (cfg->flags & CFGF_KEYSTRVAL) && strcmp(cfg_name(cfg), "options") == 0;
	if (options && ps->out->n_sections > 0)
		section = ps->out->sections[ps->out->n_sections - 1].name;
	snprintf(where, sizeof where, "task-manager '%s'%s", section ? section : "",
		options ? " options" : "");
	problems_add(ps->problems,
		&(struct problem_at){
			.file = ps->file, .line = line, .section = section ? where : NULL },
		"%s", rule);
	ps->stopped = true;
}

/* ---- what libconfuse calls --------------------------------------------------------- */

static enum scope scope_of(cfg_t *cfg)
{
	if (cfg->flags & CFGF_KEYSTRVAL)
		return SCOPE_NONE;
	return cfg_title(cfg) ? SCOPE_TM : SCOPE_TOP;
}

static struct learned *find(struct parser *ps, enum scope scope, const char *name)
{
	for (size_t i = 0; i < ps->n_learned; i++)
		if (ps->learned[i].scope == scope && strcmp(ps->learned[i].name, name) == 0)
			return &ps->learned[i];
	return NULL;
}

static void learn(struct parser *ps, enum scope scope, const char *name, cfg_t *cfg)
{
	if (ps->n_learned == PARSE_NAMES_MAX) {
		if (!ps->stopped)
			tell(ps, cfg->line, cfg, "too many different keys in this file");
		return;
	}
	struct learned new = { .scope = scope, .name = strdup(name), .line = cfg->line };
	if (cfg_title(cfg))
		new.section = strdup(cfg_title(cfg));
	if (!new.name || (cfg_title(cfg) && !new.section)) {
		free(new.name);
		free(new.section);
		ps->rc = -ENOMEM;
		return;
	}
	ps->learned[ps->n_learned++] = new;
	ps->again = true;
}

/* What fails here is seen at the next value: libconfuse aborts when a default is refused. */
static void begin_section(struct parser *ps, cfg_t *cfg)
{
	struct parsed *out = ps->out;
	ps->open = cfg;
	if (out->n_sections == CONFIG_TMS_MAX) {
		tell(ps, cfg->line, NULL, "too many task managers in this file");
		return;
	}
	struct parsed_section *sections =
		reallocarray(out->sections, out->n_sections + 1, sizeof *sections);
	if (sections)
		out->sections = sections;
	struct parsed_section new = { .name = strdup(cfg_title(cfg)), .line = cfg->line };
	if (sections && new.name) {
		out->sections[out->n_sections++] = new;
		return;
	}
	free(new.name);
	ps->rc = -ENOMEM;
}

static int end_section(cfg_t *cfg, cfg_opt_t *opt)
{
	(void)cfg, (void)opt;
	current->open = NULL;
	return current->stopped || current->rc < 0 ? -1 : 0;
}

static int collect(struct parser *ps, cfg_t *cfg, cfg_opt_t *opt, const char *value)
{
	enum scope scope = scope_of(cfg);
	struct learned *l = find(ps, scope == SCOPE_NONE ? SCOPE_OPTIONS : scope, opt->name);
	if (l)
		l->collected = true;
	/* An unknown key with a list: one of its values will do to tell it. */
	if ((opt->flags & CFGF_LIST) && cfg_opt_size(opt) > 1)
		return 0;
	struct settings *to = &ps->out->top;
	if (scope != SCOPE_TOP) {
		struct parsed_section *section = &ps->out->sections[ps->out->n_sections - 1];
		to = scope == SCOPE_TM ? &section->own : &section->options;
	}
	return settings_add(to, opt->name, value, cfg->line) < 0 ? fail(ps, -ENOMEM) : 0;
}

/* A value was read.  The first of a section is its parsed default: it begins. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct parser *ps = current;
	*(const char **)result = value;
	if (scope_of(cfg) == SCOPE_TM && ps->open != cfg)
		begin_section(ps, cfg);
	else if (ps->stopped || ps->rc < 0)
		return -1;
	else
		return collect(ps, cfg, opt, value);
	return 0;
}

/* `options` was read: what came without on_value is to be learned. */
static int on_options(cfg_t *cfg, cfg_opt_t *opt)
{
	struct parser *ps = current;
	if (ps->stopped || ps->rc < 0)
		return -1;
	cfg_t *section = cfg_opt_getnsec(opt, 0);
	struct parsed_section *out = &ps->out->sections[ps->out->n_sections - 1];
	for (unsigned i = 0; i < cfg_num(section) && !ps->rc; i++) {
		cfg_opt_t *o = cfg_getnopt(section, i);
		if (o->parsecb)
			continue;
		/* A name that libconfuse never finds again, such as "a|b", is taken as it is. */
		if (!find(ps, SCOPE_OPTIONS, o->name))
			learn(ps, SCOPE_OPTIONS, o->name, cfg);
		else if (settings_add(&out->options, o->name, cfg_opt_getstr(o), 0) < 0)
			ps->rc = -ENOMEM;
	}
	return ps->rc;
}

/* Values turned out to be a section, with or without a title: parse again with that. */
static void reshape(struct parser *ps, struct learned *l, enum shape from)
{
	if (l->shape == from && from != SHAPE_TITLED) {
		l->shape = from + 1;
		ps->again = true;
	}
	/* Else nothing that libconfuse says of an unknown name helps: it is told as unknown. */
	ps->stopped = !ps->again;
}

__attribute__((format(printf, 2, 0))) static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	struct parser *ps = current;
	if (ps->again || ps->stopped || ps->rc < 0)
		return;
	bool missing = strcmp(fmt, "no such option '%s'") == 0;
	bool no_equal = strcmp(fmt, "missing equal sign after option '%s'") == 0;
	bool no_brace = strcmp(fmt, "missing opening brace for section '%s'") == 0;
	bool no_title = strcmp(fmt, "missing title for section '%s'") == 0;
	/* 3.3 says this of each key of a section that takes any. */
	if ((cfg->flags & CFGF_KEYSTRVAL) && (missing || strncmp(fmt, "no sub-section", 14) == 0))
		return;
	if (missing || no_equal || no_brace || no_title) {
		enum shape shape = no_title ? SHAPE_TITLED : no_brace ? SHAPE_SECTION : SHAPE_VALUE;
		va_list copy;
		va_copy(copy, ap);
		const char *name = va_arg(copy, const char *);
		struct learned *l = find(ps, scope_of(cfg), name);
		if (l && !missing)
			reshape(ps, l, shape);
		else if (!l && missing)
			learn(ps, scope_of(cfg), name, cfg);
		va_end(copy);
		if (ps->again || ps->stopped || ps->rc < 0)
			return;
	}
	char text[256];
	vsnprintf(text, sizeof text, fmt, ap);
	bool list = strcmp(text, "unexpected token '{'") == 0;
	if (list)
		strcat(text, "; a list is one text, \"a, b, c\"");
	tell(ps, cfg->line, cfg, text);
}

/* ---- the schema -------------------------------------------------------------------- */

static cfg_opt_t value_opt(const char *name, cfg_flag_t flags)
{
	return (cfg_opt_t){
		.name = name, .type = CFGT_STR, .flags = CFGF_NODEFAULT | flags, .parsecb = on_value
	};
}

/* A table and what was learned for its place, with room for `more` and the end. */
static cfg_opt_t *make_opts(struct parser *ps, enum scope scope, const struct wq_option *table,
	size_t n_table, cfg_opt_t *nothing, const cfg_opt_t *more)
{
	cfg_opt_t *opts = calloc(n_table + ps->n_learned + 2, sizeof *opts);
	if (!opts)
		return NULL;
	size_t n = 0;
	for (size_t i = 0; i < n_table; i++)
		opts[n++] = value_opt(table[i].name, 0);
	for (size_t i = 0; i < ps->n_learned; i++) {
		const struct learned *l = &ps->learned[i];
		if (l->scope != scope)
			continue;
		opts[n] = value_opt(l->name, scope == SCOPE_OPTIONS ? 0 : CFGF_LIST);
		if (l->shape != SHAPE_VALUE)
			opts[n] = (cfg_opt_t){ .name = l->name,
				.type = CFGT_SEC,
				.subopts = nothing,
				.flags = CFGF_MULTI | CFGF_KEYSTRVAL |
					 (l->shape == SHAPE_TITLED ? CFGF_TITLE : 0) };
		n++;
	}
	if (more)
		opts[n] = *more;
	return opts;
}

/*
 * A failure inside a text leaves the lexer, one for the process, inside it.  This brings it back
 * from any state: the end of a comment, then a word; the end of a text of either kind.
 */
static void reset_lexer(void)
{
	cfg_opt_t none[] = { CFG_END() };
	cfg_t *cfg = cfg_init(none, CFGF_NONE);
	if (!cfg)
		return;
	bool stopped = current->stopped;
	current->stopped = true; /* it is no error of the file */
	cfg_set_error_function(cfg, on_error);
	(void)cfg_parse_buf(cfg, "*/ x \"'"); /* always fails */
	cfg_free(cfg);
	current->stopped = stopped;
}

static int parse_round(struct parser *ps, const char *text)
{
	/* A parsed default is the only thing that happens when a section begins. */
	static char begin[] = "begin";
	cfg_opt_t nothing[] = { CFG_END() };
	cfg_opt_t *in_options = make_opts(ps, SCOPE_OPTIONS, NULL, 0, nothing, NULL);
	cfg_opt_t options = { .name = "options",
		.type = CFGT_SEC,
		.subopts = in_options,
		.flags = CFGF_KEYSTRVAL,
		.validcb = on_options };
	cfg_opt_t *in_tm = in_options ? make_opts(ps, SCOPE_TM, config_tm_options,
						config_n_tm_options, nothing, &options)
				      : NULL;
	cfg_opt_t tm = { .name = "task-manager",
		.type = CFGT_SEC,
		.subopts = in_tm,
		.flags = CFGF_MULTI | CFGF_TITLE,
		.validcb = end_section };
	cfg_opt_t *top = in_tm ? make_opts(ps, SCOPE_TOP, config_top_options, config_n_top_options,
					 nothing, &tm)
			       : NULL;
	cfg_t *cfg = NULL;
	if (top) {
		in_tm[0].flags = CFGF_NONE;
		in_tm[0].def.parsed = begin;
		cfg = cfg_init(top, CFGF_NONE);
	}
	int rc = -ENOMEM;
	if (cfg) {
		cfg_set_error_function(cfg, on_error);
		rc = cfg_parse_buf(cfg, text) == CFG_SUCCESS ? 0 : -WQ_E_CONFIG;
		/* An empty name fails without a word. */
		if (rc < 0 && !ps->again && !ps->stopped && ps->rc == 0)
			tell(ps, cfg->line, NULL, "syntax error");
		cfg_free(cfg);
	}
	free(top);
	free(in_tm);
	free(in_options);
	return ps->rc < 0 ? ps->rc : rc;
}

/* ---- what was unknown -------------------------------------------------------------- */

static const char *nearest(const struct learned *l)
{
	const char *names[64];
	const struct wq_option *table =
		l->scope == SCOPE_TOP ? config_top_options : config_tm_options;
	size_t n_table = l->scope == SCOPE_TOP ? config_n_top_options : config_n_tm_options;
	size_t n = 0;
	for (; n < n_table && n < 63; n++)
		names[n] = table[n].name;
	names[n++] = l->scope == SCOPE_TOP ? "task-manager" : "options";
	return suggest_nearest(l->name, names, n);
}

static void tell_unknown(struct parser *ps, bool failed)
{
	for (size_t i = 0; i < ps->n_learned; i++) {
		const struct learned *l = &ps->learned[i];
		bool section = l->shape != SHAPE_VALUE;
		if (l->scope == SCOPE_OPTIONS || (!section && l->collected && !failed))
			continue;
		char where[PROBLEMS_VALUE_MAX + 32];
		snprintf(where, sizeof where, "task-manager '%s'", l->section ? l->section : "");
		problems_add(ps->problems,
			&(struct problem_at){ .file = ps->file,
				.line = l->line,
				.section = l->section ? where : NULL,
				.key = l->name,
				.near = nearest(l) },
			section ? "unknown section" : "unknown key");
		ps->out->n_unknown_sections += section && l->scope == SCOPE_TOP;
	}
}

static int parse_rounds(struct parser *ps, const char *text)
{
	for (int round = 0; round < PARSE_ROUNDS_MAX; round++) {
		parsed_fini(ps->out);
		ps->again = ps->stopped = false;
		ps->open = NULL;
		reset_lexer();
		int rc = parse_round(ps, text);
		if (rc == -ENOMEM || !ps->again || ps->stopped)
			return ps->stopped && rc == 0 ? -WQ_E_CONFIG : rc;
	}
	problems_add(ps->problems, &(struct problem_at){ .file = ps->file },
		"too many unknown names; the rest of the file was not looked at");
	return -WQ_E_CONFIG;
}

int parse_text(const char *text, const char *file, struct parsed *ret, struct problems *p)
{
	struct parsed out = { 0 };
	struct parser *ps = calloc(1, sizeof *ps);
	/* libconfuse translates its messages; here they are compared. */
	locale_t plain = ps ? newlocale(LC_ALL_MASK, "C", (locale_t)0) : (locale_t)0;
	if (!plain) {
		free(ps);
		return -ENOMEM;
	}
	*ps = (struct parser){ .file = file, .problems = p, .out = &out };
	locale_t before = uselocale(plain);
	current = ps;
	int rc = parse_rounds(ps, text);
	current = NULL;
	uselocale(before);
	freelocale(plain);

	if (rc != -ENOMEM)
		tell_unknown(ps, rc < 0);
	for (size_t i = 0; i < ps->n_learned; i++) {
		free(ps->learned[i].name);
		free(ps->learned[i].section);
	}
	free(ps);
	if (rc < 0)
		parsed_fini(&out);
	else
		*ret = out;
	return rc;
}
