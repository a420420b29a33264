// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The index beside the journal is a cache: it is never believed against the journal. */
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
#include "core/journal_file.h"

static char dir[] = "/tmp/steer-index-XXXXXX";
static struct diag why;
static struct diag notice;

static const char *file_path(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int remove_dir(void **state)
{
	static const char *const names[] = {"journal", "journal.damaged", "journal.index",
					    "hash.key"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unlink(file_path(names[i]));
	return rmdir(dir);
}

static struct journal *open_journal(enum journal_mode mode)
{
	struct journal *journal = NULL;

	assert_int_equal(journal_open(dir, mode, &journal, &notice, &why), 0);
	return journal;
}

static void commit(struct journal *journal, uint64_t revision)
{
	const struct journal_entry entry = {.revision = revision,
					    .parent = revision - 1,
					    .command = "steerctl switch web green",
					    .reason = "\"},\"reason\":\",\"policy\":{"};
	const struct policy policy = {.revision = revision, .flows = POLICY_FLOWS};

	assert_int_equal(journal_intent(journal, &entry, &policy, &why), 0);
	assert_int_equal(journal_done(journal, revision, &why), 0);
}

/* A journal of three revisions, with its index. */
static int make_journal(void **state)
{
	struct journal *journal;

	(void)state;
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	if (!mkdtemp(dir))
		return -1;
	journal = open_journal(JOURNAL_WRITE);
	for (uint64_t revision = 1; revision <= 3; revision++)
		commit(journal, revision);
	journal_close(journal);
	return access(file_path("journal.index"), R_OK);
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

static int64_t changed(void)
{
	struct stat facts;

	assert_int_equal(stat(file_path("journal"), &facts), 0);
	return facts.st_ctim.tv_sec * 1000000000 + facts.st_ctim.tv_nsec;
}

/*
 * Other bytes in the same file. Where the kernel's clock for files is coarse, a change so soon
 * after the one before it could have the same time; repeated until it has not.
 */
static void edit_journal(const char *bytes, size_t size)
{
	int64_t before = changed();

	for (int i = 0; i < 1000000; i++) {
		write_file("journal", bytes, size);
		if (changed() != before)
			return;
	}
	fail_msg("the time of the last change stands still");
}

/* Damage line 3, the intent of revision 2. Returns the size of the journal. */
static size_t flip_policy(char *bytes, size_t room)
{
	size_t size = read_file("journal", bytes, room - 1);
	char *line;

	bytes[size] = '\0';
	line = strchr(strchr(bytes, '\n') + 1, '\n') + 1;
	*strstr(line, "last_backend_id") ^= 1;
	return size;
}

/* What no time tells: the disk gives back another byte. The index still fits. */
static void rot(void)
{
	char bytes[8192];
	size_t size = flip_policy(bytes, sizeof(bytes));
	struct journal *journal = open_journal(JOURNAL_WRITE);
	struct stat facts;

	write_file("journal", bytes, size);
	assert_int_equal(fstat(journal->fd, &facts), 0);
	journal_look(&facts, &journal->seen);
	journal_index_write(journal);
	journal_close(journal);
}

static void the_index_answers_as_the_lines_do(void **state)
{
	const struct journal_entry entry = {.revision = 4, .parent = 3, .reason = "freeze"};
	const struct policy policy = {.revision = 4, .flows = POLICY_FLOWS};
	struct journal *journal = open_journal(JOURNAL_WRITE);
	struct journal *full;

	(void)state;
	assert_int_equal(journal_tag(journal, 2, "good", &why), 0);
	assert_int_equal(journal_set_lock(journal, &entry, 1000, &why), 0);
	assert_int_equal(journal_intent(journal, &entry, &policy, &why), 0);
	journal_close(journal);

	journal = open_journal(JOURNAL_READ);
	full = open_journal(JOURNAL_CHECK);
	assert_true(journal->is_indexed);
	assert_false(full->is_indexed);
	assert_int_equal(journal->n_entries, 3);
	assert_int_equal(full->n_entries, 3);
	assert_memory_equal(journal->lines, full->lines, 3 * sizeof(*full->lines));
	for (size_t i = 0; i < 3; i++)
		assert_memory_equal(&journal->entries[i], &full->entries[i],
				    sizeof(*full->entries));
	assert_int_equal(journal->size, full->size);
	assert_int_equal(journal->chain, full->chain);
	assert_int_equal(journal->n_lines, full->n_lines);
	assert_int_equal(journal_pending(journal), 4);
	assert_int_equal(journal_find(journal, "good"), 2);
	assert_string_equal(journal_lock(journal, 999)->reason, "freeze");
	assert_int_equal(journal->pending_line.offset, full->pending_line.offset);
	journal_close(full);
	journal_close(journal);
}

static void what_rotted_is_found_where_it_is_read(void **state)
{
	struct journal *journal;
	struct policy policy;

	(void)state;
	rot();
	journal = open_journal(JOURNAL_READ);
	assert_string_equal(notice.text, ""); /* the index was believed */
	assert_int_equal(journal_head(journal), 3);
	assert_int_equal(journal_policy(journal, 2, &policy, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "revision 2"));
	assert_int_equal(journal_policy(journal, 3, &policy, &why), 0);
	policy_free(&policy);
	journal_close(journal);

	journal = open_journal(JOURNAL_CHECK);
	assert_non_null(strstr(notice.text, "line 3"));
	assert_int_equal(journal_head(journal), 1);
	journal_close(journal);
	journal = open_journal(JOURNAL_WRITE);
	assert_non_null(strstr(notice.text, "journal.damaged"));
	assert_int_equal(journal_head(journal), 1);
	journal_close(journal);
}

static void a_change_by_anybody_else_is_found(void **state)
{
	char bytes[8192];
	struct journal *journal;

	(void)state;
	edit_journal(bytes, flip_policy(bytes, sizeof(bytes)));
	journal = open_journal(JOURNAL_READ);
	assert_non_null(strstr(notice.text, "line 3"));
	journal_close(journal);
	/* A rollback goes on with what the index says, but does not vouch for it. */
	journal = open_journal(JOURNAL_URGENT);
	assert_string_equal(notice.text, "");
	commit(journal, 4);
	journal_close(journal);
	journal = open_journal(JOURNAL_WRITE);
	assert_non_null(strstr(notice.text, "line 3"));
	assert_int_equal(journal_head(journal), 1);
	journal_close(journal);
}

static void a_change_during_a_command_is_not_vouched_for(void **state)
{
	char bytes[8192];
	size_t size = flip_policy(bytes, sizeof(bytes));
	struct journal *journal = open_journal(JOURNAL_WRITE);

	(void)state;
	edit_journal(bytes, size);
	commit(journal, 4);
	journal_close(journal);
	journal = open_journal(JOURNAL_READ);
	assert_non_null(strstr(notice.text, "line 3"));
	journal_close(journal);
}

/* Lines after the index: what a writer leaves that was killed. */
static void an_older_index_costs_nothing(void **state)
{
	static const enum journal_mode modes[] = {JOURNAL_READ, JOURNAL_URGENT, JOURNAL_WRITE};
	char index[4096], bytes[8192];
	size_t index_size = read_file("journal.index", index, sizeof(index));
	struct journal *journal = open_journal(JOURNAL_WRITE);
	size_t size;

	(void)state;
	commit(journal, 4);
	journal_close(journal);
	size = read_file("journal", bytes, sizeof(bytes));
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		write_file("journal.index", index, index_size);
		journal = open_journal(modes[i]);
		assert_string_equal(notice.text, "");
		assert_int_equal(journal_head(journal), 4);
		journal_close(journal);
	}
	bytes[size - 10] ^= 1; /* the "done" of revision 4 */
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		write_file("journal.index", index, index_size);
		write_file("journal", bytes, size);
		journal = open_journal(modes[i]);
		assert_non_null(strstr(notice.text, "line 8"));
		assert_int_equal(journal_head(journal), 3);
		assert_int_equal(journal_pending(journal), 4);
		journal_close(journal);
	}
}

static void a_journal_shorter_than_its_index_is_read(void **state)
{
	static const enum journal_mode modes[] = {JOURNAL_READ, JOURNAL_URGENT, JOURNAL_WRITE};
	char index[4096], bytes[8192];
	size_t index_size = read_file("journal.index", index, sizeof(index));
	size_t size = read_file("journal", bytes, sizeof(bytes));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct journal *journal;

		write_file("journal.index", index, index_size);
		write_file("journal", bytes, size - 1);
		journal = open_journal(modes[i]);
		assert_non_null(strstr(notice.text, "line 6"));
		assert_int_equal(journal_head(journal), 2);
		assert_int_equal(journal_pending(journal), 3);
		journal_close(journal);
	}
}

