// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lock, unlock: nobody commits meanwhile, except a rollback. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/time_text.h"
#include "ctl/commands.h"

static struct journal_entry entry_of(const struct run *run)
{
	struct journal_entry entry = {.revision = run->before, .parent = run->before};

	(void)snprintf(entry.command, sizeof(entry.command), "%s", run->typed);
	(void)snprintf(entry.reason, sizeof(entry.reason), "%s",
		       run->options.reason ? run->options.reason : "");
	(void)snprintf(entry.login, sizeof(entry.login), "%s", getenv("SUDO_USER") ?: "");
	return entry;
}

/* Open for writing; the journal keeps locks, so there has to be one. */
static int open_for_lock(struct run *run, struct steerer **ret_steerer,
			 struct journal **ret_journal)
{
	int result = run_open(run, STEERER_WRITE, ret_steerer);

	if (result)
		return result;
	*ret_journal = steerer_journal(*ret_steerer);
	return *ret_journal ? 0
			    : diag_fail(&run->why, STATUS_FAILED, "the journal cannot be opened");
}

int cmd_lock(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	struct journal_entry entry;
	struct journal *journal;
	char until[TIME_TEXT] = "";
	int64_t end = run->options.ttl_ms ? time(NULL) + run->options.ttl_ms / 1000 : 0;
	int result;

	if (!run->options.reason || !run->options.reason[0])
		return diag_fail(&run->why, STATUS_USAGE,
				 "a lock says why: steerctl lock -m TEXT [--ttl DUR]");
	result = open_for_lock(run, &steerer, &journal);
	if (result)
		return result;
	result = run_check_lock(run, steerer); /* somebody else's */
	if (result)
		return result;
	if (end)
		(void)time_format(end, until);
	diag_add(&run->line, "locked%s%s: commits are refused, rollback works",
		 end ? " until " : "", until);
	if (run->options.dry_run)
		return run_would_change(run);
	diag_add(&run->undo, "unlock");
	entry = entry_of(run);
	return journal_set_lock(journal, &entry, end, &run->why);
}

int cmd_unlock(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	struct journal_entry entry;
	struct journal *journal;
	struct diag fact = {0};
	int result = open_for_lock(run, &steerer, &journal);

	if (result)
		return result;
	if (!rail_lock(journal_lock(journal, time(NULL)), &fact))
		return diag_fail(&run->line, 0, "not locked");
	diag_add(&run->line, "unlocked; %.1500s", fact.text);
	if (run->options.dry_run)
		return run_would_change(run);
	entry = entry_of(run);
	return journal_unlock(journal, &entry, &run->why);
}
