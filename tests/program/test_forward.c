// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Packets through the program: verdict, every output byte, the counter that moved and no other. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include "harness/edge.h"
#include "steer/abi.h"

static const char config[] =
	"interfaces: [edge0]\n"
	"services:\n"
	"  shop:\n"
	"    frontends: [203.0.113.10:80/tcp, \"[2001:db8::10]:80/tcp\"]\n"
	"    pools:\n"
	"      blue: {backends: {blue-1: {address: 10.0.0.11, mac: \"02:00:00:00:00:11\"}}}\n"
	"    active: blue\n";

static struct edge edge;

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t data[10];
} __attribute__((packed));

static uint16_t header_checksum(struct iphdr ip)
{
	uint16_t word[sizeof(ip) / 2];
	uint32_t sum = 0;

	memcpy(word, &ip, sizeof(ip));
	for (int i = 0; i < 10; i++)
		sum += word[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static struct frame tcp_to(const char *destination, uint16_t port)
{
	struct frame frame = {
		.eth = {.h_dest = {2, 0, 0, 0, 0, 1},
			.h_source = {2, 0, 0, 0, 0, 2},
			.h_proto = htons(ETH_P_IP)},
		.ip = {.version = 4,
		       .ihl = 5,
		       .ttl = 64,
		       .protocol = IPPROTO_TCP,
		       .tot_len = htons(sizeof(frame) - sizeof(frame.eth)),
		       .saddr = inet_addr("198.51.100.7"),
		       .daddr = inet_addr(destination)},
		.tcp = {.source = htons(40000), .dest = htons(port), .doff = 5, .syn = 1},
	};

	frame.ip.check = header_checksum(frame.ip);
	return frame;
}

/* Send; exactly @verdict's counter must move, by one. */
static void send_expecting(const void *frame, size_t size, uint32_t verdict, struct sent *sent)
{
	uint64_t before[STEER_VERDICT_COUNT];

	for (uint32_t i = 0; i < STEER_VERDICT_COUNT; i++)
		before[i] = edge_count(&edge, i);
	edge_send(&edge, frame, size, sent);
	for (uint32_t i = 0; i < STEER_VERDICT_COUNT; i++)
		assert_int_equal(edge_count(&edge, i) - before[i], i == verdict);
}

static void tcp_to_a_frontend_leaves_for_the_backend(void **state)
{
	struct frame in = tcp_to("203.0.113.10", 80), want = in;
	const uint8_t backend[6] = {2, 0, 0, 0, 0, 0x11};
	struct sent out;

	(void)state;
	send_expecting(&in, sizeof(in), STEER_VERDICT_FORWARDED, &out);
	assert_int_equal(out.action, XDP_TX);
	memcpy(want.eth.h_dest, backend, sizeof(backend));
	memcpy(want.eth.h_source, out.bytes + ETH_ALEN, ETH_ALEN); /* the kernel drew it */
	want.ip.ttl = 63;
	want.ip.check = 0;
	want.ip.check = header_checksum(want.ip);
	assert_int_equal(out.size, sizeof(want));
	assert_memory_equal(out.bytes, &want, sizeof(want));
}

static void passes_untouched(const struct frame *in, uint32_t verdict)
{
	struct sent out;

	send_expecting(in, sizeof(*in), verdict, &out);
	assert_int_equal(out.action, XDP_PASS);
	assert_int_equal(out.size, sizeof(*in));
	assert_memory_equal(out.bytes, in, sizeof(*in));
}

static void what_is_not_ours_passes_untouched(void **state)
{
	struct frame address = tcp_to("203.0.113.11", 80), port = tcp_to("203.0.113.10", 81);
	struct frame arp = tcp_to("203.0.113.10", 80), fragment = arp, dying = arp, lying = arp;

	(void)state;
	arp.eth.h_proto = htons(ETH_P_ARP);
	fragment.ip.frag_off = htons(0x2000);
	dying.ip.ttl = 1;
	lying.ip.tot_len = htons(1400);
	passes_untouched(&address, STEER_VERDICT_NOT_OURS);
	passes_untouched(&port, STEER_VERDICT_NO_FRONTEND);
	passes_untouched(&arp, STEER_VERDICT_NOT_IP);
	passes_untouched(&fragment, STEER_VERDICT_FRAGMENT);
	passes_untouched(&dying, STEER_VERDICT_TTL_EXPIRED);
	passes_untouched(&lying, STEER_VERDICT_MALFORMED);
}

static void a_packet_cut_at_any_byte_gets_a_verdict(void **state)
{
	struct frame in = tcp_to("203.0.113.10", 80);
	struct sent out;

	(void)state;
	for (size_t size = 14; size < sizeof(in); size++) {
		edge_send(&edge, &in, size, &out);
		assert_int_equal(out.action, XDP_PASS);
		assert_memory_equal(out.bytes, &in, size);
	}
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
		cmocka_unit_test(tcp_to_a_frontend_leaves_for_the_backend),
		cmocka_unit_test(what_is_not_ours_passes_untouched),
		cmocka_unit_test(a_packet_cut_at_any_byte_gets_a_verdict),
	};

	return cmocka_run_group_tests(tests, up, down);
}
