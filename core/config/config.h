/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config: wq.conf, parsed and checked.  The only user of libconfuse.  Starts nothing, opens no
 * plugin and no spool.  The options of plugins are kept as texts; who has loaded the plugin checks
 * them with options_check.  docs/wq.conf.5; conf/wq.conf is the commented reference.
 */
#pragma once

#include "config/options.h"

struct config_tm {
	char *name;   /* [a-z][a-z0-9-]*, at most 32 bytes */
	char *plugin; /* a name, looked up in plugin-path; or a path, absolute by now */
	int64_t max_running;
	int64_t run_limit_ns; /* "run-limit"; 0: none */
	char *keep_work;      /* "finished", "failed", "never" */
	char *on_crash; /* "fail", "adopt", "requeue"; NULL: as its plugin can, set by who knows */
	int on_crash_line;
	int64_t max_attempts, recovery_limit_ns;
	struct setting *options;
	size_t n_options;
	int line;
};

struct config {
	char *file;                 /* absolute; of a text its name, "" for the built-in one */
	char *base_dir;             /* the directory of `file`, absolute */
	char *spool;                /* absolute */
	char **plugin_path;         /* directories, NULL at the end */
	char *default_task_manager; /* always the name of one of tms */
	char *on_start;             /* "recover", "wipe" */
	char *durability;           /* "none", "batch", "strict" */
	char *log_level;            /* "err" ... "debug" */
	int64_t heartbeat_interval_ns, sample_interval_ns, safety_interval_ns, drain_limit_ns;
	int64_t request_limit, result_limit; /* bytes */
	int64_t queue_limit;                 /* requests that are not started yet */
	int64_t min_free_percent;            /* of space and of inodes; -1: none is given */
	int64_t min_free_bytes;              /* -1: none */
	int64_t keep_results;                /* results that nobody has collected */
	int64_t keep_finished;               /* results in the history; 0: none */
	int64_t keep_finished_bytes;         /* with their work directories; 0: any */
	int64_t keep_results_for_ns, keep_finished_for_ns, shepherd_linger_ns;
	struct config_tm *tms;
	size_t n_tms;
};

/* Bounds of what is read. */
enum {
	CONFIG_FILE_MAX = 1 << 20,
	CONFIG_TMS_MAX = 256
};

/*
 * Read a file.  All that is wrong goes to `p`, not only the first.  0; -WQ_E_CONFIG; -errno where
 * the file cannot be read (a problem says so).  `ret` is always written: after a problem it holds
 * what could be read, so that plugins may judge their options as well; config_fini it.
 * One thread at a time: libconfuse has one lexer for the process.
 */
int config_read(const char *path, struct config *ret, struct problems *p);

/* The same from a text; `name` stands for the file, "" for the built-in configuration, and
 * `base_dir` for its directory. */
int config_read_text(const char *text, const char *name, const char *base_dir, struct config *ret,
	struct problems *p);
void config_fini(struct config *c);

/*
 * The configuration as it is in force, defaults included, in the syntax of wq.conf.  Options marked
 * secret (options_mark_secrets) are printed as "***".
 */
void config_print(const struct config *c, FILE *out);

/*
 * Which file rules, and by which rule ("-c", "WQ_CONFIG", "XDG_CONFIG_HOME", "HOME", "system",
 * "built-in"): wq.conf(5), FILES.  What `-c` and WQ_CONFIG name rules even if it is not there.  The
 * system's rules if the caller may publish in its spool, or could create that, or if it is wrong:
 * then config_read says so.  NULL in `ret_path`: none is there.  `ret_rule` is a static text.
 * 0 or -ENOMEM.
 */
int config_find(const char *given, char **ret_path, const char **ret_rule);

/* The same with another file in the place of the system's. */
int config_find_with(
	const char *given, const char *system_file, char **ret_path, const char **ret_rule);

/* The core's own tables, for manuals and tests. */
extern const struct wq_option config_top_options[];
extern const size_t config_n_top_options;
extern const struct wq_option config_tm_options[];
extern const size_t config_n_tm_options;
