// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Transitions against their rules written down again, slot by slot, with a deadline of its own
 * for each. Histories are short enough that the classes suffice, so that both must agree to the
 * millisecond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "core/transition.h"

#define START 1000000

/* One service under test: @now is its running table. All are too large for the stack. */
static struct transition running;
static uint16_t now[STEER_SLOTS];

static struct {
	uint32_t era;
	uint64_t until_ms;
	uint16_t origin[STEER_SLOTS];
	uint64_t deadline_ms[STEER_SLOTS]; /* 0 = none pending */
} model;

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint32_t model_touched(void)
{
	uint32_t touched = 0;

	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
		touched += model.origin[slot] != 0;
	return touched;
}

static void model_settle(uint64_t at_ms)
{
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		if (model.until_ms <= at_ms) {
			model.origin[slot] = 0;
			model.deadline_ms[slot] = 0;
		}
		if (model.deadline_ms[slot] && model.deadline_ms[slot] <= at_ms) {
			model.deadline_ms[slot] = 0;
			model.origin[slot] = now[slot] ? now[slot] : model.origin[slot];
		}
	}
	if (!model_touched())
		model.until_ms = 0;
}

static void model_step(const uint16_t next[static STEER_SLOTS], uint64_t at_ms, uint64_t hold_ms)
{
	uint64_t end_ms = hold_ms == TRANSITION_NEVER ? TRANSITION_NEVER : at_ms + hold_ms;
	bool was_settled;

	model_settle(at_ms);
	was_settled = !model_touched();
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		uint16_t origin = model.origin[slot];

		if (now[slot] == next[slot] || (!origin && (!now[slot] || !hold_ms)))
			continue;
		model.origin[slot] = !hold_ms ? next[slot] : origin ? origin : now[slot];
		if (!hold_ms)
			model.deadline_ms[slot] = 0;
		else if (!model.deadline_ms[slot])
			model.deadline_ms[slot] = end_ms;
		if (now[slot] && hold_ms)
			model.until_ms = most(model.until_ms, end_ms);
		if (model.deadline_ms[slot] == end_ms)
			model.until_ms = most(model.until_ms, end_ms);
	}
	model.era += was_settled && model_touched();
	if (!model_touched())
		model.until_ms = 0;
}

static void model_extend(uint64_t until_ms)
{
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		if (model.deadline_ms[slot])
			model.deadline_ms[slot] = most(model.deadline_ms[slot], until_ms);
	}
	if (model_touched())
		model.until_ms = most(model.until_ms, until_ms);
}

static void model_finish(void)
{
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		model.deadline_ms[slot] = 0;
		if (model.origin[slot] && now[slot])
			model.origin[slot] = now[slot];
	}
}

static void model_forget(uint16_t backend)
{
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		if (model.origin[slot] != backend)
			continue;
		model.origin[slot] = now[slot];
		model.deadline_ms[slot] = 0;
	}
	if (!model_touched())
		model.until_ms = 0;
}

static uint64_t pending_until(uint32_t slot)
{
	return running.class[slot] ? running.class_ms[running.class[slot]] : 0;
}

static void assert_like_the_model(void)
{
	uint64_t last_ms = 0;

	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		if (running.origin[slot] != model.origin[slot] ||
		    pending_until(slot) != model.deadline_ms[slot])
			fail_msg("slot %u: origin %u until %llu, expected %u until %llu", slot,
				 running.origin[slot], (unsigned long long)pending_until(slot),
				 model.origin[slot], (unsigned long long)model.deadline_ms[slot]);
		last_ms = most(last_ms, model.deadline_ms[slot]);
	}
	assert_int_equal(running.touched, model_touched());
	assert_int_equal(running.era, model.era);
	assert_true(running.until_ms == model.until_ms);
	assert_true(running.until_ms >= last_ms);
	assert_true(transition_origins_until(&running) == last_ms);
}

static uint32_t random_below(uint64_t *seed, uint32_t limit)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((*seed >> 32) * limit >> 32);
}

/* Change every slot, some, or a few ranges, to backends among them nobody. */
static void random_commit(uint64_t *seed, uint64_t at_ms)
{
	static const uint64_t holds_ms[] = {1000, 4000, 4000, 4000, 9000, 0, TRANSITION_NEVER};
	uint64_t hold_ms = holds_ms[random_below(seed, random_below(seed, 8) ? 6 : 7)];
	static uint16_t next[STEER_SLOTS];
	uint32_t ranges = random_below(seed, 5);

	memcpy(next, now, sizeof(next));
	for (uint32_t i = 0; i < ranges; i++) {
		uint32_t first = random_below(seed, STEER_SLOTS);
		uint32_t n = random_below(seed, STEER_SLOTS - first + 1);
		uint16_t backend = (uint16_t)random_below(seed, 5);

		for (uint32_t slot = first; slot < first + n; slot++)
			next[slot] = slot % (i + 1) ? next[slot] : backend;
	}
	model_step(next, at_ms, hold_ms);
	transition_step(&running, now, next, at_ms, hold_ms, &running);
	memcpy(now, next, sizeof(next));
}

static void random_operation(uint64_t *seed, uint64_t at_ms)
{
	uint16_t backend;

	switch (random_below(seed, 16)) {
	case 0:
		model_extend(at_ms + 3000);
		transition_extend(&running, at_ms + 3000);
		break;
	case 1:
		model_finish();
		transition_finish_origins(&running, now);
		break;
	case 2:
		backend = (uint16_t)(1 + random_below(seed, 4));
		model_forget(backend);
		transition_forget(&running, backend, now);
		break;
	default:
		random_commit(seed, at_ms);
	}
}

static void random_histories_agree_with_the_rules_slot_by_slot(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (uint32_t history = 0; history < 60; history++) {
		uint64_t at_ms = START;

		memset(&running, 0, sizeof(running));
		memset(now, 0, sizeof(now));
		memset(&model, 0, sizeof(model));
		for (uint32_t i = 0; i < TRANSITION_CLASSES - 1; i++) {
			at_ms += random_below(&seed, random_below(&seed, 8) ? 1500 : 12000);
			random_operation(&seed, at_ms);
			assert_like_the_model();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_histories_agree_with_the_rules_slot_by_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
