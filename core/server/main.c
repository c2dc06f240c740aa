/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wq-server: what the command line asks for.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	EXIT_CONFIG = 2
};
enum {
	KEY_CHECK = 0x100,
	KEY_PRINT_CONFIG,
	KEY_DESCRIBE,
	KEY_BUILT_IN,
	KEY_READY_FD
};

struct arguments {
	const char *config, *describe;
	bool check, print_config, built_in;
	int ready_fd;
};

static const struct argp_option options[] = {
	{ "config", 'c', "FILE", 0,
		"Configuration (see wq.conf(5) for where else it is looked for)", 0 },
	{ "check", KEY_CHECK, NULL, 0, "Report all that is wrong with it, touch nothing, end", 0 },
	{ "print-config", KEY_PRINT_CONFIG, NULL, 0,
		"Print it as it is in force, defaults included", 0 },
	{ "describe", KEY_DESCRIBE, "PLUGIN", 0, "Print what a plugin is and its options", 0 },
	{ "built-in", KEY_BUILT_IN, NULL, 0,
		"Use the built-in configuration, whatever files there are", 0 },
	{ "ready-fd", KEY_READY_FD, "FD", 0,
		"Write a line to this descriptor and close it when ready", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;
	int used = 0;
	switch (key) {
	case 'c':
		a->config = arg;
		return 0;
	case KEY_CHECK:
		a->check = true;
		return 0;
	case KEY_PRINT_CONFIG:
		a->print_config = true;
		return 0;
	case KEY_DESCRIBE:
		a->describe = arg;
		return 0;
	case KEY_BUILT_IN:
		a->built_in = true;
		return 0;
	case KEY_READY_FD:
		if (sscanf(arg, "%d%n", &a->ready_fd, &used) != 1 || arg[used] || a->ready_fd < 3)
			argp_error(
				state, "--ready-fd wants a descriptor of 3 or more, not '%s'", arg);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not an option", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Where no wq.conf is found: commands, one at a time, for whoever runs it. */
static const char builtin_config[] = "spool = \"%s/wq/spool\"\n"
				     "task-manager \"run\" {\n"
				     "	plugin = \"fork-exec\"\n"
				     "}\n";

static int read_builtin(struct config *ret, struct problems *p)
{
	char state[PATH_MAX], text[PATH_MAX + sizeof builtin_config];
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (xdg && xdg[0] == '/')
		snprintf(state, sizeof state, "%s", xdg);
	else
		snprintf(state, sizeof state, "%s/.local/state", home ? home : "");
	snprintf(text, sizeof text, builtin_config, state);
	return config_read_text(text, "", "/", ret, p);
}

static void make_builtin_parents(const char *spool)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s", spool);
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(path, 0700); /* opening the spool reports what is missing */
		*slash = '/';
	}
}

/*
 * A directory beside that of the program, so that a server that is run from where it was built or
 * staged finds what came with it.  NULL: there is none.
 */
static char *find_beside(const char *name)
{
	char exe[PATH_MAX], dir[PATH_MAX + 32];
	struct stat st;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	if (n <= 0)
		return NULL;
	exe[n] = '\0';
	for (int up = 0; up < 2; up++) {
		char *slash = strrchr(exe, '/');
		if (!slash)
			return NULL;
		*slash = '\0';
	}
	snprintf(dir, sizeof dir, "%s/%s", exe, name);
	return stat(dir, &st) == 0 ? strdup(dir) : NULL;
}

/* Where plugins are looked for: as wq.conf says, then the installed ones, then beside us. */
static int find_plugin_dirs(struct server *s)
{
	static const char *const beside[] = { "lib/wq", "plugins" };
	size_t n = 0;
	char **configured = s->config.plugin_path;
	while (configured && configured[n])
		n++;
	s->plugin_dirs = calloc(n + 4, sizeof *s->plugin_dirs);
	if (!s->plugin_dirs)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		s->plugin_dirs[i] = strdup(configured[i]);
	s->plugin_dirs[n++] = strdup(WQ_PLUGINDIR);
	for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
		char *dir = find_beside(beside[i]);
		if (dir)
			s->plugin_dirs[n++] = dir;
	}
	return 0;
}

