/* SPDX-License-Identifier: BSD-2-Clause */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include <wq/plugin-util.h>

#include "environment.h"

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

enum {
	OPT_MODE,
	OPT_SHELL,
	OPT_ALLOW,
	OPT_DIRECTORIES,
	OPT_DEFAULT_DIRECTORY,
	OPT_PROGRAM,
	OPT_INPUT,
	OPT_RESULT,
	OPT_PASS_ENVIRONMENT,
	OPT_OUTPUT_LIMIT,
	OPT_TAIL,
	OPT_GRACE,
	OPT_LEAVE_REST,
	OPT_NICE,
	OPT_UMASK,
	OPT_LIMIT_CPU,
	OPT_LIMIT_MEMORY,
	OPT_LIMIT_FILE_SIZE,
	OPT_LIMIT_OPEN_FILES,
	OPT_LIMIT_PROCESSES,
	OPT_LIMIT_CORE,
	N_OPTIONS
};
_Static_assert((int)N_OPTIONS == (int)SETTINGS_OPTIONS, "options");

enum {
	RESULT_LIMIT_DEFAULT = 1024 * 1024, /* of a server that does not say its own */
	UMASK_MAX = 0777,
	COUNT_MAX = 1 << 20
};

const struct wq_option settings_options[N_OPTIONS] = {
	[OPT_MODE] = { .name = "mode",
		.help = "command: each request says what to run; handler: each is the input of "
			"'program'",
		.type = WQ_T_CHOICE,
		.choices = "command|handler",
		.def = "command" },
	[OPT_SHELL] = { .name = "shell",
		.help = "runs the commands that requests give as 'shell', with -c; mode command",
		.type = WQ_T_PATH,
		.def = "/bin/sh" },
	[OPT_ALLOW] = { .name = "allow",
		.help = "how requests may give their command; mode command",
		.type = WQ_T_CHOICE,
		.choices = "both|argv|shell",
		.def = "both" },
	[OPT_DIRECTORIES] = { .name = "directories",
		.help = "requests may run in these directories and below, symbolic links followed; "
			"anywhere when it is empty; mode command",
		.type = WQ_T_LIST,
		.def = "" },
	[OPT_DEFAULT_DIRECTORY] = { .name = "default-directory",
		.help = "where a request without 'dir' runs; in its work directory when it is not "
			"set; mode command",
		.type = WQ_T_PATH },
	[OPT_PROGRAM] = { .name = "program",
		.help = "the program and its arguments; mode handler, which must have it",
		.type = WQ_T_LIST },
	[OPT_INPUT] = { .name = "input",
		.help = "the form in which 'program' reads a request on its standard input; mode "
			"handler",
		.type = WQ_T_CHOICE,
		.choices = "cbor|json",
		.def = "cbor" },
	[OPT_RESULT] = { .name = "result",
		.help = "what a success gives back: a report, or its standard output as one item "
			"of "
			"CBOR or JSON",
		.type = WQ_T_CHOICE,
		.choices = "report|cbor|json",
		.def = "report" },
	[OPT_PASS_ENVIRONMENT] = { .name = "pass-environment",
		.help = "variables that are taken from the server's environment",
		.type = WQ_T_LIST,
		.def = "PATH, HOME, USER, LOGNAME, SHELL, LANG, LC_ALL, TZ, TMPDIR" },
	[OPT_OUTPUT_LIMIT] = { .name = "output-limit",
		.help = "how much is kept of standard output, and of standard error",
		.type = WQ_T_SIZE,
		.max = INT64_C(1) << 40,
		.def = "16M" },
	[OPT_TAIL] = { .name = "tail",
		.help = "how much of the end of each is in a report",
		.type = WQ_T_SIZE,
		.max = SETTINGS_TAIL_MAX,
		.def = "4K" },
	[OPT_GRACE] = { .name = "grace",
		.help = "how long what is told to end may take, before it is killed",
		.type = WQ_T_DURATION,
		.max = 86400 * NS_PER_S,
		.def = "10s" },
	[OPT_LEAVE_REST] = { .name = "leave-rest",
		.help = "leave alone what a command has started and that still runs when it has "
			"ended",
		.type = WQ_T_BOOL,
		.def = "false" },
	[OPT_NICE] = { .name = "nice",
		.help = "the niceness of requests that do not say theirs",
		.type = WQ_T_INT,
		.max = 19,
		.def = "0" },
	[OPT_UMASK] = { .name = "umask",
		.help = "the file mode creation mask, in octal, of requests that do not say theirs",
		.type = WQ_T_STRING,
		.def = "022" },
	[OPT_LIMIT_CPU] = { .name = "limit-cpu",
		.help = "processor time of a process, in whole seconds; 0s: no limit",
		.type = WQ_T_DURATION,
		.max = INT64_MAX,
		.def = "0s" },
	[OPT_LIMIT_MEMORY] = { .name = "limit-memory",
		.help = "address space of a process; 0: no limit",
		.type = WQ_T_SIZE,
		.max = INT64_MAX,
		.def = "0" },
	[OPT_LIMIT_FILE_SIZE] = { .name = "limit-file-size",
		.help = "size of a file that a process writes; 0: no limit",
		.type = WQ_T_SIZE,
		.max = INT64_MAX,
		.def = "0" },
	[OPT_LIMIT_OPEN_FILES] = { .name = "limit-open-files",
		.help = "open descriptors of a process; 0: no limit",
		.type = WQ_T_INT,
		.max = COUNT_MAX,
		.def = "0" },
	[OPT_LIMIT_PROCESSES] = { .name = "limit-processes",
		.help = "processes of a task at once; 0: no limit",
		.type = WQ_T_INT,
		.max = COUNT_MAX,
		.def = "0" },
	[OPT_LIMIT_CORE] = { .name = "limit-core",
		.help = "size of a core dump; 0: no core dumps; no limit when it is not set",
		.type = WQ_T_SIZE,
		.max = INT64_MAX },
};

