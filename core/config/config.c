/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"

#include "base/err.h"
#include "base/fdio.h"
#include "base/name.h"
#include "base/quantity.h"
#include "base/suggest.h"
#include "config/parse.h"
#include "config/schema.h"
#include "config/source.h"
#include "config/value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct reading {
	const char *name; /* of the file, for messages */
	const char *base_dir;
	struct parsed parsed;
	struct problems *problems;
	struct config *out;
};

void config_fini(struct config *c)
{
	for (size_t i = 0; i < c->n_tms; i++) {
		struct settings options = { c->tms[i].options, c->tms[i].n_options };
		settings_fini(&options);
		free(c->tms[i].name);
		free(c->tms[i].plugin);
		free(c->tms[i].keep_work);
		free(c->tms[i].on_crash);
	}
	for (char **p = c->plugin_path; p && *p; p++)
		free(*p);
	free(c->tms);
	free(c->plugin_path);
	free(c->file);
	free(c->base_dir);
	free(c->spool);
	free(c->default_task_manager);
	free(c->on_start);
	free(c->durability);
	free(c->log_level);
	*c = (struct config){ 0 };
}

static char *absolute(const char *path, const char *base_dir)
{
	struct block *chain = NULL;
	const char *whole = path_absolute(path, base_dir, &chain);
	char *copy = whole ? strdup(whole) : NULL;
	blocks_free(chain);
	return copy;
}

/* ---- the top level ----------------------------------------------------------------- */

static int take_plugin_path(struct reading *r, const struct wq_value *v)
{
	char **dirs = calloc(v->n + 1, sizeof *dirs);
	r->out->plugin_path = dirs;
	for (size_t i = 0; dirs && i < v->n; i++)
		if (!(dirs[i] = absolute(v->u.list[i], r->base_dir)))
			return -ENOMEM;
	return dirs ? 0 : -ENOMEM;
}

/* Of a setting that the schema has passed; NULL: it is at its default. */
static const struct setting *find_top(const struct reading *r, enum top_option option)
{
	const struct settings *top = &r->parsed.top;
	for (size_t i = 0; i < top->n; i++)
		if (strcmp(top->items[i].key, config_top_options[option].name) == 0)
			return &top->items[i];
	return NULL;
}

enum {
	PERCENT_MAX = 50
};

/* One of the list: "5%" or "1G". */
static bool take_amount(const char *text, struct config *c)
{
	char *end;
	bool digit = text[0] >= '0' && text[0] <= '9';
	unsigned long percent = digit ? strtoul(text, &end, 10) : 0;
	if (digit && strcmp(end, "%") == 0 && percent <= PERCENT_MAX && c->min_free_percent < 0) {
		c->min_free_percent = (int64_t)percent;
		return true;
	}
	return c->min_free_bytes < 0 && quantity_parse_size(text, &c->min_free_bytes) == 0;
}

static void take_min_free(struct reading *r, const struct wq_value *v)
{
	const struct setting *s = find_top(r, TOP_MIN_FREE);
	r->out->min_free_percent = r->out->min_free_bytes = -1;
	bool good = v->n > 0;
	for (size_t i = 0; i < v->n; i++)
		good = good && take_amount(v->u.list[i], r->out);
	if (!good)
		problems_add(r->problems,
			&(struct problem_at){ .file = r->name,
				.line = s ? s->line : 0,
				.key = config_top_options[TOP_MIN_FREE].name,
				.value = s ? s->value : NULL },
			"must be a percentage of 0%% to %d%%, a size, or one of each, \"5%%, 1G\"",
			PERCENT_MAX);
}

