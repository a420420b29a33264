// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Forwarding: what changes in a packet on its way to the backend, and every verdict that a record
 * or a generation can give.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "base/own.h"
#include "core/dataplane.h"
#include "harness/expect.h"

#define FAR4  "203.0.113.30" /* its backend is on edge1 */
#define SOLE4 "203.0.113.40" /* its backend's record is replaced by the tests */
#define SOLE6 "2001:db8::40"

#define TAG	  100
#define OTHER_TAG 101
#define NO_BANK	  (STEER_BANKS - 1) /* never filled here */

static const char config[] =
	"interfaces: [edge0, edge1]\n"
	"services:\n"
	"  shop:\n"
	"    frontends: ['" FRONTEND4 ":80/tcp', '[" FRONTEND6 "]:80/tcp', '" FRONTEND4
	":80/udp', '[" FRONTEND6 "]:80/udp']\n"
	"    pools:\n"
	"      blue: {backends: {shop-1: {address: 10.0.0.11, mac: '02:00:00:00:00:11'}}}\n"
	"    active: blue\n"
	"  far:\n"
	"    frontends: ['" FAR4 ":80/tcp']\n"
	"    pools:\n"
	"      blue: {backends: {far-1: {address: 10.0.1.11, mac: '02:00:00:00:01:11'}}}\n"
	"    active: blue\n"
	"  sole:\n"
	"    frontends: ['" SOLE4 ":80/tcp', '[" SOLE6 "]:80/tcp']\n"
	"    pools:\n"
	"      blue: {backends: {sole-1: {address: 10.0.0.14, mac: '02:00:00:00:00:14'}}}\n"
	"    active: blue\n";

static struct edge edge;

static void untouched(struct packet packet, uint32_t verdict, const char *what)
{
	expect_packet_untouched(&edge, &packet, verdict, what);
}

static void forwarded(struct packet packet, const char *backend, const char *what)
{
	expect_packet_forwarded(&edge, &packet, edge_backend(&edge, backend), what);
}

static void a_packet_for_a_frontend_leaves_for_its_backend(void **state)
{
	(void)state;
	forwarded((struct packet){.to = FRONTEND4}, "shop-1", "TCP, IPv4");
	forwarded((struct packet){.to = FRONTEND6}, "shop-1", "TCP, IPv6");
	forwarded((struct packet){.to = FRONTEND4, .protocol = IPPROTO_UDP}, "shop-1", "UDP, IPv4");
	forwarded((struct packet){.to = FRONTEND6, .protocol = IPPROTO_UDP}, "shop-1", "UDP, IPv6");
}

static void interface_mac(const char *name, uint8_t ret_mac[static ETH_ALEN])
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	assert_int_equal(ioctl(fd, SIOCGIFHWADDR, &request), 0);
	memcpy(ret_mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
}

static void it_leaves_from_the_interface_to_the_backend(void **state)
{
	static const struct {
		const char *to, *interface;
		uint8_t mac[ETH_ALEN];
	} cases[] = {
		{FRONTEND4, "edge0", {2, 0, 0, 0, 0, 0x11}},
		{FAR4, "edge1", {2, 0, 0, 0, 1, 0x11}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct packet packet = {.to = cases[i].to};
		uint8_t mac[ETH_ALEN];
		struct frame frame;
		struct sent sent;

		packet_build(&packet, &frame);
		edge_send(&edge, frame.bytes, frame.size, &sent);
		interface_mac(cases[i].interface, mac);
		assert_memory_equal(sent.bytes, cases[i].mac, ETH_ALEN);
		assert_memory_equal(sent.bytes + ETH_ALEN, mac, ETH_ALEN);
	}
}

static void a_backend_on_another_interface_is_reached_by_redirection(void **state)
{
	struct packet packet = {.to = FAR4};
	struct frame frame;

	(void)state;
	packet_build(&packet, &frame);
	expect_redirected(&edge, &frame, edge_backend(&edge, "far-1"), "backend on edge1");
}

static void a_syn_counts_as_connection_and_nothing_else_does(void **state)
{
	static const struct {
		uint8_t flags;
		bool is_connection;
	} cases[] = {
		{TCP_SYN, true},  {TCP_SYN | TCP_ACK, false},
		{TCP_ACK, false}, {TCP_FIN | TCP_ACK, false},
		{TCP_RST, false},
	};
	static const char *const address[] = {FRONTEND4, FRONTEND6};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct packet packet = {.to = address[i % 2], .tcp_flags = cases[i / 2].flags};
		struct frame frame;

		packet_build(&packet, &frame);
		assert_int_equal(frame.is_connection, cases[i / 2].is_connection);
		expect_forwarded(&edge, &frame, edge_backend(&edge, "shop-1"), "TCP flags");
		packet.to_port = 81;
		packet_build(&packet, &frame);
		expect_untouched(&edge, &frame, STEER_VERDICT_NO_FRONTEND,
				 "TCP flags, no frontend");
	}
}