/* Options that mean something in one mode only. */
static const struct {
	int option;
	enum settings_mode mode;
} belongs[] = {
	{ OPT_SHELL, MODE_COMMAND },
	{ OPT_ALLOW, MODE_COMMAND },
	{ OPT_DIRECTORIES, MODE_COMMAND },
	{ OPT_DEFAULT_DIRECTORY, MODE_COMMAND },
	{ OPT_PROGRAM, MODE_HANDLER },
	{ OPT_INPUT, MODE_HANDLER },
};

static int32_t wrong(struct wq_err *err, int option, const char *rule)
{
	return wq_fail(err, -WQ_E_CONFIG, "bad-option", "option '%s' %s",
		settings_options[option].name, rule);
}

/* One block: the pointers, then the texts. */
static char **copy_list(const char *const *list, size_t n)
{
	size_t size = (n + 1) * sizeof(char *);
	for (size_t i = 0; i < n; i++)
		size += strlen(list[i]) + 1;
	char **ret = malloc(size);
	if (!ret)
		return NULL;
	char *to = (char *)(ret + n + 1);
	for (size_t i = 0; i < n; i++) {
		ret[i] = to;
		to = stpcpy(to, list[i]) + 1;
	}
	ret[n] = NULL;
	return ret;
}

static int32_t load_umask(struct settings *s, const struct wq_config *config, struct wq_err *err)
{
	const char *text = wq_option_text(config, OPT_UMASK);
	size_t len = text ? strspn(text, "01234567") : 0;
	unsigned long value = len > 0 && len <= 4 ? strtoul(text, NULL, 8) : UMASK_MAX + 1;
	if (len == 0 || text[len] != '\0' || value > UMASK_MAX)
		return wrong(err, OPT_UMASK, "must be an octal number from 0 to 777");
	s->umask = (uint32_t)value;
	return 0;
}

/* A report must always fit, so its tails are cut to what there is room for. */
static int32_t load_result_limit(
	struct settings *s, const struct wq_config *config, struct wq_err *err)
{
	s->result_limit = RESULT_LIMIT_DEFAULT;
	if (config->struct_size > offsetof(struct wq_config, result_limit) &&
		config->result_limit > 0)
		s->result_limit = (size_t)config->result_limit;
	if (s->result_limit < SETTINGS_REPORT_BYTES)
		return wq_fail(err, -WQ_E_CONFIG, "bad-option",
			"result-limit is %zu bytes; it must be %dK or more, or the report of a "
			"command has no room",
			s->result_limit, SETTINGS_REPORT_BYTES / 1024);
	size_t room = (s->result_limit - SETTINGS_REPORT_BYTES) / 2;
	if (s->tail > room)
		s->tail = room;
	return 0;
}

static void load_limits(struct settings *s, const struct wq_config *config)
{
	static const int options[LIMIT_MAX] = {
		[LIMIT_CPU] = OPT_LIMIT_CPU,
		[LIMIT_MEMORY] = OPT_LIMIT_MEMORY,
		[LIMIT_FILE_SIZE] = OPT_LIMIT_FILE_SIZE,
		[LIMIT_OPEN_FILES] = OPT_LIMIT_OPEN_FILES,
		[LIMIT_PROCESSES] = OPT_LIMIT_PROCESSES,
		[LIMIT_CORE] = OPT_LIMIT_CORE,
	};
	for (int i = 0; i < LIMIT_MAX; i++) {
		int64_t value = wq_option_int(config, (uint32_t)options[i], 0);
		if (i == LIMIT_CPU) /* up: half a second would else be none at all */
			value = value / NS_PER_S + (value % NS_PER_S > 0);
		/* A core dump of 0 bytes is a limit, nothing else of 0 is one. */
		s->limits.is_set[i] =
			i == LIMIT_CORE ? wq_option_is_set(config, OPT_LIMIT_CORE) : value > 0;
		s->limits.value[i] = (uint64_t)value;
	}
}

