// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Open connections finish where they began: every rule of a touched slot by itself.
 *
 * Each pool has one backend, so that a slot's backend is its pool's. A test begins with blue
 * settled; `switch_to` opens a transition. Time is moved by hand, see timing.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <sched.h>

#include "core/flows.h"
#include "harness/edge.h"
#include "harness/packet.h"
#include "harness/timing.h"

#define BLUE   0x11 /* last byte of the backend's MAC */
#define GREEN  0x21
#define CANARY 0x31
#define ROOM   4096 /* flow records: the least there is */
#define CROWD  12000
#define UDP    17
#define QUIET  53 /* UDP port of the service without UDP flows; the other one's is 443 */

static const char config[] =
	"interfaces: [edge0]\n"
	"limits: {flows: 4096}\n"
	"services:\n"
	"  shop:\n"
	"    frontends: ['203.0.113.10:80/tcp', '[2001:db8::10]:80/tcp', '203.0.113.10:443/udp']\n"
	"    udp: flow\n"
	"    pools:\n"
	"      blue: {backends: {blue-1: {address: 10.0.0.11, mac: '02:00:00:00:00:11'}}}\n"
	"      green: {backends: {green-1: {address: 10.0.0.21, mac: '02:00:00:00:00:21'}}}\n"
	"      canary: {backends: {canary-1: {address: 10.0.0.31, mac: '02:00:00:00:00:31'}}}\n"
	"    active: blue\n"
	"  names:\n"
	"    frontends: ['203.0.113.10:53/udp']\n"
	"    pools:\n"
	"      blue: {backends: {names-b: {address: 10.0.0.11, mac: '02:00:00:00:00:11'}}}\n"
	"      green: {backends: {names-g: {address: 10.0.0.21, mac: '02:00:00:00:00:21'}}}\n"
	"    active: blue\n";

static struct edge edge;
static struct dataplane dp;

static int begin(void **state)
{
	cpu_set_t one;

	(void)state;
	/* Budgets are per CPU. */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	edge_up(&edge, config);
	timing_open(&edge, &dp);
	return 0;
}

static int end(void **state)
{
	(void)state;
	dataplane_close(&dp);
	edge_down(&edge);
	return 0;
}

static void switch_service(const char *service, const char *pool)
{
	struct steerer *steerer = edge_open(&edge, STEERER_WRITE);
	struct commit_note note = {.command = "switch"};
	struct policy next = {0};
	struct diag why = {0};
	bool is_changed;

	assert_int_equal(policy_copy(steerer_policy(steerer), &next), 0);
	if (service_switch(policy_service(&next, service), pool, next.revision,
			   steerer_hash_key(steerer), &is_changed, &why) < 0 ||
	    steerer_commit(steerer, &next, &note, &why) < 0)
		fail_msg("%s", why.text);
	policy_free(&next);
	steerer_close(steerer);
}

static void switch_to(const char *pool)
{
	switch_service("shop", pool);
}

static void roll_back(void)
{
	struct steerer *steerer = edge_open(&edge, STEERER_ROLLBACK);
	struct commit_note note = {.command = "rollback"};
	struct diag notice = {0}, why = {0};
	bool is_changed;

	if (steerer_rollback(steerer, false, &note, &is_changed, &notice, &why) < 0)
		fail_msg("%s", why.text);
	assert_true(is_changed);
	steerer_close(steerer);
}

/* Last byte of the MAC address that @packet leaves for. */
static int reached_by(const struct packet *packet, int payload)
{
	struct frame frame;
	struct sent sent;

	packet_build(packet, &frame);
	if (payload >= 0)
		frame.bytes[frame.transport + 8] = (uint8_t)payload;
	edge_send(&edge, frame.bytes, frame.size, &sent);
	assert_int_equal(sent.action, XDP_TX);
	return sent.bytes[5];
}

/* The TCP connection of CLIENT4's port @port. */
static int tcp(uint16_t port, uint8_t flags)
{
	return reached_by(&(struct packet){.to = FRONTEND4, .from_port = port, .tcp_flags = flags},
			  -1);
}

static int tcp6(uint16_t port, uint8_t flags)
{
	return reached_by(&(struct packet){.to = FRONTEND6, .from_port = port, .tcp_flags = flags},
			  -1);
}

