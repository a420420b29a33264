// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Random histories of commits, timer firings, time and packets against a model of the rules.
 *
 * The tables of now are read from the kernel, for what they must be is proven elsewhere; origins
 * are the model's own. STEER_MODEL_SEED and STEER_MODEL_STEPS make other and longer runs.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>

#include "harness/edge.h"
#include "harness/flow_model.h"
#include "harness/packet.h"
#include "harness/timing.h"

#define SERVICES 2
#define FLOWS	 600
#define SECOND4	 "203.0.113.11"
#define SECOND6	 "2001:db8::11"

#define BACKEND(name, number)                                                                      \
	name ": {address: 10.0.0." number ", mac: '02:00:00:00:00:" number "'}"
#define SERVICE(name, net4, net6, digit)                                                           \
	"  " name ":\n"                                                                            \
	"    frontends: ['" net4 ":80/tcp', '[" net6 "]:80/tcp']\n"                                \
	"    pools:\n"                                                                             \
	"      blue: {backends: {" BACKEND(name "-b1", digit "1") ", " BACKEND(                    \
		name "-b2", digit                                                                  \
		"2") "}}\n"                                                                        \
		     "      green: {backends: {" BACKEND(name "-g1", digit "3") ", " BACKEND(      \
			     name "-g2", digit "4") "}}\n"                                         \
						    "      canary: {backends: "                    \
						    "{" BACKEND(name "-c1",                        \
								digit "5") "}}\n"                  \
									   "    active: "          \
									   "blue\n"

/* Room for every flow there is, and a table that one tick sweeps. */
static const char config[] = "interfaces: [edge0]\n"
			     "limits: {flows: 16384}\n"
			     "services:\n" SERVICE("shop", FRONTEND4, FRONTEND6, "1")
				     SERVICE("mail", SECOND4, SECOND6, "2");

struct client {
	char from[48];
	struct packet packet;
	uint32_t service, slot;
	struct flow_model model;
};

static struct edge edge;
static struct dataplane dp;
static struct client clients[FLOWS];
static uint16_t now[SERVICES][STEER_SLOTS], origin[SERVICES][STEER_SLOTS];
static uint16_t backend_of_mac[256];
static uint64_t random_state;
static uint32_t steps_done, commits, firings, births, ends;

/* xorshift64*; Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2014. */
static uint32_t below(uint32_t limit)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)(random_state * 0x2545f4914f6cdd1dULL >> 32) % limit;
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static uint32_t slot_of(const struct client *client)
{
	const struct policy *policy = steerer_policy(edge.reader);
	struct address address;
	struct diag why;

	assert_int_equal(address_parse(client->from, &address, &why), 0);
	return steerer_slot(edge.reader, &policy->services[client->service], &address);
}

static void draw_client(struct client *client)
{
	bool is_ipv6 = below(3) == 0;

	memset(client, 0, sizeof(*client));
	client->service = below(SERVICES);
	if (is_ipv6)
		(void)snprintf(client->from, sizeof(client->from), "2001:db8:%x:%x::%x",
			       below(65536), below(65536), below(65536));
	else
		(void)snprintf(client->from, sizeof(client->from), "198.%u.%u.%u", 18 + below(2),
			       below(256), below(256));
	client->packet = (struct packet){
		.from = client->from,
		.to = is_ipv6 ? (client->service ? SECOND6 : FRONTEND6)
			      : (client->service ? SECOND4 : FRONTEND4),
		.from_port = (uint16_t)(1024 + below(60000)),
	};
	client->slot = slot_of(client);
	flow_model_reset(&client->model);
}