static int take_top(struct reading *r, const struct wq_value *v)
{
	struct config *c = r->out;
	c->heartbeat_interval_ns = v[TOP_HEARTBEAT_INTERVAL].u.i;
	c->sample_interval_ns = v[TOP_SAMPLE_INTERVAL].u.i;
	c->safety_interval_ns = v[TOP_SAFETY_INTERVAL].u.i;
	c->drain_limit_ns = v[TOP_DRAIN_LIMIT].u.i;
	c->request_limit = v[TOP_REQUEST_LIMIT].u.i;
	c->result_limit = v[TOP_RESULT_LIMIT].u.i;
	c->queue_limit = v[TOP_QUEUE_LIMIT].u.i;
	take_min_free(r, &v[TOP_MIN_FREE]);
	c->keep_results = v[TOP_KEEP_RESULTS].u.i;
	c->keep_results_for_ns = v[TOP_KEEP_RESULTS_FOR].u.i;
	c->keep_finished_bytes = v[TOP_KEEP_FINISHED_BYTES].u.i;
	c->keep_finished = v[TOP_KEEP_FINISHED].u.i;
	c->keep_finished_for_ns = v[TOP_KEEP_FINISHED_FOR].u.i;
	c->shepherd_linger_ns = v[TOP_SHEPHERD_LINGER].u.i;
	c->spool = strdup(v[TOP_SPOOL].u.s);
	c->on_start = strdup(v[TOP_ON_START].u.s);
	c->durability = strdup(v[TOP_DURABILITY].u.s);
	c->log_level = strdup(v[TOP_LOG_LEVEL].u.s);
	if (!c->spool || !c->on_start || !c->durability || !c->log_level)
		return -ENOMEM;
	return take_plugin_path(r, &v[TOP_PLUGIN_PATH]);
}

static int check_top(struct reading *r)
{
	struct option_values values;
	int rc = options_check(config_top_options, config_n_top_options, r->parsed.top.items,
		r->parsed.top.n, r->base_dir, &(struct problem_at){ .file = r->name }, r->problems,
		&values);
	if (rc < 0)
		return rc == -ENOMEM ? rc : 0; /* the problems are told; go on to find more */
	rc = take_top(r, values.values);
	options_fini(&values);
	return rc;
}

/* ---- task managers ----------------------------------------------------------------- */

static void check_name(struct reading *r, size_t index, const struct problem_at *at)
{
	const struct parsed_section *s = &r->parsed.sections[index];
	if (!name_is_valid(s->name, strlen(s->name), NAME_SHORT_MAX))
		problems_add(r->problems, at,
			"must be named by a lower-case letter, then lower-case letters, digits or "
			"'-', at most %d in all",
			NAME_SHORT_MAX);
	for (size_t i = 0; i < index; i++)
		if (strcmp(r->parsed.sections[i].name, s->name) == 0) {
			problems_add(r->problems, at, "is there twice, first in line %d",
				r->parsed.sections[i].line);
			return;
		}
}

/* A path is made absolute, a name stays. */
static int take_plugin(
	struct reading *r, const char *plugin, const struct problem_at *at, struct config_tm *tm)
{
	if (strchr(plugin, '/')) {
		tm->plugin = absolute(plugin, r->base_dir);
	} else {
		if (!name_is_valid(plugin, strlen(plugin), NAME_LONG_MAX))
			problems_add(r->problems, at,
				"must be the name of a plugin, or a path with a '/' to its .so");
		tm->plugin = strdup(plugin);
	}
	return tm->plugin ? 0 : -ENOMEM;
}

/* Others of its options are wrong; the plugin may still judge its own. */
static int keep_plugin(struct reading *r, const struct parsed_section *s, struct config_tm *tm)
{
	for (size_t i = 0; i < s->own.n && !tm->plugin; i++) {
		const struct setting *set = &s->own.items[i];
		if (strcmp(set->key, config_tm_options[TM_PLUGIN].name) != 0 || !set->value[0])
			continue;
		tm->plugin = strchr(set->value, '/') ? absolute(set->value, r->base_dir)
						     : strdup(set->value);
		if (!tm->plugin)
			return -ENOMEM;
	}
	return 0;
}

static int line_of(const struct settings *own, enum tm_option o, int otherwise)
{
	for (size_t i = 0; i < own->n; i++)
		if (strcmp(own->items[i].key, config_tm_options[o].name) == 0)
			return own->items[i].line;
	return otherwise;
}