/* @first_byte of the payload: QUIC's long or short header */
static int udp(uint16_t port, uint16_t to_port, int first_byte)
{
	return reached_by(&(struct packet){.to = FRONTEND4,
					   .from_port = port,
					   .to_port = to_port,
					   .protocol = UDP,
					   .payload_bytes = 32},
			  first_byte);
}

static uint32_t records(void)
{
	uint32_t *each = calloc(STEER_BACKEND_IDS, sizeof(*each)), sum = 0;
	struct diag why = {0};

	assert_non_null(each);
	assert_int_equal(flows_count(&dp, each, &why), 0);
	for (uint32_t id = 0; id < STEER_BACKEND_IDS; id++)
		sum += each[id];
	free(each);
	return sum;
}

/* The table is swept whole by one tick; the first may have begun before the call. */
static void sweep(void)
{
	timing_await_ticks(&dp, 2);
}

static void a_birth_goes_to_now_and_stays_there(void **state)
{
	(void)state;
	switch_to("green");
	assert_int_equal(tcp(1, TCP_SYN), GREEN);
	assert_int_equal(tcp6(1, TCP_SYN), GREEN);
	assert_int_equal(timing_counters(&dp).births, 2);
	assert_int_equal(records(), 2);
	roll_back();
	assert_int_equal(tcp(1, TCP_ACK), GREEN);
	assert_int_equal(tcp6(1, TCP_ACK), GREEN);
	assert_int_equal(timing_counters(&dp).hits, 2);
	assert_int_equal(tcp(2, TCP_SYN), BLUE);
}

static void a_flow_without_a_record_belongs_to_the_origin(void **state)
{
	(void)state;
	switch_to("green");
	assert_int_equal(tcp(1, TCP_ACK), BLUE);
	assert_int_equal(tcp6(1, TCP_ACK), BLUE);
	assert_int_equal(tcp(1, TCP_SYN | TCP_ACK), BLUE);
	assert_int_equal(tcp(1, TCP_FIN | TCP_ACK), BLUE);
	switch_to("canary");
	assert_int_equal(tcp(1, TCP_RST), BLUE);
	assert_int_equal(tcp(1, TCP_ACK), BLUE);
	assert_int_equal(timing_counters(&dp).origin, 6);
	assert_int_equal(records(), 0);
}

static void a_syn_on_a_live_record_follows_it(void **state)
{
	(void)state;
	switch_to("green");
	assert_int_equal(tcp(1, TCP_SYN), GREEN);
	assert_int_equal(tcp(2, TCP_SYN), GREEN);
	assert_int_equal(tcp(2, TCP_ACK), GREEN);
	switch_to("canary");
	assert_int_equal(tcp(1, TCP_SYN), GREEN); /* sent again */
	assert_int_equal(tcp(2, TCP_SYN), GREEN); /* forged */
	assert_int_equal(tcp(2, TCP_ACK), GREEN);
	assert_int_equal(timing_counters(&dp).births, 2);
}

static void a_syn_on_a_closing_record_is_a_new_birth(void **state)
{
	(void)state;
	switch_to("green");
	for (uint16_t port = 1; port <= 2; port++) {
		assert_int_equal(tcp(port, TCP_SYN), GREEN);
		assert_int_equal(tcp(port, TCP_ACK), GREEN);
		assert_int_equal(tcp(port, TCP_FIN | TCP_ACK), GREEN);
	}
	switch_to("canary");
	assert_int_equal(tcp(1, TCP_SYN), CANARY);
	assert_int_equal(tcp(1, TCP_ACK), CANARY);
	switch_to("blue"); /* now is the origin */
	assert_int_equal(tcp(2, TCP_SYN), BLUE);
	assert_int_equal(tcp(2, TCP_ACK), BLUE);
}

static void a_forged_end_breaks_nothing(void **state)
{
	(void)state;
	switch_to("green");
	assert_int_equal(tcp(1, TCP_SYN), GREEN);
	assert_int_equal(tcp(1, TCP_ACK), GREEN);
	assert_int_equal(tcp(1, TCP_RST), GREEN);
	roll_back();
	assert_int_equal(tcp(1, TCP_FIN), GREEN);
	assert_int_equal(tcp(1, TCP_ACK), GREEN);
	assert_int_equal(tcp(1, TCP_ACK), GREEN);
	assert_int_equal(tcp(1, TCP_SYN), GREEN); /* it has come back to life */
	dp.control->epoch += STEER_CLOSING_EPOCHS;
	sweep();
	assert_int_equal(tcp(1, TCP_ACK), GREEN);
}

