// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What clients notice of shares, in the kernel: how many of them a share is, who moves when it
 * changes, and that the way back leads exactly to where they were.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>

#include "harness/edge.h"
#include "harness/packet.h"

#define SEED	       20240607
#define SAMPLE	       20000 /* clients that a share is measured by */
#define WATCHED	       4000  /* clients that are followed from share to share */
#define ROUNDS	       8
#define SERVICES       2
#define CANARY_5       3277 /* slots of 5%: 65,536 / 20, rounded */
#define SLOTS(percent) ((uint32_t)((percent)*STEER_SLOTS / 100))

#define SECOND4 "203.0.113.11"

#define POOLS(service, net)                                                                        \
	"    pools:\n"                                                                             \
	"      blue: {backends: {" service "-b1: {address: 10.0." net                              \
	".11, mac: '02:00:00:00:00:11'}, " service "-b2: {address: 10.0." net                      \
	".12, mac: '02:00:00:00:00:12'}}}\n"                                                       \
	"      green: {backends: {" service "-g1: {address: 10.0." net                             \
	".21, mac: '02:00:00:00:00:21'}, " service "-g2: {address: 10.0." net                      \
	".22, mac: '02:00:00:00:00:22'}}}\n"                                                       \
	"      canary: {backends: {" service "-c1: {address: 10.0." net                            \
	".31, mac: '02:00:00:00:00:31'}}}\n"                                                       \
	"    active: blue\n"

static const char config[] = "interfaces: [edge0]\n"
			     "services:\n"
			     "  one:\n"
			     "    frontends: ['" FRONTEND4 ":80/tcp', '[" FRONTEND6
			     "]:80/tcp']\n" POOLS("one", "0") "  two:\n"
							      "    frontends: ['" SECOND4
							      ":80/tcp']\n" POOLS("two", "0");

/* Last byte of the backends' MAC addresses, without the number in the pool. */
enum colour {
	BLUE = 0x10,
	GREEN = 0x20,
	CANARY = 0x30,
};

static struct edge edge;
static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((random_state >> 33) % below);
}

/* The pool that a random client of service "one" meets; every second one speaks IPv6. */
static enum colour colour_of_client(uint32_t number, uint64_t seed)
{
	uint64_t mixed = (number + seed) * 0x9e3779b97f4a7c15ULL;
	char from[64];
	struct packet packet = {.from = from, .to = number % 2 ? FRONTEND6 : FRONTEND4};
	struct frame frame;
	struct sent sent;

	mixed ^= mixed >> 29;
	mixed *= 0xbf58476d1ce4e5b9ULL; /* of splitmix64 */
	mixed ^= mixed >> 32;
	if (number % 2)
		(void)snprintf(from, sizeof(from), "2001:db8:%x:%x::1", (uint32_t)mixed & 0xffff,
			       (uint32_t)mixed >> 16);
	else
		(void)snprintf(from, sizeof(from), "%u.%u.%u.%u", (uint32_t)mixed >> 24,
			       (uint32_t)mixed >> 16 & 0xff, (uint32_t)mixed >> 8 & 0xff,
			       (uint32_t)mixed & 0xff);
	packet_build(&packet, &frame);
	edge_send(&edge, frame.bytes, frame.size, &sent);
	assert_int_equal(sent.action, XDP_TX);
	return (enum colour)(sent.bytes[5] & 0xf0);
}

static void set(const char *service, const char *pool, uint32_t slots)
{
	struct steerer *steerer = edge_open(&edge, STEERER_WRITE);
	const struct share_request request = {pool, slots};
	struct diag why = {0};
	struct policy next;
	bool changed;

	assert_int_equal(policy_copy(steerer_policy(steerer), &next), 0);
	if (service_set(policy_service(&next, service), &request, 1, next.revision,
			steerer_hash_key(steerer), &changed, &why) < 0)
		fail_msg("%s", why.text);
	if (changed)
		edge_commit(steerer, &next);
	policy_free(&next);
	steerer_close(steerer);
}

static bool roll_back(bool step)
{
	struct steerer *steerer = edge_open(&edge, STEERER_ROLLBACK);
	struct commit_note note = {.command = "rollback"};
	struct diag notice = {0}, why = {0};
	bool changed;

	if (steerer_rollback(steerer, step, &note, &changed, &notice, &why) < 0)
		fail_msg("%s", why.text);
	assert_string_equal(notice.text, "");
	steerer_close(steerer);
	return changed;
}