static void the_last_hop_goes_to_the_host(void **state)
{
	static const char *const address[] = {FRONTEND4, FRONTEND6};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct packet packet = {.to = address[i], .tcp_flags = TCP_SYN};

		for (uint32_t ttl = 0; ttl < 256; ttl++) {
			packet.ttl = (struct lie)LIE(ttl);
			if (ttl < 2)
				untouched(packet, STEER_VERDICT_TTL_EXPIRED, "TTL 0 and 1");
			else
				forwarded(packet, "shop-1", "TTL 2 and above");
		}
	}
}

/* The identification runs through all values, and with it the checksum. */
static void the_header_checksum_stays_right_whatever_it_was(void **state)
{
	static uint8_t is_seen[65536];
	uint32_t n_seen = 0;

	(void)state;
	for (uint32_t id = 0; id <= UINT16_MAX; id++) {
		struct packet packet = {.to = FRONTEND4, .ip_id = (uint16_t)id};
		struct frame in, want;
		struct sent out;
		uint16_t check;

		packet_build(&packet, &in);
		memcpy(&check, in.bytes + in.network + 10, sizeof(check));
		n_seen += !is_seen[check];
		is_seen[check] = 1;
		want = in;
		edge_send(&edge, in.bytes, in.size, &out);
		frame_forward(&want, out.bytes, out.bytes + ETH_ALEN);
		assert_memory_equal(out.bytes, want.bytes, want.size);
	}
	assert_int_equal(n_seen, 65535); /* all but 0xffff, which no header has (RFC 1624) */
}

static void a_backend_on_the_packets_vlan_is_reached_by_it(void **state)
{
	const uint32_t other = STEER_VERDICT_OTHER_VLAN;
	uint32_t id = edge_backend(&edge, "sole-1");
	struct steer_record record, tagged;

	(void)state;
	edge_record(&edge, id, &record);
	tagged = record;
	tagged.how = STEER_HOW(STEER_FORWARD_DSR, TAG);
	forwarded((struct packet){.to = SOLE4}, "sole-1", "untagged to untagged");
	untouched((struct packet){.to = SOLE4, .vlan = {TAG}}, other, "tagged to untagged");
	untouched((struct packet){.to = SOLE6, .vlan = {TAG}}, other, "tagged to untagged, IPv6");
	edge_set_record(&edge, id, &tagged);
	forwarded((struct packet){.to = SOLE4, .vlan = {TAG}}, "sole-1", "the same tag");
	forwarded((struct packet){.to = SOLE6, .vlan = {TAG}}, "sole-1", "the same tag, IPv6");
	forwarded((struct packet){.to = SOLE4, .vlan = {0xe000 | TAG}}, "sole-1", "with priority");
	untouched((struct packet){.to = SOLE4}, other, "untagged to tagged");
	untouched((struct packet){.to = SOLE4, .vlan = {OTHER_TAG}}, other, "another tag");
	untouched((struct packet){.to = SOLE4, .vlan = {OTHER_TAG, TAG}}, other,
		  "the tag inside another");
	forwarded((struct packet){.to = SOLE4, .vlan = {TAG, OTHER_TAG}}, "sole-1",
		  "another tag inside");
	edge_set_record(&edge, id, &record);
}

static void a_record_out_of_use_drops_and_says_broken(void **state)
{
	uint32_t id = edge_backend(&edge, "sole-1");
	struct steer_record record, unused;

	(void)state;
	edge_record(&edge, id, &record);
	unused = record;
	unused.how = STEER_HOW(STEER_FORWARD_NONE, 0);
	edge_set_record(&edge, id, &unused);
	untouched((struct packet){.to = SOLE4}, STEER_VERDICT_BROKEN, "no forwarding, IPv4");
	untouched((struct packet){.to = SOLE6}, STEER_VERDICT_BROKEN, "no forwarding, IPv6");
	edge_set_record(&edge, id, &record);
}

