// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What ends by itself: the armed window of an unconfirmed commit, and transitions. Read from the
 * live bank and its links; who selects banks on time is the timer in the kernel.
 */
#include <errno.h>
#include <time.h>

#include "base/own.h"
#include "core/steerer_private.h"

static const struct steer_links *live_links(const struct steerer *steerer)
{
	return &steerer->dp.control->links[STEER_WORD_BANK(steerer->word) % STEER_BANKS];
}

/* Milliseconds until @due_ns of CLOCK_BOOTTIME, rounded up; 0 when it has passed. */
static uint64_t left_until(uint64_t due_ns)
{
	struct timespec now;
	uint64_t now_ns;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	return due_ns > now_ns ? (due_ns - now_ns + 999999) / 1000000 : 0;
}

int steerer_window(const struct steerer *steerer, struct steerer_window *ret_window)
{
	const struct steer_links *links = live_links(steerer);
	uint32_t next = links->next;

	*ret_window = (struct steerer_window){0};
	if (!next || !links->due_ns || next != links->rollback ||
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

	return error ? error : steerer_rollback(steerer, false, note, &ignored, notice, why);
}

int steerer_transition(const struct steerer *steerer, size_t service,
		       struct steerer_transition *ret_transition)
{
	const struct steer_links *links = live_links(steerer);
	struct steerer_transition transition = {0};
	auto_free struct steer_table *origin = NULL;
	size_t size;
	int error;

	if (service >= steerer->policy.n_services)
		return -EINVAL;
	*ret_transition = transition;
	if (!steerer->bank.origin[service])
		return 0;
	error = object_read(&steerer->dp, OBJECT_TABLE, steerer->bank.origin[service],
			    (void **)&origin, &size, NULL);
	if (error)
		return error;
	for (size_t slot = 0; slot < STEER_SLOTS; slot++)
		transition.touched += origin->backend[slot] != 0;
	transition.left_ms = links->next && links->due_ns ? left_until(links->due_ns) : UINT64_MAX;
	*ret_transition = transition;
	return 0;
}