/* What the program makes of it: the backend it is sent to, 0 = none. */
static uint16_t send_packet(struct client *client, enum flow_packet kind)
{
	static const uint8_t flags[FLOW_PACKET_COUNT][2] = {
		{TCP_SYN, TCP_SYN}, {TCP_FIN | TCP_ACK, TCP_RST}, {TCP_ACK, TCP_SYN | TCP_ACK}};
	struct frame frame;
	struct sent sent;

	client->packet.tcp_flags = flags[kind][below(8) == 0];
	packet_build(&client->packet, &frame);
	edge_send(&edge, frame.bytes, frame.size, &sent);
	return sent.action == XDP_TX ? backend_of_mac[sent.bytes[5]] : 0;
}

static struct flow_moment moment_of(const struct client *client)
{
	return (struct flow_moment){
		.epoch = *(volatile uint32_t *)&dp.control->epoch,
		.age = *(volatile uint32_t *)&dp.control->age,
		.now = now[client->service][client->slot],
		.origin = origin[client->service][client->slot],
	};
}

static void report(const struct client *client, enum flow_packet kind,
		   const struct flow_moment *moment, uint16_t backend)
{
	for (size_t i = 0; i < client->model.n; i++) {
		const struct flow_record *record = &client->model.may_be[i];

		print_message("# may be: phase %d, backend %u, stamp %u\n", record->phase,
			      record->backend, record->stamp);
	}
	print_message("# full %llu, over budget %llu, budget %u\n",
		      (unsigned long long)timing_counters(&dp).full,
		      (unsigned long long)timing_counters(&dp).over_budget, dp.control->births);
	fail_msg("step %u, %s to service %u: packet of kind %d reached %u; now %u, origin %u, "
		 "epoch %u, age %u",
		 steps_done, client->from, client->service, kind, backend, moment->now,
		 moment->origin, moment->epoch, moment->age);
}

static void packet_step(void)
{
	static const enum flow_packet kinds[8] = {
		FLOW_PACKET_SYN,   FLOW_PACKET_SYN,   FLOW_PACKET_END,	 FLOW_PACKET_OTHER,
		FLOW_PACKET_OTHER, FLOW_PACKET_OTHER, FLOW_PACKET_OTHER, FLOW_PACKET_OTHER};
	struct client *client = &clients[below(FLOWS)];
	enum flow_packet kind = kinds[below(8)];
	struct flow_moment before = moment_of(client), after;
	uint16_t backend = send_packet(client, kind);

	after = moment_of(client);
	births += kind == FLOW_PACKET_SYN;
	ends += kind == FLOW_PACKET_END;
	/* The timer may have moved the epoch between the two looks. */
	if (!flow_model_observe(&client->model, kind, &before, backend) &&
	    !flow_model_observe(&client->model, kind, &after, backend))
		report(client, kind, &before, backend);
	if (before.epoch != after.epoch || before.age != after.age || below(400) == 0)
		draw_client(client);
}

/* A slot that changes while it is not touched keeps whom it had as its origin. */
static void observe_tables(void)
{
	for (uint32_t service = 0; service < SERVICES; service++) {
		struct steer_table table;

		edge_table(&edge, service, &table);
		for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
			if (now[service][slot] != table.backend[slot] && !origin[service][slot])
				origin[service][slot] = now[service][slot];
			now[service][slot] = table.backend[slot];
		}
	}
}

/* The timer's work: first the origins are over, then the records. */
static bool fire_timer(void)
{
	if (!timing_select_next(&dp))
		return false;
	firings++;
	for (uint32_t service = 0; service < SERVICES; service++) {
		bool is_touched = timing_is_touched(&dp, service);

		for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
			if (origin[service][slot])
				origin[service][slot] = is_touched ? now[service][slot] : 0;
		}
		for (size_t i = 0; !is_touched && i < FLOWS; i++) {
			if (clients[i].service == service)
				flow_model_reset(&clients[i].model);
		}
	}
	return true;
}

