// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/drain.h"

const struct drain_look *drain_last(const struct drain_watch *watch)
{
	return &watch->looks[(watch->n_looks + DRAIN_LOOKS - 1) % DRAIN_LOOKS];
}

void drain_add(struct drain_watch *watch, const struct drain_look *look)
{
	const struct drain_look *last = drain_last(watch);

	if (watch->n_looks == 0) {
		watch->first = *look;
	} else if (look->packets != last->packets) { /* smaller: it is another counter */
		watch->packet_at_ms = look->at_ms;
		watch->has_packet = true;
	}
	/* What there was at most, and the longest time: a change while it lasts may add. */
	if (look->recorded > watch->first.recorded)
		watch->first.recorded = look->recorded;
	if (look->left_ms > watch->first.left_ms)
		watch->first.left_ms = look->left_ms;
	watch->looks[watch->n_looks++ % DRAIN_LOOKS] = *look;
}

uint64_t drain_recent(const struct drain_watch *watch, uint64_t *ret_ms)
{
	const struct drain_look *last = drain_last(watch), *from = last;
	size_t kept = watch->n_looks < DRAIN_LOOKS ? watch->n_looks : DRAIN_LOOKS;

	for (size_t i = 1; i <= kept; i++) {
		const struct drain_look *look = &watch->looks[(watch->n_looks - i) % DRAIN_LOOKS];

		if (last->at_ms - look->at_ms > DRAIN_RECENT_MS || look->packets > last->packets)
			break;
		from = look;
	}
	*ret_ms = last->at_ms - from->at_ms;
	return last->packets - from->packets;
}

uint64_t drain_silent_ms(const struct drain_watch *watch)
{
	uint64_t since = watch->has_packet ? watch->packet_at_ms : watch->first.at_ms;

	return drain_last(watch)->at_ms - since;
}

enum drain_state drain_judge(const struct drain_watch *watch, uint64_t idle_ms)
{
	const struct drain_look *last = drain_last(watch);

	if (last->slots_now)
		return DRAIN_OPEN;
	if (!last->slots_origin && !last->recorded)
		return DRAIN_EMPTY;
	return idle_ms && drain_silent_ms(watch) >= idle_ms ? DRAIN_IDLE : DRAIN_BOUND;
}

static unsigned int part(uint64_t done, uint64_t whole)
{
	return whole ? (unsigned int)((double)done * 100 / (double)whole) : 0;
}

unsigned int drain_percent(const struct drain_watch *watch)
{
	const struct drain_look *first = &watch->first, *last = drain_last(watch);

	if (!last->slots_now && !last->slots_origin && !last->recorded)
		return 100;
	if (last->slots_origin && first->left_ms != UINT64_MAX)
		return part(first->left_ms - last->left_ms, first->left_ms);
	return part(first->recorded - last->recorded, first->recorded);
}
