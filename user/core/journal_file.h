/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Inside of the journal, shared by journal.c (appends, questions), journal_line.c (bytes),
 * journal_apply.c (meaning), journal_read.c (opening) and journal_index.c (opening without reading
 * all of it).
 */
#ifndef STEER_CORE_JOURNAL_FILE_H
#define STEER_CORE_JOURNAL_FILE_H

#include <jansson.h>

#include "core/journal.h"

/*
 * A line as it is written begins with its chain, since "chain" sorts first:
 * {"chain":"0123456789abcdef",... What is hashed is 16 digits and the line without "chain".
 */
#define JOURNAL_DIGITS 16
#define JOURNAL_PREFIX "{\"chain\":\""
#define JOURNAL_BODY   (sizeof(JOURNAL_PREFIX) - 1 + JOURNAL_DIGITS + 2) /* after the comma */

/* Where a line with a policy stands in the file. */
struct journal_line {
	int64_t offset;
	size_t size;
	uint64_t before; /* chain of the line before it */
};

/* Which file, and when its contents or owner last changed, seconds and nanoseconds. */
struct journal_seen {
	uint64_t device;
	uint64_t inode;
	int64_t seconds;
	int64_t nanoseconds;
};

struct journal {
	char *path;
	enum journal_mode mode;
	int fd; /* O_APPEND when writable */
	bool is_writable;
	int64_t size; /* bytes that chain; the next line goes there */
	uint64_t n_lines;
	struct journal_seen seen; /* before it was read, after each append */
	bool is_sure;		  /* all lines were checked, and nobody else wrote since */
	bool is_indexed;	  /* journal.index says the same */
	uint64_t key[2];
	uint64_t chain;
	struct journal_entry *entries;
	struct journal_line *lines; /* of the entries */
	size_t n_entries;
	size_t room;
	struct journal_entry pending; /* revision 0 = none */
	struct journal_line pending_line;
	struct journal_lock lock;
};

/*
 * Does the line of @size bytes at @text, '\n' included, follow the chain @before? Then *@ret_line
 * points into @text, where it stands without "chain" and without '\n'; @text is overwritten.
 * Errors: -EBADMSG.
 */
int journal_check(const struct journal *journal, uint64_t before, char *text, size_t size,
		  char **ret_line, uint64_t *ret_chain);

/* @line, which has no "chain" yet, as it goes to the file. NULL when memory is short. */
char *journal_text(const struct journal *journal, const json_t *line, size_t *ret_size,
		   uint64_t *ret_chain);

/* Make room for one more entry, so that journal_apply() cannot fail for memory. */
int journal_reserve(struct journal *journal);

/* Entry of @revision, NULL if it does not exist. */
struct journal_entry *journal_entry_of(const struct journal *journal, uint64_t revision);

/*
 * Take a line that chains, @size bytes at journal->size, into account.
 * Errors: -EPROTO it means nothing to this version or at this place.
 */
int journal_apply(struct journal *journal, const json_t *line, size_t size);

/* @ret_seen is what @facts say about the file. */
struct stat;
void journal_look(const struct stat *facts, struct journal_seen *ret_seen);
bool journal_is_as_seen(const struct journal *journal, const struct stat *facts);

/* Fill @journal from the index, if that fits the file of @facts; else leave it empty. */
void journal_index_read(struct journal *journal, const struct stat *facts);
void journal_index_write(const struct journal *journal);
void journal_index_remove(const struct journal *journal);

#endif