static int32_t load_directories(
	struct settings *s, const struct wq_config *config, struct wq_err *err)
{
	size_t n = 0;
	const char *const *list = wq_option_list(config, OPT_DIRECTORIES, &n);
	for (size_t i = 0; i < n; i++)
		if (list[i][0] != '/')
			return wq_fail(err, -WQ_E_CONFIG, "bad-option",
				"option 'directories': '%.128s' must be an absolute path", list[i]);
	if (n > 0 && !(s->directories = copy_list(list, n)))
		return -ENOMEM;
	const char *dir = wq_option_text(config, OPT_DEFAULT_DIRECTORY);
	if (dir && !(s->default_dir = strdup(dir)))
		return -ENOMEM;
	return 0;
}

static int32_t load_program(struct settings *s, const struct wq_config *config, struct wq_err *err)
{
	size_t n = 0;
	const char *const *list = wq_option_list(config, OPT_PROGRAM, &n);
	if (s->mode != MODE_HANDLER)
		return 0;
	if (n == 0)
		return wrong(err, OPT_PROGRAM, "is missing: mode handler runs it");
	if (list[0][0] != '/' && strchr(list[0], '/'))
		return wrong(err, OPT_PROGRAM,
			"must begin with an absolute path, or a name without '/'");
	s->program = copy_list(list, n);
	return s->program ? 0 : -ENOMEM;
}

static int32_t load_environment(
	struct settings *s, const struct wq_config *config, struct wq_err *err)
{
	size_t n = 0;
	const char *const *names = wq_option_list(config, OPT_PASS_ENVIRONMENT, &n);
	for (size_t i = 0; i < n; i++)
		if (strchr(names[i], '='))
			return wq_fail(err, -WQ_E_CONFIG, "bad-option",
				"option 'pass-environment': '%.128s' must be the name of a "
				"variable, without '='",
				names[i]);
	s->env = environment_pick(names, n);
	return s->env ? 0 : -ENOMEM;
}

static int32_t check_modes(
	const struct settings *s, const struct wq_config *config, struct wq_err *err)
{
	for (size_t i = 0; i < sizeof(belongs) / sizeof(*belongs); i++)
		if (belongs[i].mode != s->mode &&
			wq_option_is_set(config, (uint32_t)belongs[i].option))
			return wrong(err, belongs[i].option,
				s->mode == MODE_HANDLER ? "means nothing in mode handler"
							: "means nothing in mode command");
	return 0;
}

static int32_t load_all(struct settings *s, const struct wq_config *config, struct wq_err *err)
{
	const char *shell = wq_option_text(config, OPT_SHELL);
	s->mode = (enum settings_mode)wq_option_int(config, OPT_MODE, MODE_COMMAND);
	s->allow = (enum settings_allow)wq_option_int(config, OPT_ALLOW, ALLOW_BOTH);
	s->input = (enum settings_input)wq_option_int(config, OPT_INPUT, INPUT_CBOR);
	s->result = (enum settings_result)wq_option_int(config, OPT_RESULT, RESULT_REPORT);
	s->output_limit = (uint64_t)wq_option_int(config, OPT_OUTPUT_LIMIT, 0);
	s->tail = (size_t)wq_option_int(config, OPT_TAIL, 0);
	/* Up, or a grace of less than a millisecond would be none. */
	s->grace_ms = (uint32_t)((wq_option_int(config, OPT_GRACE, 0) + NS_PER_MS - 1) / NS_PER_MS);
	s->nice = (int32_t)wq_option_int(config, OPT_NICE, 0);
	s->leave_rest = wq_option_int(config, OPT_LEAVE_REST, 0) != 0;
	load_limits(s, config);
	int32_t rc = check_modes(s, config, err);
	if (rc == 0)
		rc = load_result_limit(s, config, err);
	if (rc == 0)
		rc = load_umask(s, config, err);
	if (rc == 0)
		rc = load_directories(s, config, err);
	if (rc == 0)
		rc = load_program(s, config, err);
	if (rc == 0)
		rc = load_environment(s, config, err);
	if (rc == 0 && !(s->shell = strdup(shell ? shell : "/bin/sh")))
		rc = -ENOMEM;
	return rc;
}

int32_t settings_load(struct settings *ret, const struct wq_config *config, struct wq_err *err)
{
	memset(ret, 0, sizeof(*ret));
	int32_t rc = load_all(ret, config, err);
	if (rc < 0)
		settings_fini(ret);
	return rc == -ENOMEM ? wq_fail(err, rc, NULL, "fork-exec") : rc;
}

void settings_fini(struct settings *s)
{
	free(s->shell);
	free(s->program);
	free(s->directories);
	free(s->default_dir);
	free(s->env);
	memset(s, 0, sizeof(*s));
}
