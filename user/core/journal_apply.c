// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a line of the journal means: the only way from a line to the journal in memory, for lines
 * just appended as for those replayed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/journal_file.h"

struct journal_entry *journal_entry_of(const struct journal *journal, uint64_t revision)
{
	for (size_t i = journal->n_entries; i > 0; i--) {
		if (journal->entries[i - 1].revision == revision)
			return &journal->entries[i - 1];
	}
	return NULL;
}

static void copy_text(const json_t *line, const char *field, char *ret_text, size_t size)
{
	const char *text = json_string_value(json_object_get(line, field));

	(void)snprintf(ret_text, size, "%s", text ? text : "");
}

static void entry_from_line(const json_t *line, struct journal_entry *ret_entry)
{
	memset(ret_entry, 0, sizeof(*ret_entry));
	ret_entry->revision = (uint64_t)json_integer_value(json_object_get(line, "revision"));
	ret_entry->parent = (uint64_t)json_integer_value(json_object_get(line, "parent"));
	ret_entry->time = json_integer_value(json_object_get(line, "time"));
	ret_entry->uid = (uint32_t)json_integer_value(json_object_get(line, "uid"));
	ret_entry->window_s = (uint32_t)json_integer_value(json_object_get(line, "window"));
	copy_text(line, "login", ret_entry->login, sizeof(ret_entry->login));
	copy_text(line, "command", ret_entry->command, sizeof(ret_entry->command));
	copy_text(line, "reason", ret_entry->reason, sizeof(ret_entry->reason));
}

static void add_entry(struct journal *journal, const struct journal_entry *entry,
		      const struct journal_line *where)
{
	journal->entries[journal->n_entries] = *entry;
	journal->lines[journal->n_entries++] = *where;
	if (journal->pending.revision <= entry->revision)
		journal->pending.revision = 0; /* adopting a later one settles it too */
}

/* A tag names one revision: the newest line that gives it wins. */
static void set_tag(struct journal *journal, struct journal_entry *entry, const json_t *line)
{
	copy_text(line, "tag", entry->tag, sizeof(entry->tag));
	for (size_t i = 0; i < journal->n_entries; i++) {
		struct journal_entry *other = &journal->entries[i];

		if (other != entry && strcmp(other->tag, entry->tag) == 0)
			other->tag[0] = '\0';
	}
}

static void set_lock(struct journal *journal, const struct journal_entry *entry, int64_t until)
{
	struct journal_lock *lock = &journal->lock;

	lock->is_set = true;
	lock->since = entry->time;
	lock->until = until;
	lock->uid = entry->uid;
	memcpy(lock->login, entry->login, sizeof(lock->login));
	memcpy(lock->reason, entry->reason, sizeof(lock->reason));
}

int journal_apply(struct journal *journal, const json_t *line, size_t size)
{
	const char *type = json_string_value(json_object_get(line, "type"));
	const struct journal_line where = {journal->size, size, journal->chain};
	struct journal_entry entry;
	struct journal_entry *tagged;

	entry_from_line(line, &entry);
	if (!type || !entry.revision)
		return -EPROTO;
	if (strcmp(type, "intent") == 0) {
		journal->pending = entry;
		journal->pending_line = where;
	} else if (strcmp(type, "adopt") == 0) {
		entry.is_adopted = true;
		add_entry(journal, &entry, &where);
	} else if (strcmp(type, "tag") == 0) {
		tagged = journal_entry_of(journal, entry.revision);
		if (!tagged)
			return -EPROTO;
		set_tag(journal, tagged, line);
	} else if (strcmp(type, "lock") == 0) {
		set_lock(journal, &entry, json_integer_value(json_object_get(line, "until")));
	} else if (strcmp(type, "unlock") == 0) {
		journal->lock.is_set = false;
	} else if (entry.revision != journal->pending.revision) {
		return -EPROTO;
	} else if (strcmp(type, "done") == 0) {
		entry = journal->pending;
		add_entry(journal, &entry, &journal->pending_line);
	} else if (strcmp(type, "abort") == 0) {
		journal->pending.revision = 0;
	} else {
		return -EPROTO;
	}
	return 0;
}
