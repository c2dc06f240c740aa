/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/plugin.h"

#include "config/options.h"

#include <stdbool.h>

static void print_capabilities(uint32_t caps, FILE *out)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} known[] = {
		{ WQ_CAP_WAKES, "wakes" },
		{ WQ_CAP_WORK_DIR, "work-dir" },
		{ WQ_CAP_CHILDREN, "children" },
	};
	fputs("capabilities: ", out);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (caps & known[i].bit)
			fprintf(out, " %s", known[i].name);
	fputs(caps ? "\n" : " none\n", out);
}

static void print_operations(const struct wq_plugin *d, FILE *out)
{
	const struct {
		const char *name;
		bool present;
	} optional[] = {
		{ "create", d->create != NULL },
		{ "destroy", d->destroy != NULL },
		{ "start", d->start != NULL },
		{ "stop", d->stop != NULL },
		{ "validate", d->validate != NULL },
		{ "on_ready", d->on_ready != NULL },
		{ "tick", d->tick != NULL },
		{ "ack", d->ack != NULL },
		{ "on_child", d->on_child != NULL },
		{ "recover", d->recover != NULL },
		{ "recover_end", d->recover_end != NULL },
	};
	fputs("operations:    start_task reap terminate has_capacity", out);
	for (size_t i = 0; i < sizeof optional / sizeof *optional; i++)
		if (optional[i].present)
			fprintf(out, " %s", optional[i].name);
	fputc('\n', out);
}

void plugin_describe(const struct plugin *p, FILE *out)
{
	const struct wq_plugin *d = &p->desc;
	fprintf(out, "plugin:        %s %s\n", d->name, d->version);
	fprintf(out, "summary:       %s\n", d->summary);
	fprintf(out, "file:          %s\n", p->path);
	fprintf(out, "plugin ABI:    %u.%u (this server: %u.%u)\n", d->abi_major, d->abi_minor,
		WQ_ABI_MAJOR, WQ_ABI_MINOR);
	print_capabilities(d->caps, out);
	print_operations(d, out);
	fprintf(out, "state:         %u bytes, and %u a task\n", d->self_size, d->task_size);
	if (d->n_options == 0) {
		fputs("options:       none\n", out);
		return;
	}
	fputs("options:\n", out);
	options_print(p->options, d->n_options, out);
}
