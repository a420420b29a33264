// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "harness/timing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "base/diag.h"
#include "core/flows.h"

#define SELECTIONS_MOST 4 /* successors in a row, before a bank is settled */

void timing_open(const struct edge *edge, struct dataplane *ret_dp)
{
	struct diag why = {0};
	char path[192];

	edge_pins(edge, path);
	if (dataplane_open(path, true, ret_dp, &why) < 0)
		fail_msg("%s", why.text);
}

bool timing_select_next(struct dataplane *dp)
{
	uint64_t word = dataplane_word(dp);
	const struct steer_links *links = &dp->control->links[STEER_WORD_BANK(word)];
	struct steer_links *after = &dp->control->links[links->next];
	struct timespec now;

	if (!links->next || !links->due_ns)
		return false;
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	if (after->hold_ns)
		after->due_ns =
			(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + after->hold_ns;
	assert_int_equal(dataplane_swap(dp, word, links->next), 0);
	return true;
}

void timing_settle(struct dataplane *dp)
{
	int selections = 0;

	while (timing_select_next(dp))
		assert_true(++selections <= SELECTIONS_MOST);
}

bool timing_is_touched(const struct dataplane *dp, uint32_t service)
{
	return dp->control->bank[STEER_WORD_BANK(dataplane_word(dp))].origin[service] != 0;
}

void timing_await_ticks(const struct dataplane *dp, uint32_t ticks)
{
	const volatile uint32_t *now = &dp->control->ticks;
	const volatile uint32_t *is_ticking = &dp->control->is_ticking;
	const struct timespec nap = {.tv_nsec = 5000000};
	uint32_t first = *now;
	int stopped = 0; /* looks in a row: it is not ticking while it is in a tick */

	for (int i = 0; i < 1000 && stopped < 3; i++) {
		if (*now - first >= ticks)
			return;
		stopped = *is_ticking ? 0 : stopped + 1;
		(void)nanosleep(&nap, NULL);
	}
	assert_true(stopped == 3);
}

struct steer_flow_counters timing_counters(const struct dataplane *dp)
{
	struct steer_flow_counters counters;

	assert_int_equal(flows_counters(dp, &counters), 0);
	return counters;
}
