/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/plugin.h"

#include "support/link/probe.h"
#include "support/plugin/rig.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static char path[128];

static void setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/wq-load-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/null.so", dir);
}

static void teardown(void)
{
	unlink(path);
	rmdir(dir);
}

/* null.so, copied to `path`. */
static void copy_null(void)
{
	char cmd[4500];
	snprintf(cmd, sizeof cmd, "cp '%s/null.so' '%s' && chmod 0644 '%s'", getenv("WQ_PLUGINS"),
		path, path);
	ck_assert_int_eq(system(cmd), 0);
}

static void assert_says(const struct wq_err *err, const char *part)
{
	ck_assert_msg(strstr(err->text, part) != NULL, "'%s' has no '%s'", err->text, part);
}

START_TEST(a_name_is_looked_up_in_the_directories_in_their_order)
{
	const char *dirs[] = { "/nonexistent", dir, getenv("WQ_PLUGINS"), NULL };
	const struct plugin *p;
	struct wq_err err = { 0 };
	copy_null();

	ck_assert_msg(plugin_load("null", dirs, &p, &err) == 0, "%s", err.text);

	ck_assert_str_eq(p->path, path);
	ck_assert_str_eq(p->desc.name, "null");
	ck_assert_str_eq(p->desc.version, "1.0");
	ck_assert_uint_eq(p->desc.caps, WQ_CAP_WAKES);
	ck_assert(p->desc.start_task != NULL);
	ck_assert(p->desc.create == NULL);
}
END_TEST

START_TEST(a_plugin_that_is_loaded_already_is_answered_again)
{
	const struct plugin *first = rig_load("WQ_PLUGINS", "null");
	char full[4200];
	const char *none[] = { NULL };
	const struct plugin *again;
	snprintf(full, sizeof full, "%s/./null.so", getenv("WQ_PLUGINS"));

	ck_assert_int_eq(plugin_load(full, none, &again, NULL), 0);

	ck_assert_ptr_eq(first, again);
}
END_TEST

START_TEST(a_file_that_was_replaced_after_loading_is_used_only_after_a_restart)
{
	const char *none[] = { NULL };
	const struct plugin *first, *again;
	copy_null();
	ck_assert_int_eq(plugin_load(path, none, &first, NULL), 0);

	unlink(path);
	copy_null();

	ck_assert_int_eq(plugin_load(path, none, &again, NULL), 0);
	ck_assert_ptr_eq(first, again);
}
END_TEST

START_TEST(the_options_of_a_plugin_are_copied)
{
	const struct plugin *p = rig_load("WQ_PLUGINS", "faulty");

	ck_assert_uint_eq(p->desc.n_options, 1);
	ck_assert_str_eq(p->options[0].name, "fault");
	ck_assert_str_eq(p->options[0].def, "none");
	ck_assert_uint_eq(p->options[0].type, WQ_T_CHOICE);
}
END_TEST

START_TEST(a_plugin_that_is_nowhere_is_refused_with_the_places)
{
	const char *dirs[] = { "/nonexistent", dir, NULL }, *none[] = { NULL };
	const struct plugin *p;
	struct wq_err err = { 0 };

	ck_assert_int_eq(plugin_load("absent", dirs, &p, &err), -ENOENT);
	assert_says(
		&err, "plugin 'absent': there is no absent.so in '/nonexistent', '/tmp/wq-load-");
	ck_assert_int_eq(plugin_load("absent", none, &p, &err), -ENOENT);
	ck_assert_int_eq(plugin_load("/nonexistent/x.so", none, &p, &err), -ENOENT);
	assert_says(&err, "cannot open plugin '/nonexistent/x.so'");
}
END_TEST

START_TEST(a_name_with_other_letters_is_refused)
{
	static const char *const names[] = { "", "..", "Null", "null.so", "9null", "nu ll" };
	const char *dirs[] = { dir, NULL };
	const struct plugin *p;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct wq_err err = { 0 };
		ck_assert_int_eq(plugin_load(names[i], dirs, &p, &err), -WQ_E_REFUSED);
		assert_says(&err, "a name is [a-z][a-z0-9-]*");
	}
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused_without_waiting)
{
	const char *none[] = { NULL };
	const struct plugin *p;
	struct wq_err err = { 0 };
	ck_assert_int_eq(mkfifo(path, 0600), 0);

	ck_assert_int_eq(plugin_load(path, none, &p, &err), -WQ_E_REFUSED);

	assert_says(&err, path);
	assert_says(&err, "is not a regular file");
}
END_TEST

