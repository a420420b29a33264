// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Opening the journal: the key, the lines in order, and what to do with those that do not chain.
 *
 * A new key would make every line of an old journal look damaged, so a key is created only
 * beside an empty journal.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/journal_file.h"

#define KEY_DIGITS 32
#define COPY_BYTES 65536

/* mkdir -p, for the owner alone. */
static int make_dir(const char *dir, struct diag *why)
{
	auto_free char *path = strdup(dir);

	if (!path)
		return diag_fail(why, -ENOMEM, "memory is short");
	for (char *slash = path + 1; *path && slash;) {
		slash = strchr(slash, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return diag_fail(why, -errno, "cannot create '%s': %m", path);
		if (slash)
			*slash++ = '/';
	}
	return 0;
}

static int sync_dir(const char *dir, struct diag *why)
{
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return diag_fail(why, -errno, "cannot sync '%s': %m", dir);
	return 0;
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t written = write(fd, bytes, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		size -= (size_t)written;
	}
	return 0;
}

static int read_key(const char *path, uint64_t ret_key[2], struct diag *why)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[KEY_DIGITS + 2];
	ssize_t size;

	if (fd < 0)
		return diag_fail(why, -errno, "cannot open '%s': %m", path);
	size = read(fd, text, sizeof(text));
	if (size < 0)
		return diag_fail(why, -errno, "cannot read '%s': %m", path);
	if (size != KEY_DIGITS + 1 || text[KEY_DIGITS] != '\n')
		return diag_fail(why, -EKEYREJECTED, "'%s' is not a key of %d hexadecimal digits",
				 path, KEY_DIGITS);
	text[KEY_DIGITS] = '\0';
	if (strspn(text, "0123456789abcdef") != KEY_DIGITS)
		return diag_fail(why, -EKEYREJECTED, "'%s' is not a key of %d hexadecimal digits",
				 path, KEY_DIGITS);
	ret_key[1] = strtoull(text + KEY_DIGITS / 2, NULL, 16);
	text[KEY_DIGITS / 2] = '\0';
	ret_key[0] = strtoull(text, NULL, 16);
	return 0;
}

/* A key appears whole or not at all: written beside, then renamed. */
static int write_key(const char *dir, const char *path, const uint64_t key[2], struct diag *why)
{
	auto_free char *beside = NULL;
	auto_close int fd = -1;
	char text[KEY_DIGITS + 2];
	int error;

	if (asprintf(&beside, "%s.new", path) < 0) {
		beside = NULL;
		return diag_fail(why, -ENOMEM, "memory is short");
	}
	(void)snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64 "\n", key[0], key[1]);
	(void)unlink(beside);
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return diag_fail(why, -errno, "cannot create '%s': %m", beside);
	error = write_all(fd, text, KEY_DIGITS + 1);
	if (error) {
		errno = -error;
		return diag_fail(why, error, "cannot write '%s': %m", beside);
	}
	if (fsync(fd) < 0 || rename(beside, path) < 0)
		return diag_fail(why, -errno, "cannot write '%s': %m", path);
	return sync_dir(dir, why);
}

static int create_key(const char *dir, const char *path, struct diag *why)
{
	auto_close int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	uint64_t key[2];

	if (fd < 0 || read(fd, key, sizeof(key)) != (ssize_t)sizeof(key))
		return diag_fail(why, -EIO, "cannot read '/dev/urandom'");
	return write_key(dir, path, key, why);
}

int journal_use_key(struct journal *journal, const char *dir, const uint64_t key[2],
		    struct diag *why)
{
	auto_free char *path = NULL;
	int error;

	if (journal->size > 0 || memcmp(journal->key, key, sizeof(journal->key)) == 0)
		return 0;
	if (asprintf(&path, "%s/hash.key", dir) < 0) {
		path = NULL;
		return diag_fail(why, -ENOMEM, "memory is short");
	}
	error = write_key(dir, path, key, why);
	if (!error)
		memcpy(journal->key, key, sizeof(journal->key));
	return error;
}

