// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Transitions: slots keep their origin until their first deadline.
 *
 * Deadlines are kept as classes, because 64 times fit in a byte per slot. A now that is nobody
 * never becomes an origin: 0 would read as "untouched", and the slot's records would be lost.
 */
#include "core/transition.h"

#include <string.h>

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t deadline_after(uint64_t now_ms, uint64_t hold_ms)
{
	return hold_ms > TRANSITION_NEVER - now_ms ? TRANSITION_NEVER : now_ms + hold_ms;
}

/* The era stays, so that the next transition gets another one. */
static void settle(struct transition *transition)
{
	uint32_t era = transition->era;

	memset(transition, 0, sizeof(*transition));
	transition->era = era;
}

/* The origin has met its deadline; records may live on. Flows do not move to nobody. */
static void finish_slot(struct transition *transition, uint32_t slot, uint16_t now)
{
	if (now)
		transition->origin[slot] = now;
	transition->class[slot] = 0;
}

/* The slot's unrecorded flows go with now at once, to nobody as well. */
static void move_slot(struct transition *transition, uint32_t slot, uint16_t now)
{
	transition->origin[slot] = now;
	transition->class[slot] = 0;
	if (!now)
		transition->touched--;
}

static void carry_out_deadlines(struct transition *transition,
				const uint16_t was[static STEER_SLOTS], uint64_t now_ms)
{
	bool is_over[TRANSITION_CLASSES] = {false};

	if (transition->until_ms <= now_ms) {
		settle(transition);
		return;
	}
	for (unsigned int i = 1; i < TRANSITION_CLASSES; i++) {
		is_over[i] = transition->class_ms[i] && transition->class_ms[i] <= now_ms;
		if (is_over[i])
			transition->class_ms[i] = 0;
	}
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		if (is_over[transition->class[slot]])
			finish_slot(transition, slot, was[slot]);
	}
}

/* Classes that no slot is in are free again; without a touched slot the service is settled. */
static void tidy(struct transition *transition)
{
	bool is_used[TRANSITION_CLASSES] = {false};

	if (!transition->touched) {
		settle(transition);
		return;
	}
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
		is_used[transition->class[slot]] = true;
	for (unsigned int i = 1; i < TRANSITION_CLASSES; i++) {
		if (!is_used[i])
			transition->class_ms[i] = 0;
	}
}

/* All classes by deadline. Class 0, which has none of its own, stands for @deadline_ms. */
static void sort_classes(const struct transition *transition, uint64_t deadline_ms,
			 uint64_t ret_ms[static TRANSITION_CLASSES],
			 uint8_t ret_order[static TRANSITION_CLASSES])
{
	memcpy(ret_ms, transition->class_ms, sizeof(transition->class_ms));
	ret_ms[0] = deadline_ms;
	for (unsigned int i = 0; i < TRANSITION_CLASSES; i++) {
		unsigned int at = i;

		for (; at > 0 && ret_ms[ret_order[at - 1]] > ret_ms[i]; at--)
			ret_order[at] = ret_order[at - 1];
		ret_order[at] = (uint8_t)i;
	}
}

/*
 * All classes are taken: one of the deadlines, the new one included, joins the next later one.
 * The slots of a class may have been meant for any time since the class before it, so the class
 * is chosen whose neighbours are closest: that bounds how late the latest of them gets, also
 * when one commit after the other comes. The next deadline due is never put off.
 */
static uint8_t join_classes(struct transition *transition, uint64_t deadline_ms)
{
	uint64_t ms[TRANSITION_CLASSES];
	uint8_t order[TRANSITION_CLASSES];
	uint8_t from, into;
	unsigned int best = 1;

	sort_classes(transition, deadline_ms, ms, order);
	for (unsigned int i = 2; i + 1 < TRANSITION_CLASSES; i++) {
		if (ms[order[i + 1]] - ms[order[i - 1]] < ms[order[best + 1]] - ms[order[best - 1]])
			best = i;
	}
	from = order[best];
	into = order[best + 1];
	if (!from)
		return into;
	for (uint32_t slot = 0; into && slot < STEER_SLOTS; slot++) {
		if (transition->class[slot] == from)
			transition->class[slot] = into;
	}
	transition->class_ms[from] = deadline_ms;
	return from;
}

static uint8_t class_of_deadline(struct transition *transition, uint64_t deadline_ms)
{
	uint8_t free_class = 0;

	for (uint8_t i = 1; i < TRANSITION_CLASSES; i++) {
		if (transition->class_ms[i] == deadline_ms)
			return i;
		if (!transition->class_ms[i])
			free_class = i;
	}
	if (!free_class)
		return join_classes(transition, deadline_ms);
	transition->class_ms[free_class] = deadline_ms;
	return free_class;
}

/* The slot's now is no longer @was: flows that began there have until @deadline_ms. */
static void touch_slot(struct transition *transition, uint32_t slot, uint16_t was,
		       uint64_t deadline_ms, uint8_t *class)
{
	bool is_new = !transition->origin[slot];

	if (is_new && !was)
		return; /* nobody had flows there */
	if (is_new) {
		transition->era += !transition->touched;
		transition->touched++;
		transition->origin[slot] = was;
	}
	if (was || !transition->class[slot])
		transition->until_ms = later(transition->until_ms, deadline_ms);
	if (transition->class[slot])
		return; /* the first deadline counts */
	if (!*class)
		*class = class_of_deadline(transition, deadline_ms);
	transition->class[slot] = *class;
}

void transition_step(const struct transition *running, const uint16_t was[static STEER_SLOTS],
		     const uint16_t next[static STEER_SLOTS], uint64_t now_ms, uint64_t hold_ms,
		     struct transition *ret_next)
{
	uint64_t deadline_ms = deadline_after(now_ms, hold_ms);
	uint8_t class = 0;

	if (ret_next != running)
		memcpy(ret_next, running, sizeof(*ret_next));
	carry_out_deadlines(ret_next, was, now_ms);
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		if (was[slot] == next[slot])
			continue;
		if (hold_ms)
			touch_slot(ret_next, slot, was[slot], deadline_ms, &class);
		else if (ret_next->origin[slot])
			move_slot(ret_next, slot, next[slot]);
	}
	tidy(ret_next);
}

void transition_extend(struct transition *transition, uint64_t until_ms)
{
	if (!transition->touched)
		return;
	for (unsigned int i = 1; i < TRANSITION_CLASSES; i++) {
		if (transition->class_ms[i])
			transition->class_ms[i] = later(transition->class_ms[i], until_ms);
	}
	transition->until_ms = later(transition->until_ms, until_ms);
}

void transition_finish_origins(struct transition *transition,
			       const uint16_t now[static STEER_SLOTS])
{
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		if (transition->origin[slot])
			finish_slot(transition, slot, now[slot]);
	}
	tidy(transition);
}

uint64_t transition_origins_until(const struct transition *transition)
{
	uint64_t until_ms = 0;

	for (unsigned int i = 1; i < TRANSITION_CLASSES; i++)
		until_ms = later(until_ms, transition->class_ms[i]);
	return until_ms;
}

void transition_forget(struct transition *transition, uint16_t backend,
		       const uint16_t now[static STEER_SLOTS])
{
	if (!backend)
		return;
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		if (transition->origin[slot] == backend)
			move_slot(transition, slot, now[slot]);
	}
	tidy(transition);
}
