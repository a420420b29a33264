// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Changing what is live: commit and rollback.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "core/generation.h"
#include "core/policy_json.h"
#include "core/steerer_private.h"

static struct journal_entry entry_of(const struct commit_note *note, uint64_t revision)
{
	struct journal_entry entry = {
		.revision = revision, .parent = revision - 1, .time = time(NULL), .uid = getuid()};

	(void)snprintf(entry.command, sizeof(entry.command), "%s", note->command);
	(void)snprintf(entry.reason, sizeof(entry.reason), "%s", note->reason ? note->reason : "");
	(void)snprintf(entry.login, sizeof(entry.login), "%s", getenv("SUDO_USER") ?: "");
	return entry;
}

/* A service that differs from the live one carries the new revision. */
static int stamp_services(const struct policy *live, struct policy *next)
{
	for (size_t i = 0; i < next->n_services; i++) {
		struct service *service = &next->services[i];
		const struct service *was = policy_service(live, service->name);
		int same;

		if (was)
			service->revision = was->revision;
		same = was ? service_equal(was, service) : 0;
		if (same < 0)
			return same;
		if (!same)
			service->revision = next->revision;
	}
	return 0;
}

#define SELECT_TRIES 4 /* the timer may settle the running bank while another is built */

/*
 * Build @next and select it. The running bank may be settled meanwhile, which changes no policy:
 * then again from where it is now. Errors: -ESTALE somebody else committed.
 */
static int install_and_select(struct steerer *steerer, const struct policy *next,
			      const struct install *install, struct diag *why)
{
	for (int i = 0; i < SELECT_TRIES; i++) {
		uint64_t word = dataplane_word(&steerer->dp);
		uint32_t running = STEER_WORD_BANK(word) % STEER_BANKS;
		uint32_t bank;
		int error;

		if (steerer->dp.control->bank[running].revision != steerer->policy.revision)
			break;
		error = generation_install(&steerer->dp, &steerer->policy, next, install, &bank,
					   why);
		if (!error)
			error = generation_select(&steerer->dp, next, word, bank, why);
		if (error != -ESTALE)
			return error;
	}
	return diag_fail(why, -ESTALE, "somebody else committed meanwhile; nothing was changed");
}

/* The window that is armed after a commit: its own, or the one that it leaves as it is. */
static uint64_t window_after(const struct steerer *steerer, const struct commit_note *note)
{
	struct steerer_window window;

	if (note->confirm_within_s)
		return note->confirm_within_s * 1000ULL;
	(void)steerer_window(steerer, &window);
	return note->keeps_window && window.is_armed ? window.left_ms ?: 1 : 0;
}

int steerer_commit(struct steerer *steerer, struct policy *next, const struct commit_note *note,
		   struct diag *why)
{
	const struct install install = {.is_cut = note->cut,
					.keeps_window = note->keeps_window,
					.confirm_ms = window_after(steerer, note)};
	uint64_t live = steerer->policy.revision;
	uint64_t head = journal_head(steerer->journal);
	/* A revision is never given out twice, not even when the kernel is behind the journal. */
	struct journal_entry entry = entry_of(note, (head > live ? head : live) + 1);
	int error;

	entry.parent = live;
	entry.window_s = (uint32_t)((install.confirm_ms + 999) / 1000);
	next->revision = entry.revision;
	error = stamp_services(&steerer->policy, next);
	if (error)
		return diag_fail(why, error, "out of memory comparing the policies");
	error = journal_intent(steerer->journal, &entry, next, why);
	if (error)
		return error;
	error = install_and_select(steerer, next, &install, why);
	if (error) {
		(void)journal_abort(steerer->journal, entry.revision, NULL);
		return error;
	}
	error = journal_done(steerer->journal, entry.revision, why);
	return error ? error : load_live(steerer, why);
}

/* The bank now live was prepared by its predecessor: journal it, prepare its own ways back. */
static int settle_rollback(struct steerer *steerer, const struct commit_note *note,
			   struct diag *why)
{
	const struct install install = {0};
	struct journal_entry entry = entry_of(note, steerer->policy.revision);
	int error;

	if (!steerer->journal)
		return diag_fail(why, -EIO, "the journal cannot be written");
	/* Without the lock: a writer had swapped and came no further. */
	if (journal_pending(steerer->journal) == entry.revision - 1 &&
	    (error = journal_done(steerer->journal, entry.revision - 1, why)))
		return error;
	error = journal_adopt(steerer->journal, &entry, &steerer->policy, why);
	if (error || steerer->lock < 0)
		return error;
	error = install_and_select(steerer, &steerer->policy, &install, why);
	return error ? error : load_live(steerer, why);
}

/*
 * Select the way back from the bank that is live now. The timer may settle that one meanwhile:
 * then the way back from the settled one. @ret_bank 0: there is none, or it is live.
 */
static int select_way_back(struct steerer *steerer, bool step, bool is_cut, uint32_t *ret_bank,
			   struct diag *why)
{
	uint64_t revision = steerer->policy.revision;

	for (int i = 0; i < SELECT_TRIES; i++) {
		uint64_t word = dataplane_word(&steerer->dp);
		uint32_t live = STEER_WORD_BANK(word) % STEER_BANKS;
		const struct steer_links *links = &steerer->dp.control->links[live];
		uint32_t bank = step ? links->undo : links->rollback;
		struct policy back = {0};
		int error;

		*ret_bank = bank == live ? 0 : bank;
		if (*ret_bank == 0)
			return 0;
		if (steerer->dp.control->bank[live].revision != revision)
			break;
		if (is_cut)
			bank = steerer->dp.control->links[bank].settled;
		/* It tells whose records to forget; going back does not depend on that. */
		(void)generation_policy(&steerer->dp, bank, &back, NULL);
		error = generation_select(&steerer->dp, &back, word, bank, why);
		policy_free(&back);
		if (error != -ESTALE)
			return error;
	}
	return diag_fail(why, -ESTALE, "somebody else committed meanwhile; look and try again");
}

int steerer_rollback(struct steerer *steerer, bool step, const struct commit_note *note,
		     bool *ret_changed, struct diag *notice, struct diag *why)
{
	struct diag trouble;
	uint32_t bank;
	int error = select_way_back(steerer, step, note->cut, &bank, why);

	*ret_changed = bank != 0;
	if (error || !*ret_changed)
		return error;
	error = load_live(steerer, why);
	if (error)
		return error;
	if (settle_rollback(steerer, note, &trouble) < 0)
		diag_line(notice, "rolled back; the next command will complete it: %s",
			  trouble.text);
	return 0;
}

int steerer_rollback_policy(struct steerer *steerer, bool step, struct policy *ret_policy,
			    bool *ret_changed, struct diag *why)
{
	return generation_way_back(&steerer->policy, step, ret_policy, ret_changed, why);
}
