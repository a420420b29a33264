// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * confirm, cancel: end the window of a change made with --confirm-within, keeping or undoing it.
 *
 * Where none is armed the journal tells what became of the last one: a script that confirms too
 * late must not go on as if it had.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/measure.h"

enum window_end {
	WINDOW_NEVER,	  /* the live revision had none */
	WINDOW_CONFIRMED, /* it was kept */
	WINDOW_UNDONE,	  /* by cancel, by the timer, or by a rollback */
};

static bool begins(const char *text, const char *word)
{
	size_t length = strlen(word);

	return strncmp(text, word, length) == 0 && (!text[length] || text[length] == ' ');
}

/* What the newest revision tells. @ret_entry NULL: the kernel is ahead, by its timer. */
static enum window_end last_window(const struct steerer *steerer,
				   const struct journal_entry **ret_entry)
{
	const struct journal *journal = steerer_journal(steerer);
	const struct journal_entry *entries = NULL;
	size_t count = 0;

	*ret_entry = NULL;
	if (journal && journal_head(journal) < steerer_policy(steerer)->revision)
		return WINDOW_UNDONE;
	if (journal)
		entries = journal_entries(journal, &count);
	if (!count)
		return WINDOW_NEVER;
	*ret_entry = &entries[count - 1];
	if (begins((*ret_entry)->command, "confirm"))
		return WINDOW_CONFIRMED;
	if ((*ret_entry)->is_adopted || begins((*ret_entry)->command, "cancel") ||
	    begins((*ret_entry)->command, "rollback"))
		return WINDOW_UNDONE;
	return WINDOW_NEVER;
}

static int refuse(struct run *run, int status, const char *end, const struct journal_entry *entry)
{
	char who[NAME_TEXT];

	if (!entry)
		return diag_fail(&run->why, status, "no window is armed: %s", end);
	return diag_fail(
		&run->why, status, "no window is armed: %s (revision %" PRIu64 ": %s, by %s)", end,
		entry->revision, entry->command, journal_who(entry->login, entry->uid, who));
}

static int confirm_without_window(struct run *run, const struct steerer *steerer)
{
	const struct journal_entry *entry;

	switch (last_window(steerer, &entry)) {
	case WINDOW_CONFIRMED:
		return diag_fail(&run->line, 0, "confirmed already (revision %" PRIu64 ")",
				 run->before);
	case WINDOW_UNDONE:
		return refuse(run, STATUS_MEANWHILE, "the change was rolled back", entry);
	default:
		return refuse(run, STATUS_FAILED, "there is nothing to confirm", entry);
	}
}

static int cancel_without_window(struct run *run, const struct steerer *steerer)
{
	const struct journal_entry *entry;

	switch (last_window(steerer, &entry)) {
	case WINDOW_UNDONE:
		return diag_fail(&run->line, 0, "undone already (revision %" PRIu64 ")",
				 run->before);
	case WINDOW_CONFIRMED:
		return refuse(run, STATUS_FAILED, "it was confirmed; 'steerctl rollback' goes back",
			      entry);
	default:
		return refuse(run, STATUS_FAILED,
			      "there is nothing to cancel; 'steerctl rollback' goes back", entry);
	}
}

/* "cancelled: shop: blue 100%" */
static void say_shares_after(struct run *run, const char *word, const struct policy *policy)
{
	struct diag shares = {0};

	for (size_t i = 0; i < policy->n_services; i++)
		say_shares(&shares, &policy->services[i]);
	diag_add(&run->line, "%s: %.1500s", word, shares.text);
}

int cmd_confirm(struct run *run)
{
	const struct commit_note note = run_note(run);
	auto_steerer struct steerer *steerer = NULL;
	struct steerer_window window;
	int result = run_open(run, STEERER_WRITE, &steerer);

	if (result)
		return result;
	(void)steerer_window(steerer, &window);
	if (!window.is_armed)
		return confirm_without_window(run, steerer);
	result = run_check_lock(run, steerer);
	if (result)
		return result;
	say_shares_after(run, "confirmed", steerer_policy(steerer));
	if (run->options.dry_run)
		return run_would_change(run);
	result = steerer_confirm(steerer, &note, &run->why);
	if (result)
		return result;
	run->is_committed = true;
	run->after = steerer_policy(steerer)->revision;
	run_say_revision(run);
	diag_add(&run->undo, "rollback");
	return 0;
}

int cmd_cancel(struct run *run)
{
	const struct commit_note note = run_note(run);
	auto_steerer struct steerer *steerer = NULL;
	auto_policy struct policy back = {0}, was = {0};
	struct steerer_window window;
	struct diag notice = {0};
	bool is_changed = false;
	int result;

	run->is_rollback = true;
	result = run_open(run, STEERER_ROLLBACK, &steerer);
	if (result)
		return result;
	(void)steerer_window(steerer, &window);
	if (!window.is_armed)
		return cancel_without_window(run, steerer);
	/* What cannot be said does not stop it. */
	(void)policy_copy(steerer_policy(steerer), &was);
	if (!steerer_rollback_policy(steerer, false, &back, &is_changed, NULL) && is_changed) {
		say_shares_after(run, "cancelled", &back);
		(void)run_count(run, &was, &back);
	}
	if (run->options.dry_run)
		return run_would_change(run);
	result = steerer_cancel(steerer, &note, &notice, &run->why);
	if (result)
		return result;
	run->is_committed = true;
	run_warn(run, notice.text);
	(void)run_check_lock(run, steerer);
	run->after = steerer_policy(steerer)->revision;
	run_say_revision(run);
	run_say_after(run, steerer, &was);
	diag_add(&run->undo, "rollback --to %" PRIu64, run->before);
	measure_note(run, steerer, false);
	return 0;
}