START_TEST(a_file_that_others_may_write_is_refused)
{
	const char *none[] = { NULL };
	const struct plugin *p;
	struct wq_err err = { 0 };
	copy_null();

	ck_assert_int_eq(chmod(path, 0646), 0);
	ck_assert_int_eq(plugin_load(path, none, &p, &err), -WQ_E_REFUSED);
	assert_says(&err, "(mode 0646): chmod go-w it");
	ck_assert_int_eq(chmod(path, 0664), 0);
	ck_assert_int_eq(plugin_load(path, none, &p, &err), -WQ_E_REFUSED);
	ck_assert_int_eq(chmod(path, 0644), 0);

	ck_assert_int_eq(plugin_load(path, none, &p, &err), 0);
}
END_TEST

START_TEST(a_file_of_another_user_is_refused)
{
	const char *none[] = { NULL };
	const struct plugin *p;
	struct wq_err err = { 0 };
	copy_null();
	if (chown(path, 4321, (gid_t)-1) < 0)
		return; /* only root can give files away */

	ck_assert_int_eq(plugin_load(path, none, &p, &err), -WQ_E_REFUSED);

	assert_says(
		&err, "belongs to user 4321: it must belong to root or to the user of the server");
}
END_TEST

START_TEST(a_file_with_another_name_is_refused)
{
	char other[128];
	const char *none[] = { NULL };
	const struct plugin *p;
	struct wq_err err = { 0 };
	copy_null();
	snprintf(other, sizeof other, "%s/zero.so", dir);
	ck_assert_int_eq(rename(path, other), 0);

	int rc = plugin_load(other, none, &p, &err);
	unlink(other);

	ck_assert_int_eq(rc, -WQ_E_REFUSED);
	assert_says(&err, "it calls itself 'null': the file must be null.so");
}
END_TEST

/* Each file of tests/plugin/bad, what it is refused with, and whether its code may have run. */
static const struct {
	const char *name;
	int code;
	const char *parts[3];
	bool may_run;
} refusals[] = {
	{ "nonote", -WQ_E_REFUSED, { "nonote.so' is no plugin of wq", "WQ_PLUGIN" }, false },
	{ "bad-major", -WQ_E_UNSUPPORTED,
		{ "bad-major.so' is built for plugin ABI 7.2", "this server has 0.2" }, false },
	{ "newer-minor", -WQ_E_UNSUPPORTED, { "plugin ABI 0.999", "needs a newer server" }, false },
	{ "undefined-symbol", -WQ_E_REFUSED,
		{ "cannot load plugin", "undefined symbol: wq_test_nobody_has_this" }, true },
	{ "no-entry", -WQ_E_REFUSED, { "no-entry.so' does not export wq_plugin_v1" }, true },
	{ "declines", -WQ_E_REFUSED, { "declines.so' declines to work here" }, true },
	{ "bad-magic", -WQ_E_REFUSED,
		{ "bad-magic.so' is broken", "magic 0x0badcafe instead of 0x31505157" }, true },
	{ "small-size", -WQ_E_REFUSED,
		{ "small-size.so' is broken", "struct_size 16; 96 to 65536" }, true },
	{ "wrong-name", -WQ_E_REFUSED,
		{ "wrong-name.so' is broken", "calls itself 'other': the file must be other.so" },
		true },
	{ "null-op", -WQ_E_REFUSED, { "null-op.so' is broken: it lacks the operation reap" },
		true },
	{ "bad-options", -WQ_E_REFUSED,
		{ "bad-options.so' is broken: option table", "speed", "fast" }, true },
	{ "caps", -WQ_E_REFUSED,
		{ "caps.so' is broken: its caps have the bits 0x40000000", "ABI 0.2" }, true },
	{ "deaf", -WQ_E_REFUSED,
		{ "deaf.so' is broken: it has WQ_CAP_CHILDREN and lacks the operation on_child" },
		true },
	{ "homeless", -WQ_E_REFUSED,
		{ "homeless.so' is broken: it has WQ_CAP_CHILDREN without WQ_CAP_WORK_DIR" },
		true },
};

START_TEST(a_plugin_that_is_wrong_is_refused_with_the_reason)
{
	struct wq_err err = { 0 };
	unsetenv("WQ_TEST_CODE_RAN");

	int rc = rig_try_load("WQ_TEST_PLUGINS", refusals[_i].name, &err);

	ck_assert_msg(rc == refusals[_i].code, "%d: %s", rc, err.text);
	for (int i = 0; i < 3 && refusals[_i].parts[i]; i++)
		assert_says(&err, refusals[_i].parts[i]);
	if (!refusals[_i].may_run)
		ck_assert_ptr_null(getenv("WQ_TEST_CODE_RAN"));
}
END_TEST

