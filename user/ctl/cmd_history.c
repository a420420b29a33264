// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* history, tag: the revisions of the journal. Reading it works while nothing is steered. */
#include <inttypes.h>
#include <stdio.h>

#include "base/own.h"
#include "base/time_text.h"
#include "ctl/commands.h"
#include "ctl/table.h"

static json_t *show_entry(struct libscols_table *table, const struct journal_entry *entry)
{
	char revision[24], when[TIME_TEXT], who[NAME_TEXT];
	const char *cells[] = {revision, when, who, entry->command, entry->reason, entry->tag};

	(void)snprintf(revision, sizeof(revision), "%" PRIu64, entry->revision);
	(void)time_format(entry->time, when);
	(void)journal_who(entry->login, entry->uid, who);
	(void)table_row(table, cells, ARRAY_SIZE(cells));
	return json_pack("{s:I, s:I, s:I, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:b}", "revision",
			 (json_int_t)entry->revision, "parent", (json_int_t)entry->parent, "time",
			 (json_int_t)entry->time, "when", when, "uid", (json_int_t)entry->uid,
			 "login", entry->login, "who", who, "command", entry->command, "reason",
			 entry->reason, "tag", entry->tag, "adopted", entry->is_adopted);
}

int cmd_history(struct run *run)
{
	static const struct column columns[] = {
		{"REV", COLUMN_NUMBER},	  {"WHEN", COLUMN_TEXT},   {"WHO", COLUMN_TEXT},
		{"COMMAND", COLUMN_WRAP}, {"REASON", COLUMN_WRAP}, {"TAG", COLUMN_TEXT},
	};
	auto_journal struct journal *journal = NULL;
	const struct journal_entry *entries;
	struct libscols_table *table;
	json_t *list;
	size_t count;
	int result = run_journal(run, &journal);

	if (result)
		return result;
	entries = journal_entries(journal, &count);
	table = table_new(run, columns, ARRAY_SIZE(columns));
	list = json_array();
	for (size_t i = 0; i < count; i++)
		json_add(list, show_entry(table, &entries[i]));
	table_show(table);
	(void)json_object_set_new(run->json, "revisions", list);
	return 0;
}

int cmd_tag(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	struct journal *journal;
	const char *name = run->arguments[1];
	uint64_t revision, was;
	int result = run_open(run, STEERER_WRITE, &steerer);

	if (result)
		return result;
	journal = steerer_journal(steerer);
	if (!journal)
		return diag_fail(&run->why, STATUS_FAILED, "the journal cannot be opened");
	result = run_revision(run, journal, run->arguments[0], &revision);
	if (result)
		return result;
	was = journal_find(journal, name);
	diag_add(&run->line, "revision %" PRIu64 " is tagged %s", revision, name);
	if (was == revision) {
		diag_add(&run->line, " already");
		return 0;
	}
	if (was) {
		diag_add(&run->line, ", was revision %" PRIu64, was);
		diag_add(&run->undo, "tag %" PRIu64 " %s", was, name);
	}
	if (run->options.dry_run)
		return run_would_change(run);
	return journal_tag(journal, revision, name, &run->why);
}