static int open_key(struct journal *journal, const char *dir, bool is_empty, struct diag *why)
{
	auto_free char *path = NULL;
	int error;

	if (asprintf(&path, "%s/hash.key", dir) < 0) {
		path = NULL;
		return diag_fail(why, -ENOMEM, "memory is short");
	}
	if (access(path, F_OK) < 0 && errno == ENOENT) {
		if (!is_empty)
			return diag_fail(why, -ENOKEY,
					 "'%s' is missing but '%s' is not empty: restore the key, "
					 "or move the journal away to begin anew",
					 path, journal->path);
		if (journal->is_writable) {
			error = create_key(dir, path, why);
			if (error)
				return error;
		}
	}
	return read_key(path, journal->key, why);
}

/*
 * The object at @text, which is NUL-terminated, without its policy: that is most of the line, and
 * few are ever asked for. No text holds what is looked for, since a quote in it has a backslash.
 */
static json_t *parse_small(char *text, size_t size)
{
	static const char policy[] = ",\"policy\":";
	static const char after[] = ",\"reason\":"; /* the field that sorts next */
	char *end = text + size;
	char *from = memmem(text, size, policy, sizeof(policy) - 1);
	char *to = from ? end - sizeof(after) + 1 : NULL;

	while (from && to > from && memcmp(to, after, sizeof(after) - 1) != 0)
		to--;
	if (from && to > from)
		memmove(from, to, (size_t)(end - to) + 1);
	return json_loads(text, JSON_REJECT_DUPLICATES, NULL);
}

/* Take the line at @text into account, if it chains. Errors: -EBADMSG, -EPROTO, -ENOMEM. */
static int replay_line(struct journal *journal, char *text, size_t size)
{
	uint64_t chain;
	json_t *line;
	char *body;
	int error = journal_check(journal, journal->chain, text, size, &body, &chain);

	if (error)
		return error;
	error = journal_reserve(journal);
	if (error)
		return error;
	line = parse_small(body, (size_t)(text + size - 1 - body));
	if (!line)
		return -EBADMSG;
	error = journal_apply(journal, line, size);
	json_decref(line);
	if (error)
		return error;
	journal->chain = chain;
	journal->size += (int64_t)size;
	journal->n_lines++;
	return 0;
}

/* Replay until the end or the first line that does not chain. */
static int replay(struct journal *journal, struct diag *why)
{
	auto_fclose FILE *file = fopen(journal->path, "re");
	auto_free char *text = NULL;
	size_t room = 0;
	ssize_t size;

	if (!file || fseeko(file, journal->size, SEEK_SET) < 0)
		return diag_fail(why, -errno, "cannot open '%s': %m", journal->path);
	while ((size = getline(&text, &room, file)) > 0) {
		int error = replay_line(journal, text, (size_t)size);

		if (error == -EBADMSG)
			break;
		if (error == -EPROTO)
			return diag_fail(why, error,
					 "'%s' line %" PRIu64 " is intact but means nothing to "
					 "this version of steer; nothing was changed",
					 journal->path, journal->n_lines + 1);
		if (error)
			return diag_fail(why, error, "memory is short");
	}
	if (ferror(file))
		return diag_fail(why, -EIO, "cannot read '%s'", journal->path);
	return 0;
}