/* Beside us, where the build and the installation put it. */
static char *find_shepherd(void)
{
	char exe[PATH_MAX];
	char *path = NULL;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	exe[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	return asprintf(&path, "%s/wq-shepherd", exe) < 0 ? NULL : path;
}

static void free_plugin_dirs(struct server *s)
{
	for (char **dir = s->plugin_dirs; dir && *dir; dir++)
		free(*dir);
	free(s->plugin_dirs);
}

/* `ret_name` is the file's name as it was given or found, to be freed. */
static int read_config(
	const struct arguments *a, struct config *ret, char **ret_name, struct problems *p)
{
	char *path = NULL;
	const char *rule = NULL;
	int rc = a->built_in ? 0 : config_find(a->config, &path, &rule);
	if (rc == 0 && path) {
		rc = config_read(path, ret, p);
	} else if (rc == 0) {
		rc = read_builtin(ret, p);
		if (rc == 0 && !a->check && !a->print_config)
			make_builtin_parents(ret->spool);
	}
	*ret_name = path;
	return rc;
}

static int report(const struct problems *p, int rc)
{
	for (size_t i = 0; i < p->n; i++)
		fprintf(stderr, "wq-server: %s\n", p->lines[i]);
	if (p->n == 0)
		fprintf(stderr, "wq-server: cannot read the configuration: %s\n",
			err_code_name(rc));
	return EXIT_CONFIG;
}

static int describe(struct server *s, const char *name)
{
	const struct plugin *plugin;
	struct wq_err err = { 0 };
	int rc = plugin_load(name, (const char *const *)s->plugin_dirs, &plugin, &err);
	if (rc < 0) {
		fprintf(stderr, "wq-server: %s\n", err.text);
		return EXIT_CONFIG;
	}
	plugin_describe(plugin, stdout);
	return 0;
}

/* --check: everything but the spool is looked at; each plugin judges its own options by create. */
static int check(struct server *s, struct problems *p)
{
	int rc = task_managers_create(s, p);
	task_managers_free(s);
	return rc;
}

static int act(struct server *s, const struct arguments *a, int rc, struct problems *p)
{
	/* What could be read of a wrong one is judged by the plugins too, so that all is told at once. */
	bool readable = rc == 0 || rc == -WQ_E_CONFIG;
	struct problems of_plugins = { 0 };
	if (readable && task_managers_load(s, a->print_config ? &of_plugins : p) < 0 &&
		!a->print_config)
		rc = -WQ_E_CONFIG;
	problems_fini(&of_plugins); /* to print it, only their secrets matter */
	if (readable && a->check && check(s, p) < 0)
		rc = -WQ_E_CONFIG;
	if (rc < 0)
		return report(p, rc);
	if (a->print_config) {
		config_print(&s->config, stdout);
		return 0;
	}
	if (a->check) {
		printf("%s: no problem found\n",
			s->config.file[0] ? s->config.file : "built-in configuration");
		return 0;
	}
	log_set_level((enum log_level)log_level_parse(s->config.log_level));
	s->ready_fd = a->ready_fd;
	return server_run(s);
}

int main(int argc, char **argv)
{
	static const struct argp argp = { options, parse_option, NULL,
		"Serve a spool of requests: start each in order while its task manager has "
		"capacity.",
		NULL, NULL, NULL };
	struct arguments a = { .ready_fd = -1 };
	struct problems p = { 0 };
	struct server s = { 0 };
	argp_program_version = "wq-server " WQ_VERSION;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	char *name = NULL;
	int rc = read_config(&a, &s.config, &name, &p);
	s.config_name = name ? name : "";
	s.shepherd_program = find_shepherd();
	if (find_plugin_dirs(&s) < 0 || !s.shepherd_program)
		rc = -ENOMEM;
	int status;
	if (a.describe)
		status = describe(&s, a.describe); /* a wrong wq.conf is no reason not to */
	else
		status = act(&s, &a, rc, &p);
	task_managers_free(&s);
	problems_fini(&p);
	free_plugin_dirs(&s);
	free(s.shepherd_program);
	config_fini(&s.config);
	free(name);
	return status;
}