/* Its default depends on what the plugin can, which is not known here. */
static int take_on_crash(
	const struct settings *own, const struct wq_value *value, struct config_tm *tm)
{
	if (!value->is_set)
		return 0;
	tm->on_crash_line = line_of(own, TM_ON_CRASH, tm->line);
	tm->on_crash = strdup(value->u.s);
	return tm->on_crash ? 0 : -ENOMEM;
}

static int check_tm(struct reading *r, size_t index)
{
	struct parsed_section *s = &r->parsed.sections[index];
	struct config_tm *tm = &r->out->tms[index];
	char where[PROBLEMS_VALUE_MAX + 32];
	snprintf(where, sizeof where, "task-manager '%s'", s->name);
	struct problem_at at = { .file = r->name, .line = s->line, .section = where };
	check_name(r, index, &at);

	tm->line = s->line;
	tm->name = strdup(s->name);
	tm->options = s->options.items;
	tm->n_options = s->options.n;
	s->options = (struct settings){ 0 };
	if (!tm->name)
		return -ENOMEM;

	struct option_values values;
	int rc = options_check(config_tm_options, config_n_tm_options, s->own.items, s->own.n,
		r->base_dir, &at, r->problems, &values);
	if (rc < 0)
		return rc == -ENOMEM ? rc : keep_plugin(r, s, tm);
	const char *plugin = values.values[TM_PLUGIN].u.s;
	at.line = line_of(&s->own, TM_PLUGIN, at.line);
	at.key = config_tm_options[TM_PLUGIN].name;
	at.value = plugin;
	tm->max_running = values.values[TM_MAX_RUNNING].u.i;
	tm->run_limit_ns = values.values[TM_RUN_LIMIT].u.i;
	tm->max_attempts = values.values[TM_MAX_ATTEMPTS].u.i;
	tm->recovery_limit_ns = values.values[TM_RECOVERY_LIMIT].u.i;
	tm->keep_work = strdup(values.values[TM_KEEP_WORK].u.s);
	rc = tm->keep_work ? take_plugin(r, plugin, &at, tm) : -ENOMEM;
	if (rc == 0)
		rc = take_on_crash(&s->own, &values.values[TM_ON_CRASH], tm);
	options_fini(&values);
	return rc;
}