/* The rot shows whether the index was believed. */
static void assert_not_believed(enum journal_mode mode)
{
	struct journal *journal = open_journal(mode);

	assert_non_null(strstr(notice.text, "line 3"));
	journal_close(journal);
}

static void a_damaged_index_is_not_believed(void **state)
{
	char index[4096];
	size_t size;

	(void)state;
	rot();
	size = read_file("journal.index", index, sizeof(index));
	for (size_t i = 0; i < size; i++) {
		index[i] ^= 4;
		write_file("journal.index", index, size);
		assert_not_believed(JOURNAL_READ);
		index[i] ^= 4;
		write_file("journal.index", index, i);
		assert_not_believed(JOURNAL_READ);
	}
	write_file("journal.index", index, size);
	journal_close(open_journal(JOURNAL_READ));
	assert_string_equal(notice.text, "");
}

/* As after copying the directory: the bytes are the same, the file is not. */
static void an_index_of_another_file_is_not_believed(void **state)
{
	char bytes[8192], old[128];
	size_t size;

	(void)state;
	rot();
	size = read_file("journal", bytes, sizeof(bytes));
	(void)snprintf(old, sizeof(old), "%s", file_path("old"));
	assert_int_equal(rename(file_path("journal"), old), 0); /* keeps its inode in use */
	write_file("journal", bytes, size);
	assert_not_believed(JOURNAL_READ);
	assert_not_believed(JOURNAL_URGENT);
	assert_int_equal(unlink(old), 0);
}

