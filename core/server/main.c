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

/* Where no wq.conf is found: a few threads for whoever runs it. */
static const char builtin_config[] = "spool = \"%s/wq/spool\"\n"
				     "task-manager \"work\" {\n"
				     "	plugin = \"thread-pool\"\n"
				     "	max-running = 4\n"
				     "	options { threads = 4 }\n"
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
	return config_read_text(text, "the built-in configuration", "/", ret, p);
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

/* A server that is run from where it was built finds the plugins that were built with it. */
static int add_neighbour_plugins(struct config *c)
{
	char exe[PATH_MAX], dir[PATH_MAX + 16];
	struct stat st;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	if (n <= 0)
		return 0;
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0';
	char *up = strrchr(exe, '/');
	if (!up)
		return 0;
	*up = '\0';
	snprintf(dir, sizeof dir, "%s/plugins", exe);
	if (stat(dir, &st) < 0)
		return 0;
	size_t count = 0;
	while (c->plugin_path && c->plugin_path[count])
		count++;
	char **grown = realloc(c->plugin_path, (count + 2) * sizeof *grown);
	if (!grown)
		return -ENOMEM;
	c->plugin_path = grown;
	grown[count] = strdup(dir);
	grown[count + 1] = NULL;
	return grown[count] ? 0 : -ENOMEM;
}

static int read_config(const struct arguments *a, struct config *ret, struct problems *p)
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
	free(path);
	return rc < 0 && rc != -WQ_E_CONFIG ? rc : add_neighbour_plugins(ret) < 0 ? -ENOMEM : rc;
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

static int describe(const char *name)
{
	struct config c = { 0 };
	const struct plugin *plugin;
	struct wq_err err = { 0 };
	const char *dirs_installed[] = { WQ_PLUGINDIR, NULL };
	if (add_neighbour_plugins(&c) < 0)
		return EXIT_FAILURE;
	int rc = plugin_load(name,
		c.plugin_path ? (const char *const *)c.plugin_path : dirs_installed, &plugin, &err);
	if (rc == -ENOENT && c.plugin_path)
		rc = plugin_load(name, dirs_installed, &plugin, &err);
	config_fini(&c);
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
	if (a.describe)
		return describe(a.describe);

	int rc = read_config(&a, &s.config, &p);
	if (rc == 0 && a.print_config) {
		config_print(&s.config, stdout);
		config_fini(&s.config);
		return 0;
	}
	/* What could be read of a wrong one is judged by the plugins too, so that all is told at once. */
	if ((rc == 0 || rc == -WQ_E_CONFIG) && task_managers_load(&s, &p) < 0)
		rc = -WQ_E_CONFIG;
	if (rc == 0 && a.check)
		rc = check(&s, &p);
	if (rc < 0) {
		int status = report(&p, rc);
		problems_fini(&p);
		task_managers_free(&s);
		config_fini(&s.config);
		return status;
	}
	int status = 0;
	if (a.check) {
		printf("%s: no problem found\n",
			s.config.file[0] ? s.config.file : "built-in configuration");
	} else {
		log_set_level((enum log_level)log_level_parse(s.config.log_level));
		s.ready_fd = a.ready_fd;
		status = server_run(&s);
	}
	problems_fini(&p);
	config_fini(&s.config);
	return status;
}
