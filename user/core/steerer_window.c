// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What ends by itself: the armed window of an unconfirmed commit, and transitions. Read from the
 * live bank and its links; who selects banks on time is the timer in the kernel.
 */
#include <errno.h>

#include "base/own.h"
#include "core/steerer_private.h"
#include "core/touched.h"

static const struct steer_links *live_links(const struct steerer *steerer)
{
	return &steerer->dp.control->links[STEER_WORD_BANK(steerer->word) % STEER_BANKS];
}

/* Milliseconds until @due_ns of CLOCK_BOOTTIME, rounded up; 0 when it has passed. */
static uint64_t left_until(uint64_t due_ns)
{
	uint64_t due_ms = (due_ns + 999999) / 1000000, now_ms = touched_now_ms();

	return due_ms > now_ms ? due_ms - now_ms : 0;
}

int steerer_window(const struct steerer *steerer, struct steerer_window *ret_window)
{
	const struct steer_links *links = live_links(steerer);
	uint32_t next = links->next;

	*ret_window = (struct steerer_window){0};
	if (!next || !links->due_ns || next != links->undo ||
	    next == STEER_WORD_BANK(steerer->word))
		return 0;
	ret_window->is_armed = true;
	ret_window->left_ms = left_until(links->due_ns);
	ret_window->revision = steerer->policy.revision;
	ret_window->fallback_revision = steerer->dp.control->bank[next % STEER_BANKS].revision;
	return 0;
}

static int need_window(const struct steerer *steerer, struct diag *why)
{
	struct steerer_window window;

	(void)steerer_window(steerer, &window);
	return window.is_armed ? 0 : diag_fail(why, -ENODATA, "no window is armed");
}

/* The same policy again, in a bank that has nothing due. */
int steerer_confirm(struct steerer *steerer, const struct commit_note *note, struct diag *why)
{
	struct policy same = {0};
	int error = need_window(steerer, why);

	if (!error)
		error = policy_copy(&steerer->policy, &same);
	if (!error)
		error = steerer_commit(steerer, &same, note, why);
	policy_free(&same);
	return error;
}

int steerer_cancel(struct steerer *steerer, const struct commit_note *note, struct diag *notice,
		   struct diag *why)
{
	int error = need_window(steerer, why);
	bool ignored;

	return error ? error : steerer_rollback(steerer, true, note, &ignored, notice, why);
}

int steerer_transition(const struct steerer *steerer, size_t service,
		       struct steerer_transition *ret_transition)
{
	auto_free struct transition *running = calloc(1, sizeof(*running));
	uint64_t now_ms = touched_now_ms();
	int error;

	if (!running)
		return -ENOMEM;
	if (service >= steerer->policy.n_services)
		return -EINVAL;
	error = touched_read(&steerer->dp, &steerer->bank, STEER_WORD_BANK(steerer->word),
			     (uint32_t)service, running, NULL);
	if (error)
		return error;
	ret_transition->touched = running->touched;
	ret_transition->left_ms = running->until_ms;
	if (running->until_ms != TRANSITION_NEVER)
		ret_transition->left_ms =
			running->until_ms > now_ms ? running->until_ms - now_ms : 0;
	if (!running->touched)
		ret_transition->left_ms = 0;
	return 0;
}
