// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Broken connections while servers come and go, flow by flow: 24 servers, then 30, then 22, as in
 * Barbette et al., "Cheetah", NSDI 2020, section 5.3, with flows that live for seconds or for
 * ever (Pareto). Real tables and transitions, and the flow table's buckets; the deadline is
 * longer than the run. What the same tables break by themselves stands beside it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "core/table.h"
#include "core/transition.h"
#include "steer/flow.h"

#define SEED	    20240607
#define SERVERS	    30
#define FIRST	    24
#define LAST	    22
#define FLOWS	    60000 /* 1,000 a second */
#define RUN_MS	    60000
#define STEP_MS	    100
#define DEADLINE_MS (10 * 60 * 1000)
#define GROW_MS	    20000 /* from here a server more every second */
#define SHRINK_MS   30000 /* from here one less */

struct flow {
	uint64_t hash;
	uint32_t slot;
	uint16_t backend; /* that it began with; 0 = not yet born */
	bool is_over, is_broken;
	uint16_t alone; /* the same by the tables without transitions */
	bool is_broken_alone;
	uint32_t begins_ms, ends_ms;
};

/* Too large for the stack. */
static struct backend servers[SERVERS];
static struct pool pool = {.name = "blue", .backends = servers, .n_backends = SERVERS};
static struct service service = {.name = "shop", .pools = &pool, .n_pools = 1};
static struct transition transition;
static struct steer_table now, next;
static struct flow flows[FLOWS];
static struct steer_bucket *buckets;
static uint32_t n_buckets;
static const __u64 key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
static uint64_t random_state;

static struct {
	uint32_t broken, broken_alone, born, recorded, full;
} result;

/* xorshift64*; Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2014. */
static uint64_t draw(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dULL;
}

/* At least half a second; one of ten more than 5 s, one of a hundred more than 50 s. */
static uint32_t draw_life_ms(void)
{
	uint64_t life_ms = (500ULL << 32) / ((draw() >> 32) + 1);

	return (uint32_t)(life_ms < 10 * RUN_MS ? life_ms : 10 * RUN_MS);
}

static void begin(uint32_t room)
{
	memset(&transition, 0, sizeof(transition));
	memset(&result, 0, sizeof(result));
	random_state = SEED;
	n_buckets = room / STEER_BUCKET_FLOWS;
	buckets = calloc(n_buckets, sizeof(*buckets));
	assert_non_null(buckets);
	for (uint32_t i = 0; i < SERVERS; i++) {
		servers[i] = (struct backend){.id = i + 1,
					      .weight = 1,
					      .state = i < FIRST ? BACKEND_READY : BACKEND_DRAIN};
		(void)snprintf(servers[i].name, sizeof(servers[i].name), "blue-%u", i + 1);
	}
	assert_int_equal(table_compile(&service, &now), 0);
	for (uint32_t i = 0; i < FLOWS; i++) {
		uint32_t begins = i * (RUN_MS / 1000) / (FLOWS / 1000);

		flows[i] = (struct flow){.hash = draw(),
					 .slot = (uint32_t)(draw() % STEER_SLOTS),
					 .begins_ms = begins,
					 .ends_ms = begins + draw_life_ms()};
	}
}

static void commit(uint64_t now_ms)
{
	assert_int_equal(table_compile(&service, &next), 0);
	transition_step(&transition, now.backend, next.backend, now_ms + 1, DEADLINE_MS,
			&transition);
	now = next;
}

static void change_servers(uint32_t now_ms)
{
	uint32_t second = now_ms / 1000;

	if (now_ms % 1000)
		return;
	if (now_ms >= GROW_MS && second - GROW_MS / 1000 < SERVERS - FIRST)
		servers[FIRST + second - GROW_MS / 1000].state = BACKEND_READY;
	else if (now_ms >= SHRINK_MS && second - SHRINK_MS / 1000 < SERVERS - LAST)
		servers[3 * (second - SHRINK_MS / 1000)].state = BACKEND_DRAIN;
	else
		return;
	commit(now_ms);
}

