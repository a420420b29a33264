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

/* Select @bank; what was begun in the journal ends as done or aborted. */
static int swap_and_record(struct steerer *steerer, uint32_t bank, uint64_t revision,
			   struct diag *why)
{
	int error = dataplane_swap(&steerer->dp, steerer->word, bank);

	if (error) {
		(void)journal_abort(steerer->journal, revision, NULL);
		return diag_fail(why, error,
				 "somebody else committed meanwhile; nothing was changed");
	}
	error = journal_done(steerer->journal, revision, why);
	return error ? error : load_live(steerer, why);
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

int steerer_commit(struct steerer *steerer, struct policy *next, const struct commit_note *note,
		   struct diag *why)
{
	uint64_t live = steerer->policy.revision;
	uint64_t head = journal_head(steerer->journal);
	/* A revision is never given out twice, not even when the kernel is behind the journal. */
	struct journal_entry entry = entry_of(note, (head > live ? head : live) + 1);
	uint32_t bank;
	int error;

	entry.parent = live;
	next->revision = entry.revision;
	error = stamp_services(&steerer->policy, next);
	if (error)
		return diag_fail(why, error, "out of memory comparing the policies");
	error = journal_intent(steerer->journal, &entry, next, why);
	if (error)
		return error;
	error = generation_install(&steerer->dp, next, &bank, why);
	if (error) {
		(void)journal_abort(steerer->journal, entry.revision, NULL);
		return error;
	}
	return swap_and_record(steerer, bank, entry.revision, why);
}

/* The bank now live was prepared by its predecessor: journal it, prepare its own ways back. */
static int settle_rollback(struct steerer *steerer, const struct commit_note *note,
			   struct diag *why)
{
	struct journal_entry entry = entry_of(note, steerer->policy.revision);
	uint32_t bank;
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
	error = generation_install(&steerer->dp, &steerer->policy, &bank, why);
	if (!error)
		error = dataplane_swap(&steerer->dp, steerer->word, bank);
	return error ? error : load_live(steerer, why);
}

int steerer_rollback(struct steerer *steerer, bool step, const struct commit_note *note,
		     bool *ret_changed, struct diag *notice, struct diag *why)
{
	uint32_t live = STEER_WORD_BANK(steerer->word);
	const struct steer_links *links = &steerer->dp.control->links[live % STEER_BANKS];
	uint32_t bank = step ? links->undo : links->rollback;
	struct diag trouble;
	int error;

	*ret_changed = bank != 0 && bank != live;
	if (!*ret_changed)
		return 0;
	error = dataplane_swap(&steerer->dp, steerer->word, bank);
	if (error)
		return diag_fail(why, error,
				 "somebody else committed meanwhile; look and try again");
	error = load_live(steerer, why);
	if (error)
		return error;
	if (settle_rollback(steerer, note, &trouble) < 0)
		diag_line(notice, "rolled back; the next command will journal it: %s",
			  trouble.text);
	return 0;
}

int steerer_rollback_policy(struct steerer *steerer, bool step, struct policy *ret_policy,
			    bool *ret_changed, struct diag *why)
{
	return generation_way_back(&steerer->policy, step, ret_policy, ret_changed, why);
}