/* Append everything from journal->size on to journal.damaged; then cut it off. */
static int move_damaged(struct journal *journal, const char *dir, struct diag *why)
{
	auto_free char *path = NULL;
	auto_free char *bytes = malloc(COPY_BYTES);
	auto_close int fd = -1;
	int64_t offset = journal->size;
	struct stat facts;
	ssize_t size;
	int error = 0;

	if (!bytes || asprintf(&path, "%s.damaged", journal->path) < 0) {
		path = NULL;
		return diag_fail(why, -ENOMEM, "memory is short");
	}
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return diag_fail(why, -errno, "cannot open '%s': %m", path);
	while (!error && (size = pread(journal->fd, bytes, COPY_BYTES, offset)) > 0) {
		error = write_all(fd, bytes, (size_t)size);
		offset += size;
	}
	if (!error && (size < 0 || fsync(fd) < 0))
		error = -errno;
	if (error) {
		errno = -error;
		return diag_fail(why, error, "cannot move damaged lines to '%s': %m", path);
	}
	error = sync_dir(dir, why);
	if (error)
		return error;
	if (ftruncate(journal->fd, journal->size) < 0 || fsync(journal->fd) < 0 ||
	    fstat(journal->fd, &facts) < 0)
		return diag_fail(why, -errno, "cannot cut '%s': %m", journal->path);
	journal_look(&facts, &journal->seen);
	journal->is_indexed = false;
	return 0;
}

static int open_file(struct journal *journal, const char *dir, struct stat *ret_facts,
		     struct diag *why)
{
	int flags = journal->is_writable ? O_RDWR | O_APPEND | O_CREAT : O_RDONLY;

	if (asprintf(&journal->path, "%s/journal", dir) < 0) {
		journal->path = NULL;
		return diag_fail(why, -ENOMEM, "memory is short");
	}
	journal->fd = open(journal->path, flags | O_CLOEXEC, 0600);
	if (journal->fd < 0)
		return diag_fail(why, -errno, "cannot open '%s': %m", journal->path);
	if (fstat(journal->fd, ret_facts) < 0)
		return diag_fail(why, -errno, "cannot read '%s': %m", journal->path);
	journal_look(ret_facts, &journal->seen);
	/* It may be new; its first line is worth nothing without the name. */
	return journal->is_writable && !ret_facts->st_size ? sync_dir(dir, why) : 0;
}

static int end_damaged(struct journal *journal, const char *dir, int64_t size,
		       struct diag *ret_notice, struct diag *why)
{
	int error = 0;

	if (journal->is_writable)
		error = move_damaged(journal, dir, why);
	else if (journal->mode == JOURNAL_CHECK)
		journal_index_remove(journal); /* it may vouch for them: the next writer looks */
	if (!error)
		(void)diag_fail(ret_notice, 0,
				"'%s' is torn or damaged from line %" PRIu64 " on: %" PRId64
				" bytes %s%s%s",
				journal->path, journal->n_lines + 1, size - journal->size,
				journal->is_writable ? "moved to journal.damaged" : "ignored",
				journal->n_lines ? "" : " (does hash.key belong to it?)",
				journal->n_entries ? "; all before is intact" : "");
	return error;
}

static int load(struct journal *journal, const char *dir, struct diag *ret_notice, struct diag *why)
{
	struct stat facts = {0};
	int error = open_file(journal, dir, &facts, why);

	if (error)
		return error;
	error = open_key(journal, dir, facts.st_size == 0, why);
	if (error)
		return error;
	journal->is_sure = true;
	if (journal->mode != JOURNAL_CHECK)
		journal_index_read(journal, &facts);
	if (journal->size < facts.st_size)
		error = replay(journal, why);
	if (error || journal->size >= facts.st_size)
		return error;
	return end_damaged(journal, dir, facts.st_size, ret_notice, why);
}

int journal_open(const char *dir, enum journal_mode mode, struct journal **ret_journal,
		 struct diag *ret_notice, struct diag *why)
{
	bool writable = mode == JOURNAL_WRITE || mode == JOURNAL_URGENT;
	struct journal *journal;
	int error;

	if (ret_notice)
		ret_notice->text[0] = '\0';
	error = writable ? make_dir(dir, why) : 0;
	if (error)
		return error;
	journal = calloc(1, sizeof(*journal));
	if (!journal)
		return diag_fail(why, -ENOMEM, "memory is short");
	journal->fd = -1;
	journal->mode = mode;
	journal->is_writable = writable;
	error = load(journal, dir, ret_notice, why);
	if (error) {
		journal_close(journal);
		return error;
	}
	*ret_journal = journal;
	return 0;
}