static void change(struct service *service, uint64_t revision)
{
	static const char *const pools[] = {"blue", "green", "canary"};
	const uint64_t *key = steerer_hash_key(edge.reader);
	struct share_request request = {.pool = pools[below(3)], .slots = below(STEER_SLOTS / 2)};
	struct diag why;
	bool is_changed;

	if (below(3) == 0) {
		struct pool *pool = &service->pools[below((uint32_t)service->n_pools)];
		struct backend *backend = &pool->backends[below((uint32_t)pool->n_backends)];

		if (pool->n_backends > 1)
			backend->weight = 1 + below(3);
	} else if (below(2)) {
		/* Refused where the pool is the active one: then nothing changes. */
		(void)service_set(service, &request, 1, revision, key, &is_changed, &why);
	} else {
		(void)service_switch(service, request.pool, revision, key, &is_changed, &why);
	}
}

static void commit_step(void)
{
	struct steerer *steerer = edge_open(&edge, STEERER_WRITE);
	struct commit_note note = {.command = "test"};
	struct policy next = {0};
	struct diag why = {0};
	int result;

	assert_int_equal(policy_copy(steerer_policy(steerer), &next), 0);
	change(&next.services[below(SERVICES)], next.revision);
	if (below(4) == 0)
		change(&next.services[below(SERVICES)], next.revision);
	if (below(6) == 0)
		(void)fire_timer(); /* between the writer's look and its commit */
	result = steerer_commit(steerer, &next, &note, &why);
	if (result && result != -ESTALE)
		fail_msg("step %u: %s", steps_done, why.text);
	policy_free(&next);
	steerer_close(steerer);
	commits += !result;
}

static void rollback_step(void)
{
	struct steerer *steerer = edge_open(&edge, STEERER_ROLLBACK);
	struct commit_note note = {.command = "rollback"};
	struct diag notice = {0}, why = {0};
	bool is_changed;

	if (steerer_rollback(steerer, below(2), &note, &is_changed, &notice, &why) < 0)
		fail_msg("step %u: %s", steps_done, why.text);
	steerer_close(steerer);
	commits += is_changed;
}

static void time_step(void)
{
	static const uint32_t epochs[] = {1, 1, 2, 3, 4, 8, 31, 70};

	dp.control->epoch += epochs[below(8)];
	if (below(8) == 0)
		dp.control->age += epochs[below(8)];
}

static void step(void)
{
	uint32_t draw = below(1000);

	if (draw < 3)
		commit_step();
	else if (draw < 4)
		rollback_step();
	else if (draw < 5)
		(void)fire_timer();
	else if (draw < 15)
		time_step();
	else
		packet_step();
	if (draw < 5)
		observe_tables();
}

static void learn_macs(void)
{
	const struct policy *policy = steerer_policy(edge.reader);

	for (size_t s = 0; s < policy->n_services; s++) {
		for (size_t p = 0; p < policy->services[s].n_pools; p++) {
			const struct pool *pool = &policy->services[s].pools[p];

			for (size_t b = 0; b < pool->n_backends; b++)
				backend_of_mac[pool->backends[b].mac[5]] =
					(uint16_t)pool->backends[b].id;
		}
	}
}

static void every_packet_reaches_whom_the_rules_name(void **state)
{
	uint64_t steps = number_from("STEER_MODEL_STEPS", 60000);

	(void)state;
	random_state = number_from("STEER_MODEL_SEED", 20240607) * 2 + 1;
	edge_up(&edge, config);
	timing_open(&edge, &dp);
	dp.control->births = UINT32_MAX;
	learn_macs();
	observe_tables();
	for (size_t i = 0; i < FLOWS; i++)
		draw_client(&clients[i]);
	memset(origin, 0, sizeof(origin));
	for (steps_done = 0; steps_done < steps; steps_done++)
		step();
	print_message("# %u commits, %u timer firings, %u SYNs, %u FINs and RSTs\n", commits,
		      firings, births, ends);
	assert_true(commits && firings && timing_counters(&dp).hits > steps / 100);
	dataplane_close(&dp);
	edge_down(&edge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_packet_reaches_whom_the_rules_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
