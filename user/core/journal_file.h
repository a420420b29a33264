/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Inside of the journal, shared by journal.c (appends, questions), journal_apply.c (meaning) and
 * journal_read.c (opening).
 */
#ifndef STEER_CORE_JOURNAL_FILE_H
#define STEER_CORE_JOURNAL_FILE_H

#include <jansson.h>

#include "core/journal.h"

#define JOURNAL_CHAIN 17 /* 16 hex digits and NUL */

/* Where a line with a policy stands in the file. */
struct journal_line {
	int64_t offset;
	size_t size;
};

struct journal {
	char *path;
	int fd; /* O_APPEND when writable */
	bool is_writable;
	int64_t size; /* bytes that chain; the next line goes there */
	uint64_t key[2];
	char chain[JOURNAL_CHAIN];
	struct journal_entry *entries;
	struct journal_line *lines; /* of the entries */
	size_t n_entries;
	size_t room;
	struct journal_entry pending; /* revision 0 = none */
	struct journal_line pending_line;
	struct journal_lock lock;
};

/* Chain of @line, which has no "chain" yet. Errors: -ENOMEM. */
int journal_chain(const struct journal *journal, const json_t *line,
		  char ret_chain[static JOURNAL_CHAIN]);

/* Make room for one more entry, so that journal_apply() cannot fail for memory. */
int journal_reserve(struct journal *journal);

/* Entry of @revision, NULL if it does not exist. */
struct journal_entry *journal_entry_of(const struct journal *journal, uint64_t revision);

/*
 * Take a line that chains, @size bytes at journal->size, into account.
 * Errors: -EPROTO it means nothing to this version or at this place.
 */
int journal_apply(struct journal *journal, const json_t *line, size_t size);

#endif