static void an_index_of_another_key_is_not_believed(void **state)
{
	char index[4096];
	size_t size = read_file("journal.index", index, sizeof(index));

	(void)state;
	assert_int_equal(unlink(file_path("hash.key")), 0);
	write_file("hash.key", "0123456789abcdef0123456789abcdef\n", 33);
	journal_close(open_journal(JOURNAL_READ));
	assert_non_null(strstr(notice.text, "line 1 on"));
	assert_non_null(strstr(notice.text, "does hash.key belong to it?"));
	assert_int_equal(read_file("journal.index", index, sizeof(index)), size);
}

#define INDEX_TEST(test) cmocka_unit_test_setup_teardown(test, make_journal, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		INDEX_TEST(the_index_answers_as_the_lines_do),
		INDEX_TEST(what_rotted_is_found_where_it_is_read),
		INDEX_TEST(a_change_by_anybody_else_is_found),
		INDEX_TEST(a_change_during_a_command_is_not_vouched_for),
		INDEX_TEST(an_older_index_costs_nothing),
		INDEX_TEST(a_journal_shorter_than_its_index_is_read),
		INDEX_TEST(a_damaged_index_is_not_believed),
		INDEX_TEST(an_index_of_another_file_is_not_believed),
		INDEX_TEST(an_index_of_another_key_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
