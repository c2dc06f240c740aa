/* SPDX-License-Identifier: BSD-2-Clause */
/* config_print: the configuration in the syntax of wq.conf. */
#include "config/config.h"

#include "base/quantity.h"
#include "config/schema.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void print_text(const char *text, FILE *out)
{
	fputc('"', out);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			fprintf(out, "\\x%02x", *p);
		else if (strchr("\"\\$", *p))
			fprintf(out, "\\%c", *p);
		else
			fputc(*p, out);
	}
	fputc('"', out);
}

static void print_key(const char *key, FILE *out)
{
	if (key[0] && key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0')
		fputs(key, out);
	else
		print_text(key, out);
	fputs(" = ", out);
}

static void print_top(enum top_option o, const char *text, FILE *out)
{
	fprintf(out, "%s = ", config_top_options[o].name);
	print_text(text, out);
	fputc('\n', out);
}

static void print_duration(enum top_option o, int64_t ns, FILE *out)
{
	char text[32];
	fprintf(out, "%s = %s\n", config_top_options[o].name, quantity_format_duration(ns, text));
}

static void print_size(enum top_option o, int64_t bytes, FILE *out)
{
	char text[32];
	fprintf(out, "%s = %s\n", config_top_options[o].name, quantity_format_size(bytes, text));
}

static void print_number(enum top_option o, int64_t number, FILE *out)
{
	fprintf(out, "%s = %" PRId64 "\n", config_top_options[o].name, number);
}

static void print_min_free(const struct config *c, FILE *out)
{
	char text[64] = "", size[32];
	if (c->min_free_percent >= 0)
		snprintf(text, sizeof text, "%" PRId64 "%%%s", c->min_free_percent,
			c->min_free_bytes >= 0 ? ", " : "");
	if (c->min_free_bytes >= 0)
		strcat(text, quantity_format_size(c->min_free_bytes, size));
	print_top(TOP_MIN_FREE, text, out);
}

static void print_plugin_path(const struct config *c, FILE *out)
{
	char *text = NULL;
	size_t len;
	FILE *list = open_memstream(&text, &len);
	if (!list)
		return;
	for (char **dir = c->plugin_path; dir && *dir; dir++)
		fprintf(list, "%s%s", dir == c->plugin_path ? "" : ", ", *dir);
	if (fclose(list) == 0)
		print_top(TOP_PLUGIN_PATH, text, out);
	free(text);
}

static void print_tm(const struct config_tm *tm, FILE *out)
{
	char limit[32];
	fprintf(out, "\ntask-manager \"%s\" {\n\t%s = ", tm->name,
		config_tm_options[TM_PLUGIN].name);
	print_text(tm->plugin, out);
	fprintf(out, "\n\t%s = %" PRId64 "\n", config_tm_options[TM_MAX_RUNNING].name,
		tm->max_running);
	fprintf(out, "\t%s = %s\n", config_tm_options[TM_RUN_LIMIT].name,
		quantity_format_duration(tm->run_limit_ns, limit));
	fprintf(out, "\t%s = ", config_tm_options[TM_KEEP_WORK].name);
	print_text(tm->keep_work, out);
	fputc('\n', out);
	if (tm->on_crash) {
		fprintf(out, "\t%s = ", config_tm_options[TM_ON_CRASH].name);
		print_text(tm->on_crash, out);
		fputc('\n', out);
	}
	fprintf(out, "\t%s = %" PRId64 "\n", config_tm_options[TM_MAX_ATTEMPTS].name,
		tm->max_attempts);
	fprintf(out, "\t%s = %s\n", config_tm_options[TM_RECOVERY_LIMIT].name,
		quantity_format_duration(tm->recovery_limit_ns, limit));
	if (tm->n_options > 0) {
		fputs("\toptions {\n", out);
		for (size_t i = 0; i < tm->n_options; i++) {
			const struct setting *s = &tm->options[i];
			fputs("\t\t", out);
			print_key(s->key, out);
			print_text(s->secret ? "***" : s->value, out);
			fputc('\n', out);
		}
		fputs("\t}\n", out);
	}
	fputs("}\n", out);
}

void config_print(const struct config *c, FILE *out)
{
	print_top(TOP_SPOOL, c->spool, out);
	print_top(TOP_DEFAULT_TASK_MANAGER, c->default_task_manager, out);
	print_plugin_path(c, out);
	print_top(TOP_ON_START, c->on_start, out);
	print_top(TOP_DURABILITY, c->durability, out);
	print_top(TOP_LOG_LEVEL, c->log_level, out);
	print_duration(TOP_HEARTBEAT_INTERVAL, c->heartbeat_interval_ns, out);
	print_duration(TOP_SAMPLE_INTERVAL, c->sample_interval_ns, out);
	print_duration(TOP_SAFETY_INTERVAL, c->safety_interval_ns, out);
	print_duration(TOP_DRAIN_LIMIT, c->drain_limit_ns, out);
	print_size(TOP_REQUEST_LIMIT, c->request_limit, out);
	print_size(TOP_RESULT_LIMIT, c->result_limit, out);
	print_number(TOP_QUEUE_LIMIT, c->queue_limit, out);
	print_min_free(c, out);
	print_number(TOP_KEEP_RESULTS, c->keep_results, out);
	print_duration(TOP_KEEP_RESULTS_FOR, c->keep_results_for_ns, out);
	print_number(TOP_KEEP_FINISHED, c->keep_finished, out);
	print_duration(TOP_KEEP_FINISHED_FOR, c->keep_finished_for_ns, out);
	print_size(TOP_KEEP_FINISHED_BYTES, c->keep_finished_bytes, out);
	print_duration(TOP_SHEPHERD_LINGER, c->shepherd_linger_ns, out);
	for (size_t i = 0; i < c->n_tms; i++)
		print_tm(&c->tms[i], out);
}