static void set_state(enum backend_state backend_state)
{
	struct steerer *steerer = edge_open(&edge, STEERER_WRITE);
	struct policy next;
	struct pool *pool;

	assert_int_equal(policy_copy(steerer_policy(steerer), &next), 0);
	service_backend(policy_service(&next, "sole"), "sole-1", &pool)->state = backend_state;
	edge_commit(steerer, &next);
	policy_free(&next);
	steerer_close(steerer);
}

static void a_pool_with_nobody_ready_drops_and_says_so(void **state)
{
	struct packet syn = {.to = SOLE4, .tcp_flags = TCP_SYN};

	(void)state;
	set_state(BACKEND_MAINT);
	untouched(syn, STEER_VERDICT_NO_BACKEND, "the only backend in maintenance");
	untouched((struct packet){.to = SOLE6}, STEER_VERDICT_NO_BACKEND, "the same, IPv6");
	forwarded((struct packet){.to = FRONTEND4}, "shop-1", "another service");
	set_state(BACKEND_READY);
	forwarded(syn, "sole-1", "ready again");
}

static void without_a_generation_everything_passes(void **state)
{
	static const uint32_t banks[] = {0, NO_BANK};
	struct dataplane dp;
	struct diag why;
	char path[192];
	uint32_t live;

	(void)state;
	edge_pins(&edge, path);
	assert_int_equal(dataplane_open(path, true, &dp, &why), 0);
	live = STEER_WORD_BANK(dataplane_word(&dp));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(dataplane_swap(&dp, dataplane_word(&dp), banks[i]), 0);
		untouched((struct packet){.to = FRONTEND4}, STEER_VERDICT_NO_GENERATION, "IPv4");
		untouched((struct packet){.to = FRONTEND6}, STEER_VERDICT_NO_GENERATION, "IPv6");
		untouched((struct packet){.to = STRANGER4}, STEER_VERDICT_NO_GENERATION, "other");
	}
	assert_int_equal(dataplane_swap(&dp, dataplane_word(&dp), live), 0);
	dataplane_close(&dp);
	forwarded((struct packet){.to = FRONTEND4}, "shop-1", "installed again");
}

static void the_verdict_forwarded_is_the_sum_of_the_backends(void **state)
{
	struct counts counts;
	struct counter forwarded_counter, sum = {0};

	(void)state;
	edge_counts(&edge, &counts);
	for (uint32_t id = 0; id < EDGE_BACKENDS; id++) {
		sum.packets += counts.backend[id].packets;
		sum.bytes += counts.backend[id].bytes;
		sum.connections += counts.backend[id].connections;
	}
	assert_true(sum.packets > 0 && sum.connections > 0);
	assert_int_equal(
		steerer_count_verdict(edge.reader, STEER_VERDICT_FORWARDED, &forwarded_counter), 0);
	assert_memory_equal(&forwarded_counter, &sum, sizeof(sum));
}

static int up(void **state)
{
	(void)state;
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
		cmocka_unit_test(a_packet_for_a_frontend_leaves_for_its_backend),
		cmocka_unit_test(it_leaves_from_the_interface_to_the_backend),
		cmocka_unit_test(a_backend_on_another_interface_is_reached_by_redirection),
		cmocka_unit_test(a_syn_counts_as_connection_and_nothing_else_does),
		cmocka_unit_test(the_last_hop_goes_to_the_host),
		cmocka_unit_test(the_header_checksum_stays_right_whatever_it_was),
		cmocka_unit_test(a_backend_on_the_packets_vlan_is_reached_by_it),
		cmocka_unit_test(a_record_out_of_use_drops_and_says_broken),
		cmocka_unit_test(a_pool_with_nobody_ready_drops_and_says_so),
		cmocka_unit_test(without_a_generation_everything_passes),
		cmocka_unit_test(the_verdict_forwarded_is_the_sum_of_the_backends),
	};

	return cmocka_run_group_tests(tests, up, down);
}