START_TEST(a_descriptor_that_is_shorter_than_ours_is_taken_as_far_as_it_goes)
{
	const struct plugin *p = rig_load("WQ_TEST_PLUGINS", "older");

	ck_assert(p->desc.has_capacity != NULL);
	ck_assert(p->desc.create == NULL);
	ck_assert(p->desc.destroy == NULL);
	ck_assert_str_eq(p->desc.version, "");
}
END_TEST

START_TEST(a_plugin_of_abi_0_1_loads_and_has_nothing_of_0_2)
{
	const struct plugin *p = rig_load("WQ_TEST_PLUGINS", "abi-0-1");

	ck_assert_uint_eq(p->desc.abi_minor, 1);
	ck_assert(p->desc.ack != NULL);
	ck_assert(p->desc.on_child == NULL);
	ck_assert(p->desc.recover == NULL);
	ck_assert(p->desc.recover_end == NULL);
	ck_assert_uint_eq(p->desc.struct_size, sizeof p->desc);

	/* It runs, too, and cannot recover. */
	rig_start(p, NULL);
	ck_assert(!instance_can_recover(rig_instance));
	ck_assert_int_eq(instance_has_capacity(rig_instance), 0);
	ck_assert_int_eq(instance_stop(rig_instance, WQ_STOP_KILL), 0);
	rig_free();
}
END_TEST

START_TEST(describe_names_the_capabilities_and_operations_of_0_2)
{
	char text[4096] = "";
	static struct plugin p;
	FILE *out = fmemopen(text, sizeof text, "w");

	probe_reset();
	probe_can_recover();
	p = probe_plugin;
	p.path = (char[]){ "/probe.so" };
	p.desc.summary = "";
	plugin_describe(&p, out);
	fclose(out);

	rig_assert_text(text, "capabilities:  wakes work-dir children\n");
	rig_assert_text(text, " ack on_child recover recover_end\n");
}
END_TEST

START_TEST(describe_names_what_a_plugin_is_and_takes)
{
	char text[4096] = "";
	FILE *out = fmemopen(text, sizeof text, "w");

	plugin_describe(rig_load("WQ_PLUGINS", "faulty"), out);
	fclose(out);

	static const char *const parts[] = { "faulty 1.0", "breaks one rule on request",
		"/faulty.so", "0.2", "wakes",
		"start_task reap terminate has_capacity create destroy start on_ready", "fault" };
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		ck_assert_msg(strstr(text, parts[i]) != NULL, "no '%s' in: %s", parts[i], text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plugin/load");
	TCase *tc = tcase_create("load");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_name_is_looked_up_in_the_directories_in_their_order);
	tcase_add_test(tc, a_plugin_that_is_loaded_already_is_answered_again);
	tcase_add_test(tc, a_file_that_was_replaced_after_loading_is_used_only_after_a_restart);
	tcase_add_test(tc, the_options_of_a_plugin_are_copied);
	tcase_add_test(tc, a_descriptor_that_is_shorter_than_ours_is_taken_as_far_as_it_goes);
	tcase_add_test(tc, a_plugin_of_abi_0_1_loads_and_has_nothing_of_0_2);
	tcase_add_test(tc, describe_names_what_a_plugin_is_and_takes);
	tcase_add_test(tc, describe_names_the_capabilities_and_operations_of_0_2);
	suite_add_tcase(s, tc);

	TCase *refuse = tcase_create("refuse");
	tcase_add_checked_fixture(refuse, setup, teardown);
	tcase_add_test(refuse, a_plugin_that_is_nowhere_is_refused_with_the_places);
	tcase_add_test(refuse, a_name_with_other_letters_is_refused);
	tcase_add_test(refuse, what_is_no_regular_file_is_refused_without_waiting);
	tcase_add_test(refuse, a_file_that_others_may_write_is_refused);
	tcase_add_test(refuse, a_file_of_another_user_is_refused);
	tcase_add_test(refuse, a_file_with_another_name_is_refused);
	tcase_add_loop_test(refuse, a_plugin_that_is_wrong_is_refused_with_the_reason, 0,
		(int)(sizeof refusals / sizeof *refusals));
	suite_add_tcase(s, refuse);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