static void an_ended_flow_is_forgotten_later(void **state)
{
	(void)state;
	switch_to("green");
	assert_int_equal(tcp(1, TCP_SYN), GREEN);
	assert_int_equal(tcp(1, TCP_RST), GREEN);
	dp.control->epoch += STEER_CLOSING_EPOCHS - 1 - STEER_BORN_EPOCHS;
	sweep();
	assert_int_equal(records(), 1);
	dp.control->epoch += STEER_BORN_EPOCHS + 1;
	sweep();
	assert_int_equal(records(), 0);
	assert_int_equal(tcp(1, TCP_ACK), BLUE);
}

static void a_flow_that_says_nothing_more_is_forgotten_soon(void **state)
{
	(void)state;
	switch_to("green");
	for (uint16_t port = 1; port <= 50; port++)
		assert_int_equal(tcp(port, TCP_SYN), GREEN);
	assert_int_equal(tcp(50, TCP_ACK), GREEN);
	dp.control->epoch += STEER_BORN_EPOCHS;
	sweep();
	assert_int_equal(records(), 1);
	assert_int_equal(timing_counters(&dp).expired, 49);
	assert_int_equal(tcp(50, TCP_ACK), GREEN);
}

static void a_full_table_sends_newborns_to_the_origin(void **state)
{
	static int reached[CROWD];
	struct steer_flow_counters counters;

	(void)state;
	dp.control->births = UINT32_MAX;
	switch_to("green");
	for (uint16_t i = 0; i < CROWD; i++)
		reached[i] = tcp((uint16_t)(1 + i), TCP_SYN);
	counters = timing_counters(&dp);
	assert_true(counters.births > ROOM * 9 / 10 && counters.births <= ROOM);
	assert_int_equal(counters.full, CROWD - counters.births);
	assert_int_equal(counters.over_budget, 0);
	for (uint16_t i = 0; i < CROWD; i++) {
		assert_int_equal(tcp((uint16_t)(1 + i), TCP_ACK), reached[i]);
		counters.births -= reached[i] == GREEN;
		assert_true(reached[i] == GREEN || reached[i] == BLUE);
	}
	assert_int_equal(counters.births, 0);
}

static void births_beyond_the_budget_go_to_the_origin(void **state)
{
	int green = 0;

	(void)state;
	switch_to("green");
	dp.control->births = 10;
	dp.control->epoch++;
	for (uint16_t port = 1; port <= 30; port++)
		green += tcp(port, TCP_SYN) == GREEN;
	/* The epoch may have changed by itself, once. */
	assert_true(green == 10 || green == 20);
	assert_int_equal(timing_counters(&dp).over_budget, 30 - green);
	assert_int_equal(tcp(30, TCP_ACK), green == 10 ? BLUE : GREEN);
	dp.control->epoch++;
	assert_int_equal(tcp(31, TCP_SYN), GREEN);
}

