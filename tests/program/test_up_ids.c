// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * All 65,535 backend ids were given out: a former one is taken again, but never while a resident
 * generation has it, and its packets go to the backend that has it now.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include "base/own.h"
#include "core/config.h"
#include "core/resident.h"
#include "harness/edge.h"

#define APPLIES 40

static struct edge edge;

/* The backend is another server every time: the last byte of its address and MAC is @server. */
static void write_config(unsigned server, char text[static 512])
{
	(void)snprintf(text, 512,
		       "interfaces: [edge0]\n"
		       "services:\n"
		       "  shop:\n"
		       "    frontends: [203.0.113.10:80/tcp]\n"
		       "    pools:\n"
		       "      blue: {backends: {blue-1: {address: 10.0.0.%u, mac: "
		       "\"02:00:00:00:00:%02x\"}}}\n"
		       "    active: blue\n",
		       server, server);
}

static void read_policy(unsigned server, struct policy *ret_policy)
{
	char path[96], text[512];
	auto_fclose FILE *file = NULL;
	struct diag why;

	(void)snprintf(path, sizeof(path), "%s/next.yaml", edge.folder);
	write_config(server, text);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0 && fflush(file) == 0);
	if (config_read(path, ret_policy, &why) < 0)
		fail_msg("%s", why.text);
}

static struct steerer *open_writer(void)
{
	struct steerer *steerer;
	struct diag notice, why;

	if (steerer_open(&edge.place, STEERER_WRITE, 1000, &steerer, &notice, &why) < 0)
		fail_msg("%s", why.text);
	return steerer;
}

/* As if all ids but the last had been given out. */
static void use_up_ids(void)
{
	struct commit_note note = {.command = "test", .cut = true};
	struct steerer *steerer = open_writer();
	struct policy next = {0};
	struct diag why;

	assert_int_equal(policy_copy(steerer_policy(steerer), &next), 0);
	next.last_backend_id = STEER_BACKEND_IDS - 2;
	assert_int_equal(steerer_commit(steerer, &next, &note, &why), 0);
	policy_free(&next);
	steerer_close(steerer);
}

/* Returns the backend's id. */
static uint32_t apply(unsigned server)
{
	struct commit_note note = {.command = "apply", .cut = true};
	struct steerer *steerer = open_writer();
	struct policy config = {0}, next = {0};
	struct diag notice, why;
	uint32_t id;

	read_policy(server, &config);
	if (steerer_merge(steerer, &config, &next, &why) < 0 ||
	    steerer_apply(steerer, &next, &note, &notice, &why) < 0)
		fail_msg("%s", why.text);
	id = next.services[0].pools[0].backends[0].id;
	policy_free(&config);
	policy_free(&next);
	steerer_close(steerer);
	return id;
}

static unsigned server_of_a_packet(void)
{
	struct {
		struct ethhdr eth;
		struct iphdr ip;
		struct tcphdr tcp;
	} __attribute__((packed)) frame = {
		.eth = {.h_proto = htons(ETH_P_IP)},
		.ip = {.version = 4,
		       .ihl = 5,
		       .ttl = 64,
		       .protocol = IPPROTO_TCP,
		       .tot_len = htons(sizeof(frame) - sizeof(frame.eth)),
		       .saddr = inet_addr("198.51.100.7"),
		       .daddr = inet_addr("203.0.113.10")},
		.tcp = {.dest = htons(80), .doff = 5},
	};
	struct sent sent;

	edge_send(&edge, &frame, sizeof(frame), &sent);
	assert_int_equal(sent.action, XDP_TX);
	return sent.bytes[ETH_ALEN - 1];
}

static void a_former_id_is_taken_when_no_resident_generation_has_it(void **state)
{
	uint32_t id[APPLIES];
	bool was_reused = false;

	(void)state;
	use_up_ids();
	for (unsigned i = 0; i < APPLIES; i++) {
		id[i] = apply(20 + i);
		assert_int_equal(server_of_a_packet(), 20 + i);
		for (unsigned k = i > RESIDENT_GENERATIONS ? i - RESIDENT_GENERATIONS : 0; k < i;
		     k++)
			assert_int_not_equal(id[i], id[k]);
		for (unsigned k = 0; k < i; k++)
			was_reused |= id[i] == id[k];
	}
	assert_int_equal(id[0], STEER_BACKEND_IDS - 1);
	assert_int_equal(id[1], 2); /* 1 is the first generation's */
	assert_true(was_reused);
	assert_int_equal(edge_count(&edge, STEER_VERDICT_FORWARDED), APPLIES);
}

static int up(void **state)
{
	char text[512];

	(void)state;
	write_config(11, text);
	edge_up(&edge, text);
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
		cmocka_unit_test(a_former_id_is_taken_when_no_resident_generation_has_it),
	};

	return cmocka_run_group_tests(tests, up, down);
}
