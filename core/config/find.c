/* SPDX-License-Identifier: BSD-2-Clause */
/* config_find: which file rules. */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_FILE WQ_SYSCONFDIR "/wq/wq.conf"

static const char *env(const char *name)
{
	const char *value = getenv(name);
	return value && value[0] ? value : NULL;
}

/* The XDG Base Directory Specification: what is not absolute is ignored. */
static char *user_file(const char **ret_rule)
{
	const char *dir = env("XDG_CONFIG_HOME"), *between = "";
	*ret_rule = "XDG_CONFIG_HOME";
	if (!dir || dir[0] != '/') {
		dir = env("HOME");
		between = "/.config";
		*ret_rule = "HOME";
	}
	char *path = NULL;
	if (!dir || dir[0] != '/')
		return strdup("");
	return asprintf(&path, "%s%s/wq/wq.conf", dir, between) < 0 ? NULL : path;
}

static bool may_enter_and_write(const char *dir)
{
	return faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0;
}

/* Could this user publish there, or make the spool in the first place? */
static bool may_publish(const char *spool)
{
	char path[PATH_MAX + 16];
	snprintf(path, sizeof path, "%s/1-requested", spool);
	if (may_enter_and_write(path))
		return true;
	if (faccessat(AT_FDCWD, spool, F_OK, AT_EACCESS) == 0 || errno != ENOENT)
		return false;
	snprintf(path, sizeof path, "%s", spool);
	return may_enter_and_write(dirname(path));
}

static bool system_rules(const char *file)
{
	struct problems problems = { 0 };
	struct config c;
	if (faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) < 0)
		return false;
	bool rules = true;
	if (config_read(file, &c, &problems) == 0)
		rules = may_publish(c.spool);
	config_fini(&c);
	problems_fini(&problems);
	return rules;
}

int config_find_with(
	const char *given, const char *system_file, char **ret_path, const char **ret_rule)
{
	const char *named = given ? given : env("WQ_CONFIG");
	if (named) {
		*ret_rule = given ? "-c" : "WQ_CONFIG";
		*ret_path = strdup(named);
		return *ret_path ? 0 : -ENOMEM;
	}
	const char *rule;
	char *path = user_file(&rule);
	if (!path)
		return -ENOMEM;
	/* One that is there and cannot be read rules too, so that its user hears of it. */
	if (path[0] && (access(path, F_OK) == 0 || errno == EACCES)) {
		*ret_rule = rule;
		*ret_path = path;
		return 0;
	}
	free(path);
	bool system = system_rules(system_file);
	path = system ? strdup(system_file) : NULL;
	if (system && !path)
		return -ENOMEM;
	*ret_rule = system ? "system" : "built-in";
	*ret_path = path;
	return 0;
}

int config_find(const char *given, char **ret_path, const char **ret_rule)
{
	return config_find_with(given, SYSTEM_FILE, ret_path, ret_rule);
}
