// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/journal.h"

#define NOBODY 65534

static char dir[] = "/tmp/steer-journal-XXXXXX";
static struct diag why;
static struct diag notice;

static const char *file_path(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int make_dir(void **state)
{
	(void)state;
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = {"journal", "journal.damaged", "hash.key",
					    "hash.key.new", "journal.index"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unlink(file_path(names[i]));
	return rmdir(dir);
}

static struct journal *open_journal(bool writable)
{
	struct journal *journal = NULL;

	assert_int_equal(
		journal_open(dir, writable ? JOURNAL_WRITE : JOURNAL_READ, &journal, &notice, &why),
		0);
	return journal;
}

static void commit(struct journal *journal, uint64_t revision)
{
	const struct journal_entry entry = {.revision = revision,
					    .parent = revision - 1,
					    .command = "steerctl switch web green",
					    .reason = "caf\xc3"};
	const struct policy policy = {.revision = revision, .flows = POLICY_FLOWS};

	assert_int_equal(journal_intent(journal, &entry, &policy, &why), 0);
	assert_int_equal(journal_pending(journal), revision);
	assert_int_equal(journal_done(journal, revision, &why), 0);
}

static void write_journal(uint64_t revisions)
{
	struct journal *journal = open_journal(true);

	for (uint64_t revision = 1; revision <= revisions; revision++)
		commit(journal, revision);
	journal_close(journal);
}

static size_t read_file(const char *name, char *ret_bytes, size_t room)
{
	auto_fclose FILE *file = fopen(file_path(name), "re");

	assert_non_null(file);
	return fread(ret_bytes, 1, room, file);
}

static void write_file(const char *name, const char *bytes, size_t size)
{
	auto_fclose FILE *file = fopen(file_path(name), "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
}

static void revisions_survive_closing(void **state)
{
	const struct journal_entry *entries;
	struct journal *journal;
	struct policy policy;
	struct stat facts;
	size_t count;

	(void)state;
	write_journal(100);
	journal = open_journal(false);
	assert_string_equal(notice.text, "");
	entries = journal_entries(journal, &count);
	assert_int_equal(count, 100);
	assert_int_equal(journal_head(journal), 100);
	assert_int_equal(entries[9].revision, 10);
	assert_int_equal(entries[9].parent, 9);
	assert_string_equal(entries[9].command, "steerctl switch web green");
	assert_string_equal(entries[9].reason, "caf?");
	assert_int_equal(journal_policy(journal, 10, &policy, &why), 0);
	assert_int_equal(policy.revision, 10);
	policy_free(&policy);
	assert_int_equal(journal_policy(journal, 101, &policy, &why), -ENOENT);
	assert_int_equal(journal_tag(journal, 1, "first", &why), -EROFS);
	journal_close(journal);
	assert_int_equal(stat(file_path("hash.key"), &facts), 0);
	assert_int_equal(facts.st_mode & 0777, 0600);
}

static void a_torn_last_line_costs_only_itself_at_every_offset(void **state)
{
	char bytes[8192];
	char damaged[8192];
	size_t size;
	size_t last;

	(void)state;
	write_journal(3);
	size = read_file("journal", bytes, sizeof(bytes));
	assert_true(size < sizeof(bytes));
	for (last = size - 1; bytes[last - 1] != '\n'; last--)
		;
	for (size_t cut = last; cut < size; cut++) {
		struct journal *journal;

		(void)unlink(file_path("journal.damaged"));
		write_file("journal", bytes, cut);
		journal = open_journal(true);
		assert_int_equal(journal_head(journal), 2);
		assert_int_equal(journal_pending(journal), 3);
		assert_int_equal(*notice.text != '\0', cut > last);
		assert_int_equal(journal_done(journal, 3, &why), 0);
		journal_close(journal);
		if (cut > last) {
			assert_int_equal(read_file("journal.damaged", damaged, sizeof(damaged)),
					 cut - last);
			assert_memory_equal(damaged, bytes + last, cut - last);
		}
		journal = open_journal(false);
		assert_string_equal(notice.text, "");
		assert_int_equal(journal_head(journal), 3);
		journal_close(journal);
	}
}

static void a_damaged_middle_line_ends_the_journal_before_it(void **state)
{
	char bytes[8192];
	char damaged[8192];
	struct journal *journal;
	size_t size;
	char *line;

	(void)state;
	write_journal(3);
	size = read_file("journal", bytes, sizeof(bytes) - 1);
	bytes[size] = '\0';
	line = strchr(strchr(bytes, '\n') + 1, '\n') + 1; /* intent of revision 2 */
	*strstr(line, "green") = 'G';
	write_file("journal", bytes, size);

	journal = open_journal(false);
	assert_int_equal(journal_head(journal), 1);
	assert_non_null(strstr(notice.text, "line 3"));
	journal_close(journal);
	journal = open_journal(true);
	assert_int_equal(journal_head(journal), 1);
	assert_int_equal(journal_pending(journal), 0);
	assert_non_null(strstr(notice.text, "journal.damaged"));
	commit(journal, 2);
	journal_close(journal);
	assert_int_equal(read_file("journal.damaged", damaged, sizeof(damaged)),
			 size - (size_t)(line - bytes));
	assert_memory_equal(damaged, line, size - (size_t)(line - bytes));
}

static void a_missing_key_does_not_cost_the_journal(void **state)
{
	char before[4096];
	char after[4096];
	struct journal *journal = NULL;
	size_t size;

	(void)state;
	write_journal(2);
	size = read_file("journal", before, sizeof(before));
	assert_int_equal(unlink(file_path("hash.key")), 0);
	assert_int_equal(journal_open(dir, JOURNAL_WRITE, &journal, &notice, &why), -ENOKEY);
	assert_non_null(strstr(why.text, "hash.key"));
	assert_null(journal);
	assert_int_equal(read_file("journal", after, sizeof(after)), size);
	assert_memory_equal(before, after, size);
	assert_int_equal(access(file_path("hash.key"), F_OK), -1);
}

static void only_an_empty_journal_takes_another_key(void **state)
{
	static const uint64_t key[2] = {17, 4};
	struct journal *journal = open_journal(true);

	(void)state;
	assert_int_equal(journal_use_key(journal, dir, key, &why), 0);
	commit(journal, 1);
	journal_close(journal);
	journal = open_journal(true);
	assert_string_equal(notice.text, "");
	assert_memory_equal(journal_key(journal), key, sizeof(key));
	assert_int_equal(journal_use_key(journal, dir, (const uint64_t[2]){0, 1}, &why), 0);
	assert_memory_equal(journal_key(journal), key, sizeof(key));
	journal_close(journal);
}

static void an_unwritable_directory_is_named(void **state)
{
	struct journal *journal = NULL;
	char below[160];
	bool is_root = geteuid() == 0;

	(void)state;
	write_file("journal", "", 0);
	(void)snprintf(below, sizeof(below), "%s/journal/x", dir);
	assert_int_equal(journal_open(below, JOURNAL_WRITE, &journal, &notice, &why), -ENOTDIR);
	assert_non_null(strstr(why.text, below));
	assert_int_equal(unlink(file_path("journal")), 0);
	assert_int_equal(journal_open(dir, JOURNAL_READ, &journal, &notice, &why), -ENOENT);

	assert_int_equal(chmod(dir, 0555), 0);
	if (is_root)
		assert_int_equal(seteuid(NOBODY), 0);
	assert_int_equal(journal_open(dir, JOURNAL_WRITE, &journal, &notice, &why), -EACCES);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(dir, 0700), 0);
	assert_non_null(strstr(why.text, dir));
	assert_null(journal);
}

/* A rollback that went without the lock, past a writer that was stopped. */
static void a_line_is_not_added_to_a_journal_that_grew_meanwhile(void **state)
{
	const struct journal_entry begun = {.revision = 2, .parent = 1};
	const struct policy policy = {.revision = 2, .flows = POLICY_FLOWS};
	struct journal *stopped, *passing;

	(void)state;
	write_journal(1);
	stopped = open_journal(true);
	assert_int_equal(journal_intent(stopped, &begun, &policy, &why), 0);
	passing = open_journal(true);
	assert_int_equal(journal_adopt(passing, &begun, &policy, &why), 0);
	assert_int_equal(journal_abort(stopped, 2, &why), -ESTALE);
	assert_int_equal(journal_done(stopped, 2, &why), -ESTALE);
	journal_close(stopped);
	journal_close(passing);
	passing = open_journal(true);
	assert_string_equal(notice.text, "");
	assert_int_equal(journal_head(passing), 2);
	journal_close(passing);
}

static void a_tag_names_one_revision(void **state)
{
	struct journal *journal;

	(void)state;
	write_journal(3);
	journal = open_journal(true);
	assert_int_equal(journal_tag(journal, 1, "good", &why), 0);
	assert_int_equal(journal_tag(journal, 2, "v2.0", &why), 0);
	assert_int_equal(journal_tag(journal, 3, "good", &why), 0);
	assert_int_equal(journal_tag(journal, 4, "none", &why), -ENOENT);
	assert_int_equal(journal_tag(journal, 1, "17", &why), -EINVAL);
	assert_int_equal(journal_tag(journal, 1, "a b", &why), -EINVAL);
	journal_close(journal);
	journal = open_journal(false);
	assert_int_equal(journal_find(journal, "good"), 3);
	assert_int_equal(journal_find(journal, "v2.0"), 2);
	assert_int_equal(journal_find(journal, "1"), 1);
	assert_int_equal(journal_find(journal, "4"), 0);
	assert_int_equal(journal_find(journal, "99999999999999999999999"), 0);
	assert_int_equal(journal_find(journal, "bad"), 0);
	assert_int_equal(journal_find(journal, ""), 0);
	journal_close(journal);
}

static void an_intent_stays_pending_until_it_ends(void **state)
{
	const struct journal_entry entry = {.revision = 2, .parent = 1};
	const struct policy policy = {.revision = 2, .flows = POLICY_FLOWS};
	struct policy begun;
	struct journal *journal;

	(void)state;
	write_journal(1);
	journal = open_journal(true);
	assert_int_equal(journal_intent(journal, &entry, &policy, &why), 0);
	journal_close(journal);
	journal = open_journal(true);
	assert_int_equal(journal_head(journal), 1);
	assert_int_equal(journal_pending(journal), 2);
	assert_int_equal(journal_policy(journal, 2, &begun, &why), 0);
	policy_free(&begun);
	assert_int_equal(journal_intent(journal, &entry, &policy, &why), -EBUSY);
	assert_int_equal(journal_done(journal, 3, &why), -ENOENT);
	assert_int_equal(journal_abort(journal, 2, &why), 0);
	assert_int_equal(journal_pending(journal), 0);
	assert_int_equal(journal_policy(journal, 2, &begun, &why), -ENOENT);
	commit(journal, 2);
	assert_int_equal(journal_intent(journal, &entry, &policy, &why), -ESTALE);
	journal_close(journal);
}

static void a_revision_of_the_kernel_can_be_adopted(void **state)
{
	const struct journal_entry begun = {.revision = 2, .parent = 1};
	const struct journal_entry ahead = {.revision = 5, .parent = 4, .reason = "timer"};
	const struct policy policy = {.revision = 5, .flows = POLICY_FLOWS};
	const struct journal_entry *entries;
	struct policy adopted;
	struct journal *journal;
	size_t count;

	(void)state;
	write_journal(1);
	journal = open_journal(true);
	assert_int_equal(journal_intent(journal, &begun, &policy, &why), 0);
	assert_int_equal(journal_adopt(journal, &ahead, &policy, &why), 0);
	assert_int_equal(journal_adopt(journal, &ahead, &policy, &why), -ESTALE);
	journal_close(journal);
	journal = open_journal(true);
	entries = journal_entries(journal, &count);
	assert_int_equal(count, 2);
	assert_true(entries[1].is_adopted);
	assert_false(entries[0].is_adopted);
	assert_int_equal(journal_head(journal), 5);
	assert_int_equal(journal_pending(journal), 0);
	assert_int_equal(journal_policy(journal, 5, &adopted, &why), 0);
	policy_free(&adopted);
	commit(journal, 6);
	journal_close(journal);
}

static void a_lock_survives_closing_and_ends_with_its_time_or_unlock(void **state)
{
	const struct journal_entry entry = {
		.revision = 1, .command = "lock", .reason = "release freeze", .login = "anna"};
	const struct journal_lock *lock;
	struct journal *journal;

	(void)state;
	write_journal(1);
	journal = open_journal(true);
	assert_null(journal_lock(journal, 0));
	assert_int_equal(journal_set_lock(journal, &entry, 1000, &why), 0);
	journal_close(journal);

	journal = open_journal(true);
	lock = journal_lock(journal, 999);
	assert_non_null(lock);
	assert_string_equal(lock->reason, "release freeze");
	assert_true(lock->login[0]); /* who logged in, else who is named by sudo */
	assert_null(journal_lock(journal, 1000));
	assert_int_equal(journal_set_lock(journal, &entry, 0, &why), 0);
	assert_non_null(journal_lock(journal, INT64_MAX));
	assert_int_equal(journal_unlock(journal, &entry, &why), 0);
	assert_null(journal_lock(journal, 0));
	assert_int_equal(journal_head(journal), 1);
	journal_close(journal);
}

#define JOURNAL_TEST(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOURNAL_TEST(revisions_survive_closing),
		JOURNAL_TEST(a_torn_last_line_costs_only_itself_at_every_offset),
		JOURNAL_TEST(a_damaged_middle_line_ends_the_journal_before_it),
		JOURNAL_TEST(a_missing_key_does_not_cost_the_journal),
		JOURNAL_TEST(only_an_empty_journal_takes_another_key),
		JOURNAL_TEST(an_unwritable_directory_is_named),
		JOURNAL_TEST(a_line_is_not_added_to_a_journal_that_grew_meanwhile),
		JOURNAL_TEST(a_tag_names_one_revision),
		JOURNAL_TEST(an_intent_stays_pending_until_it_ends),
		JOURNAL_TEST(a_revision_of_the_kernel_can_be_adopted),
		JOURNAL_TEST(a_lock_survives_closing_and_ends_with_its_time_or_unlock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