static int check_tms(struct reading *r)
{
	size_t n = r->parsed.n_sections;
	r->out->tms = calloc(n + 1, sizeof *r->out->tms);
	if (!r->out->tms)
		return -ENOMEM;
	r->out->n_tms = n;
	/* One that was misspelt is told already. */
	if (n == 0 && r->parsed.n_unknown_sections == 0)
		problems_add(r->problems,
			&(struct problem_at){ .file = r->name, .key = "task-manager" },
			"at least one such section is required");
	for (size_t i = 0; i < n; i++) {
		int rc = check_tm(r, i);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static const char *nearest_tm(const struct config *c, const char *name)
{
	const char *names[CONFIG_TMS_MAX];
	for (size_t i = 0; i < c->n_tms; i++)
		names[i] = c->tms[i].name;
	return suggest_nearest(name, names, c->n_tms);
}

static int check_default(struct reading *r)
{
	struct config *c = r->out;
	const struct setting *given = find_top(r, TOP_DEFAULT_TASK_MANAGER);
	const char *key = config_top_options[TOP_DEFAULT_TASK_MANAGER].name;
	struct problem_at at = { .file = r->name, .key = key };
	const char *name = given ? given->value : NULL;
	if (!given && c->n_tms == 1)
		name = c->tms[0].name;
	if (!name) {
		if (c->n_tms > 1)
			problems_add(r->problems, &at,
				"is required where there are several task managers");
		return 0;
	}
	for (size_t i = 0; i < c->n_tms; i++)
		if (strcmp(c->tms[i].name, name) == 0) {
			c->default_task_manager = strdup(name);
			return c->default_task_manager ? 0 : -ENOMEM;
		}
	at.line = given->line;
	at.value = name;
	at.near = nearest_tm(c, name);
	problems_add(r->problems, &at, "must be the name of a task manager in this file");
	return 0;
}

/* ---- reading ----------------------------------------------------------------------- */

/* `file` is what the configuration remembers; `text` is blanked where comments are. */
static int read_clean(char *text, const char *name, const char *file, const char *base_dir,
	struct config *ret, struct problems *p)
{
	size_t before = p->n;
	struct config out = { .file = strdup(file), .base_dir = strdup(base_dir) };
	struct reading r = { .name = name, .base_dir = base_dir, .problems = p, .out = &out };
	int rc = out.file && out.base_dir ? parse_text(text, name, &r.parsed, p) : -ENOMEM;
	if (rc == 0)
		rc = check_top(&r);
	if (rc == 0)
		rc = check_tms(&r);
	if (rc == 0)
		rc = check_default(&r);
	if (rc == 0 && p->n > before)
		rc = -WQ_E_CONFIG;
	parsed_fini(&r.parsed);
	if (rc == -ENOMEM)
		problems_add(p, &(struct problem_at){ .file = name }, "out of memory");
	*ret = out;
	return rc;
}

static int read_bytes(char *text, size_t len, const char *name, const char *file,
	const char *base_dir, struct config *ret, struct problems *p)
{
	struct source_fault fault;
	int rc = source_clean(text, len, &fault);
	if (rc < 0) {
		problems_add(p, &(struct problem_at){ .file = name, .line = fault.line }, "%s",
			fault.rule);
		return rc;
	}
	return read_clean(text, name, file, base_dir, ret, p);
}

int config_read_text(const char *text, const char *name, const char *base_dir, struct config *ret,
	struct problems *p)
{
	struct problem_at at = { .file = name };
	*ret = (struct config){ 0 };
	char *copy = strdup(text);
	if (!copy) {
		problems_add(p, &at, "out of memory");
		return -ENOMEM;
	}
	int rc = read_bytes(copy, strlen(copy), name, name, base_dir, ret, p);
	free(copy);
	return rc;
}

/* A FIFO must not hold us, so nothing is waited for and only a regular file will do. */
static int slurp(const char *path, struct buf *ret, struct problems *p)
{
	struct problem_at at = { .file = path };
	struct stat st;
	auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int rc = -errno;
		problems_add(p, &at, "cannot be read: %s", strerror(-rc));
		return rc;
	}
	if (!S_ISREG(st.st_mode)) {
		problems_add(p, &at,
			S_ISDIR(st.st_mode) ? "is a directory, not a file"
					    : "is not a regular file");
		return S_ISDIR(st.st_mode) ? -EISDIR : -WQ_E_CONFIG;
	}
	int rc = fdio_read_all(fd, CONFIG_FILE_MAX, ret);
	if (rc == 0)
		rc = buf_reserve(ret, 1);
	if (rc == -EFBIG)
		problems_add(p, &at, "is larger than %dM", CONFIG_FILE_MAX >> 20);
	else if (rc < 0)
		problems_add(p, &at, "cannot be read: %s", strerror(-rc));
	return rc;
}

/* The absolute form of `path`, and in `ret_dir` its directory. */
static char *place_of(const char *path, char **ret_dir)
{
	char *cwd = path[0] == '/' ? strdup("/") : getcwd(NULL, 0);
	char *file = cwd ? absolute(path, cwd) : NULL;
	free(cwd);
	if (!file)
		return NULL;
	size_t len = (size_t)(strrchr(file, '/') - file);
	*ret_dir = strndup(file, len > 0 ? len : 1);
	if (!*ret_dir) {
		free(file);
		return NULL;
	}
	return file;
}

int config_read(const char *path, struct config *ret, struct problems *p)
{
	struct buf text = { 0 };
	*ret = (struct config){ 0 };
	int rc = slurp(path, &text, p);
	if (rc == 0) {
		char *dir = NULL, *file = place_of(path, &dir);
		if (file) {
			text.data[text.len] = '\0';
			rc = read_bytes((char *)text.data, text.len, path, file, dir, ret, p);
		} else {
			rc = errno ? -errno : -ENOMEM;
			problems_add(p, &(struct problem_at){ .file = path },
				"cannot tell its directory: %s", strerror(-rc));
		}
		free(dir);
		free(file);
	}
	buf_fini(&text);
	return rc;
}