static void udp_without_flows_follows_now(void **state)
{
	struct steer_flow_counters before, after;

	(void)state;
	assert_int_equal(udp(1, QUIET, 0xc0), BLUE);
	switch_service("names", "green");
	before = timing_counters(&dp);
	assert_int_equal(udp(1, QUIET, 0xc0), GREEN);
	assert_int_equal(udp(1, QUIET, 0x40), GREEN);
	switch_service("names", "blue");
	assert_int_equal(udp(1, QUIET, 0x40), BLUE);
	after = timing_counters(&dp);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void a_quic_initial_is_a_birth_and_no_other_datagram(void **state)
{
	(void)state;
	switch_to("green");
	assert_int_equal(udp(1, 443, 0x40), BLUE); /* short header */
	assert_int_equal(udp(1, 443, 0xe0), BLUE); /* long header: handshake */
	assert_int_equal(udp(2, 443, 0xc3), GREEN);
	roll_back();
	assert_int_equal(udp(2, 443, 0x40), GREEN);
	assert_int_equal(udp(2, 443, 0xc3), GREEN); /* sent again */
	assert_int_equal(udp(3, 443, 0xc3), BLUE);
}

static void what_a_former_transition_recorded_means_nothing(void **state)
{
	(void)state;
	switch_to("green");
	assert_int_equal(tcp(1, TCP_SYN), GREEN);
	assert_int_equal(tcp(1, TCP_ACK), GREEN);
	switch_to("canary");
	timing_settle(&dp);
	assert_false(timing_is_touched(&dp, 0));
	assert_int_equal(tcp(1, TCP_ACK), CANARY);
	switch_to("blue");
	assert_int_equal(tcp(1, TCP_ACK), CANARY);
	assert_int_equal(tcp(1, TCP_SYN), BLUE);
}

/* The bank that rollback selects was prepared when the former transition was open. */
static void nor_does_it_for_a_way_back_that_was_prepared(void **state)
{
	(void)state;
	switch_to("green");
	assert_int_equal(tcp(1, TCP_SYN), GREEN);
	assert_int_equal(tcp(1, TCP_ACK), GREEN);
	timing_settle(&dp);
	roll_back();
	assert_int_equal(tcp(1, TCP_ACK), GREEN);
	assert_int_equal(timing_counters(&dp).hits, 1);
	assert_int_equal(tcp(1, TCP_SYN), BLUE);
}

static void the_first_deadline_ends_origins_and_the_last_one_records(void **state)
{
	(void)state;
	switch_to("green");
	assert_int_equal(tcp(1, TCP_SYN), GREEN);
	timing_await_ticks(&dp, 1); /* so that the deadlines differ */
	switch_to("canary");
	assert_int_equal(tcp(2, TCP_ACK), BLUE);
	assert_true(timing_select_next(&dp));
	assert_true(timing_is_touched(&dp, 0));
	assert_int_equal(tcp(2, TCP_ACK), CANARY);
	assert_int_equal(tcp(1, TCP_ACK), GREEN);
	assert_true(timing_select_next(&dp));
	assert_false(timing_is_touched(&dp, 0));
	assert_int_equal(tcp(1, TCP_ACK), CANARY);
	assert_false(timing_select_next(&dp));
}

static void steady_state_touches_no_record(void **state)
{
	static const uint8_t flags[] = {TCP_SYN, TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST};
	struct steer_flow_counters before, after;

	(void)state;
	for (int round = 0; round < 2; round++) {
		before = timing_counters(&dp);
		for (uint16_t i = 0; i < 4; i++)
			assert_int_equal(tcp(i + 1, flags[i]), round ? GREEN : BLUE);
		after = timing_counters(&dp);
		assert_memory_equal(&before, &after, sizeof(before));
		switch_to("green");
		switch_service("names", "green");
		timing_settle(&dp);
		sweep();
	}
	assert_int_equal(records(), 0);
}

static void a_commit_to_one_service_leaves_the_others_settled(void **state)
{
	(void)state;
	switch_service("names", "green");
	assert_true(timing_is_touched(&dp, 1));
	assert_false(timing_is_touched(&dp, 0));
	assert_int_equal(tcp(1, TCP_SYN), BLUE);
	assert_int_equal(timing_counters(&dp).births, 0);
}

static void commits_in_quick_succession_do_not_hold_the_timer_up(void **state)
{
	uint32_t ticks;
	struct diag why = {0};
	const struct timespec nap = {.tv_nsec = STEER_TICK_NS / 10};

	(void)state;
	switch_to("green");
	ticks = dp.control->ticks;
	for (int i = 0; i < 40; i++) {
		assert_int_equal(dataplane_arm(&dp, &why), 0);
		(void)nanosleep(&nap, NULL);
	}
	assert_true(dp.control->ticks - ticks >= 2);
}

#define RULE(claim) cmocka_unit_test_setup_teardown(claim, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(a_birth_goes_to_now_and_stays_there),
		RULE(a_flow_without_a_record_belongs_to_the_origin),
		RULE(a_syn_on_a_live_record_follows_it),
		RULE(a_syn_on_a_closing_record_is_a_new_birth),
		RULE(a_forged_end_breaks_nothing),
		RULE(an_ended_flow_is_forgotten_later),
		RULE(a_flow_that_says_nothing_more_is_forgotten_soon),
		RULE(a_full_table_sends_newborns_to_the_origin),
		RULE(births_beyond_the_budget_go_to_the_origin),
		RULE(udp_without_flows_follows_now),
		RULE(a_quic_initial_is_a_birth_and_no_other_datagram),
		RULE(what_a_former_transition_recorded_means_nothing),
		RULE(nor_does_it_for_a_way_back_that_was_prepared),
		RULE(the_first_deadline_ends_origins_and_the_last_one_records),
		RULE(steady_state_touches_no_record),
		RULE(a_commit_to_one_service_leaves_the_others_settled),
		RULE(commits_in_quick_succession_do_not_hold_the_timer_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