/* Slots of the canary's only backend in the live table of service "one". */
static uint32_t canary_slots(void)
{
	static struct steer_table table;
	uint32_t id = edge_backend(&edge, "one-c1"), slots = 0;

	edge_table(&edge, 0, &table);
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
		slots += table.backend[slot] == id;
	return slots;
}

/* Of @n clients a share of p takes n p on average, with a variance of n p (1 - p). */
static void a_share_is_exact_in_slots_and_fair_to_clients(void **state)
{
	double share = (double)CANARY_5 / STEER_SLOTS, mean = SAMPLE * share, away;
	uint32_t met = 0;

	(void)state;
	set("one", "canary", CANARY_5);
	assert_int_equal(canary_slots(), CANARY_5);
	for (uint32_t i = 0; i < SAMPLE; i++)
		met += colour_of_client(i, SEED) == CANARY;
	away = met - mean;
	print_message("# %u of %u clients met the canary, expected %.0f\n", met, SAMPLE, mean);
	assert_true(away * away <= 4 * 4 * mean * (1 - share));
	set("one", "canary", 0);
	assert_int_equal(canary_slots(), 0);
}

static void watch(enum colour ret_colour[static WATCHED])
{
	for (uint32_t i = 0; i < WATCHED; i++)
		ret_colour[i] = colour_of_client(i, 2 * SEED);
}

static void a_share_moves_clients_only_into_and_out_of_its_pool(void **state)
{
	static const uint32_t percent[] = {1, 5, 6, 25, 60, 59, 30, 5, 0};
	static enum colour before[WATCHED], after[WATCHED];
	uint32_t last = 0;

	(void)state;
	set("one", "green", SLOTS(20));
	watch(before);
	for (size_t i = 0; i < sizeof(percent) / sizeof(percent[0]); i++) {
		uint32_t moved = 0;

		set("one", "canary", SLOTS(percent[i]));
		watch(after);
		for (uint32_t c = 0; c < WATCHED; c++) {
			enum colour from = percent[i] > last ? BLUE : CANARY;
			enum colour into = percent[i] > last ? CANARY : BLUE;

			if (after[c] == before[c])
				continue;
			moved++;
			if (before[c] != from || after[c] != into)
				fail_msg("from %u%% to %u%%: client %u moved from %x to %x", last,
					 percent[i], c, before[c], after[c]);
		}
		assert_true(moved > 0);
		last = percent[i];
		memcpy(before, after, sizeof(before));
	}
	set("one", "green", 0);
}

static void read_tables(struct steer_table tables[SERVICES])
{
	for (uint32_t s = 0; s < SERVICES; s++)
		edge_table(&edge, s, &tables[s]);
}

static void change_at_random(const char *service)
{
	/* Together below all slots: a pool that owns everything would end the release. */
	set(service, draw(2) ? "canary" : "green", 1 + draw(SLOTS(45)));
}

static void rollback_restores_byte_identical_tables(void **state)
{
	static struct steer_table base[SERVICES], step[SERVICES], now[SERVICES];

	(void)state;
	read_tables(base);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		const char *service = round % 2 ? "two" : "one";
		uint32_t commits = 1 + draw(3);

		for (uint32_t i = 0; i < commits; i++)
			change_at_random(service);
		read_tables(now);
		assert_memory_not_equal(now, base, sizeof(base));
		assert_true(roll_back(false));
		read_tables(now);
		assert_memory_equal(now, base, sizeof(base));
		assert_false(roll_back(false));
		read_tables(now);
		assert_memory_equal(now, base, sizeof(base));
	}
	for (uint32_t round = 0; round < ROUNDS; round++) {
		read_tables(step);
		change_at_random("one");
		read_tables(now);
		assert_memory_not_equal(now, step, sizeof(step));
		assert_true(roll_back(true));
		read_tables(now);
		assert_memory_equal(now, step, sizeof(step));
		change_at_random("one");
	}
}

static int up(void **state)
{
	(void)state;
	random_state = SEED;
	edge_up(&edge, config);
	return 0;
}

static int down(void **state)
{
	(void)state;
	edge_down(&edge);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_share_is_exact_in_slots_and_fair_to_clients),
		cmocka_unit_test(a_share_moves_clients_only_into_and_out_of_its_pool),
		cmocka_unit_test(rollback_restores_byte_identical_tables),
	};

	return cmocka_run_group_tests(tests, up, down);
}
