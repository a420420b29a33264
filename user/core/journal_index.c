// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The index beside the journal, journal.index: what replaying the journal gave, so that the next
 * command need not replay it. It decides nothing. It counts only for the very file that it was
 * made of, unchanged since (size, inode, time of the last change), and only if its own keyed hash
 * is right; else the journal is read. Removing it loses nothing.
 *
 * The layout is that of this build and host; another one's does not fit the head and is made anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/siphash.h"
#include "core/journal_file.h"

#define INDEX_MAGIC 0x3278646e69727473ULL

struct index_head {
	uint64_t magic;
	uint64_t head_bytes; /* of this struct */
	struct journal_seen seen;
	int64_t size; /* of the journal, bytes */
	uint64_t n_lines;
	uint64_t chain;
	uint64_t n_entries;
	struct journal_lock lock;
};

/* Before the texts of an entry: login, command, reason, tag, each with its NUL. */
struct index_entry {
	uint64_t revision;
	uint64_t parent;
	int64_t time;
	struct journal_line line;
	uint32_t uid;
	uint32_t window_s;
	bool is_adopted;
};

struct cursor {
	const char *at;
	const char *end;
};

static char *index_path(const struct journal *journal, const char *suffix)
{
	char *path = NULL;

	return asprintf(&path, "%s.index%s", journal->path, suffix) < 0 ? NULL : path;
}

static bool take(struct cursor *from, void *ret, size_t size)
{
	if ((size_t)(from->end - from->at) < size)
		return false;
	memcpy(ret, from->at, size);
	from->at += size;
	return true;
}

static bool take_text(struct cursor *from, char *ret_text, size_t room)
{
	size_t size = strnlen(from->at, (size_t)(from->end - from->at)) + 1;

	return size <= room && take(from, ret_text, size);
}

static bool take_entry(struct cursor *from, struct journal_entry *ret,
		       struct journal_line *ret_line)
{
	struct index_entry fixed;

	memset(ret, 0, sizeof(*ret));
	if (!take(from, &fixed, sizeof(fixed)) ||
	    !take_text(from, ret->login, sizeof(ret->login)) ||
	    !take_text(from, ret->command, sizeof(ret->command)) ||
	    !take_text(from, ret->reason, sizeof(ret->reason)) ||
	    !take_text(from, ret->tag, sizeof(ret->tag)))
		return false;
	ret->revision = fixed.revision;
	ret->parent = fixed.parent;
	ret->time = fixed.time;
	ret->uid = fixed.uid;
	ret->window_s = fixed.window_s;
	ret->is_adopted = fixed.is_adopted;
	*ret_line = fixed.line;
	return true;
}

static void put_entry(FILE *file, const struct journal_entry *entry,
		      const struct journal_line *line)
{
	const struct index_entry fixed = {
		.revision = entry->revision,
		.parent = entry->parent,
		.time = entry->time,
		.line = *line,
		.uid = entry->uid,
		.window_s = entry->window_s,
		.is_adopted = entry->is_adopted,
	};

	(void)fwrite(&fixed, sizeof(fixed), 1, file);
	(void)fwrite(entry->login, strlen(entry->login) + 1, 1, file);
	(void)fwrite(entry->command, strlen(entry->command) + 1, 1, file);
	(void)fwrite(entry->reason, strlen(entry->reason) + 1, 1, file);
	(void)fwrite(entry->tag, strlen(entry->tag) + 1, 1, file);
}

void journal_look(const struct stat *facts, struct journal_seen *ret_seen)
{
	*ret_seen = (struct journal_seen){facts->st_dev, facts->st_ino, facts->st_ctim.tv_sec,
					  facts->st_ctim.tv_nsec};
}

bool journal_is_as_seen(const struct journal *journal, const struct stat *facts)
{
	struct journal_seen now;

	journal_look(facts, &now);
	return memcmp(&now, &journal->seen, sizeof(now)) == 0;
}