/* As the packet path does it. */
static uint64_t hash_of(const struct flow *flow)
{
	return steer_flow4(key, transition.era, (__be32)flow->hash, (__be32)(flow->hash >> 32), 0);
}

/* Word of the record of the flow with @tag; 0: a free one. NULL when there is none. */
static __u64 *find_word(uint64_t hash, uint64_t tag)
{
	for (uint32_t which = 0; which < 2; which++) {
		struct steer_bucket *bucket = &buckets[steer_flow_bucket(hash, which, n_buckets)];

		for (uint32_t i = 0; i < STEER_BUCKET_FLOWS; i++) {
			if (STEER_FLOW_TAG(bucket->flow[i]) == tag)
				return &bucket->flow[i];
		}
	}
	return NULL;
}

/* The rules of a touched slot, for a packet of @flow. */
static uint16_t backend_of(const struct flow *flow, bool is_birth)
{
	uint16_t origin = transition.origin[flow->slot], serving = now.backend[flow->slot];
	uint64_t hash = hash_of(flow);
	__u64 *word;

	if (!origin)
		return serving;
	word = find_word(hash, steer_flow_tag(hash));
	if (word)
		return (uint16_t)STEER_FLOW_BACKEND(*word);
	if (!is_birth || serving == origin)
		return origin;
	word = find_word(hash, 0);
	if (!word) {
		result.full++;
		return origin;
	}
	*word = STEER_FLOW(steer_flow_tag(hash), serving, STEER_FLOW_CONFIRMED, 0);
	result.recorded++;
	return serving;
}

static void send_packet(struct flow *flow)
{
	uint16_t backend = backend_of(flow, !flow->backend), alone = now.backend[flow->slot];

	if (!flow->backend) {
		flow->backend = backend;
		flow->alone = alone;
		result.born++;
		return;
	}
	if (backend != flow->backend && !flow->is_broken) {
		flow->is_broken = true;
		result.broken++;
	}
	if (alone != flow->alone && !flow->is_broken_alone) {
		flow->is_broken_alone = true;
		result.broken_alone++;
	}
}

/* Every flow sends a packet in every step of its life. */
static void simulate(uint32_t room)
{
	uint32_t first = 0, end = 0; /* flows that may be alive */

	begin(room);
	for (uint32_t now_ms = 0; now_ms < RUN_MS; now_ms += STEP_MS) {
		change_servers(now_ms);
		while (end < FLOWS && flows[end].begins_ms <= now_ms)
			end++;
		while (first < end && flows[first].ends_ms < now_ms)
			first++;
		for (uint32_t i = first; i < end; i++) {
			if (!flows[i].backend || flows[i].ends_ms >= now_ms)
				send_packet(&flows[i]);
		}
	}
	free(buckets);
	print_message("# room for %u: %u flows, %u recorded, %u kept back, %u broken; %u by the "
		      "tables alone\n",
		      room, result.born, result.recorded, result.full, result.broken,
		      result.broken_alone);
}

static uint32_t serving_servers(void)
{
	bool is_serving[SERVERS + 1] = {false};
	uint32_t count = 0;

	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
		is_serving[now.backend[slot]] = true;
	for (uint32_t i = 1; i <= SERVERS; i++)
		count += is_serving[i];
	return count;
}

static void servers_that_come_and_go_break_no_connection(void **state)
{
	(void)state;
	simulate(262144);
	assert_int_equal(serving_servers(), LAST);
	assert_true(result.born > FLOWS - 100);
	assert_true(result.recorded > 1000);
	assert_int_equal(result.full, 0);
	assert_int_equal(result.broken, 0);
	/* Else the run proves nothing: consistent hashing broke 0.67% in the paper's. */
	assert_true(result.broken_alone > FLOWS / 150);
}

static void a_flow_table_far_too_small_breaks_no_connection(void **state)
{
	(void)state;
	simulate(1024);
	assert_int_equal(result.recorded, 1024);
	assert_true(result.full > 1000);
	assert_int_equal(result.broken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_that_come_and_go_break_no_connection),
		cmocka_unit_test(a_flow_table_far_too_small_breaks_no_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