/* The whole file, its hash checked; NULL if that is wrong. */
static char *read_hashed(const struct journal *journal, size_t *ret_size)
{
	auto_free char *path = index_path(journal, "");
	auto_close int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	auto_free char *bytes = NULL;
	struct stat facts;
	uint64_t hash;
	size_t size;

	if (fd < 0 || fstat(fd, &facts) < 0 || facts.st_size < (off_t)sizeof(hash))
		return NULL;
	size = (size_t)facts.st_size - sizeof(hash);
	bytes = malloc(size + sizeof(hash));
	if (!bytes || read(fd, bytes, size + sizeof(hash)) != (ssize_t)(size + sizeof(hash)))
		return NULL;
	memcpy(&hash, bytes + size, sizeof(hash));
	if (hash != siphash13(journal->key, bytes, size))
		return NULL;
	*ret_size = size;
	return take_ptr(bytes);
}

/* A file that only grew keeps device and inode; nothing else tells it from one that was edited. */
static bool fits(const struct journal *journal, const struct index_head *head,
		 const struct stat *facts)
{
	if (head->magic != INDEX_MAGIC || head->head_bytes != sizeof(*head))
		return false;
	if (journal->mode == JOURNAL_URGENT)
		return head->seen.device == journal->seen.device &&
		       head->seen.inode == journal->seen.inode && head->size <= facts->st_size;
	return memcmp(&head->seen, &journal->seen, sizeof(head->seen)) == 0 &&
	       head->size == facts->st_size;
}

void journal_index_read(struct journal *journal, const struct stat *facts)
{
	struct index_head head;
	struct cursor from;
	size_t size;
	auto_free char *bytes = read_hashed(journal, &size);

	if (!bytes)
		return;
	from = (struct cursor){bytes, bytes + size};
	if (!take(&from, &head, sizeof(head)) || !fits(journal, &head, facts) ||
	    !take_entry(&from, &journal->pending, &journal->pending_line))
		return;
	for (size_t i = 0; i < head.n_entries; i++) {
		if (journal_reserve(journal) ||
		    !take_entry(&from, &journal->entries[i], &journal->lines[i])) {
			journal->n_entries = 0;
			journal->pending.revision = 0;
			return;
		}
		journal->n_entries++;
	}
	journal->size = head.size;
	journal->n_lines = head.n_lines;
	journal->chain = head.chain;
	journal->lock = head.lock;
	journal->is_indexed = head.size == facts->st_size;
	journal->is_sure = memcmp(&head.seen, &journal->seen, sizeof(head.seen)) == 0;
}

/* Everything but the hash. */
static char *compose(const struct journal *journal, size_t *ret_size)
{
	const struct index_head head = {
		.magic = INDEX_MAGIC,
		.head_bytes = sizeof(head),
		.seen = journal->seen,
		.size = journal->size,
		.n_lines = journal->n_lines,
		.chain = journal->chain,
		.n_entries = journal->n_entries,
		.lock = journal->lock,
	};
	char *bytes = NULL;
	FILE *file = open_memstream(&bytes, ret_size);
	bool is_whole;

	if (!file)
		return NULL;
	(void)fwrite(&head, sizeof(head), 1, file);
	put_entry(file, &journal->pending, &journal->pending_line);
	for (size_t i = 0; i < journal->n_entries; i++)
		put_entry(file, &journal->entries[i], &journal->lines[i]);
	is_whole = !ferror(file);
	if (fclose(file) == 0 && is_whole)
		return bytes;
	free(bytes);
	return NULL;
}

/*
 * Written beside and renamed. Neither synced nor reported: what a crash or a full disk leaves has
 * a wrong hash or belongs to an older journal.
 */
void journal_index_write(const struct journal *journal)
{
	auto_free char *path = index_path(journal, "");
	auto_free char *beside = index_path(journal, ".new");
	auto_close int fd = -1;
	auto_free char *bytes = NULL;
	struct stat facts;
	uint64_t hash;
	size_t size;

	if (!path || !beside || fstat(journal->fd, &facts) < 0 || facts.st_size != journal->size ||
	    !journal_is_as_seen(journal, &facts))
		return;
	bytes = compose(journal, &size);
	if (!bytes)
		return;
	hash = siphash13(journal->key, bytes, size);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (write(fd, bytes, size) != (ssize_t)size ||
	    write(fd, &hash, sizeof(hash)) != (ssize_t)sizeof(hash) || rename(beside, path) < 0)
		(void)unlink(beside);
}

void journal_index_remove(const struct journal *journal)
{
	auto_free char *path = index_path(journal, "");

	if (path)
		(void)unlink(path);
}
