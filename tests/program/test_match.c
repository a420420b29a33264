// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which frontend a packet is for, if any: address, protocol and port, exactly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>

#include "harness/expect.h"

#define ANY4  "203.0.113.20" /* every port of TCP and UDP, but for TCP 80 and UDP 53 */
#define ANY6  "2001:db8::20"
#define SOLE4 "203.0.113.30" /* TCP 80 alone */

static const char config[] =
	"interfaces: [edge0]\n"
	"services:\n"
	"  shop:\n"
	"    frontends: ['" FRONTEND4 ":80/tcp', '[" FRONTEND6 "]:80/tcp', '" FRONTEND4
	":80/udp', '[" FRONTEND6 "]:80/udp']\n"
	"    pools:\n"
	"      blue: {backends: {shop-1: {address: 10.0.0.11, mac: '02:00:00:00:00:11'}}}\n"
	"    active: blue\n"
	"  any:\n"
	"    frontends: ['" ANY4 ":0/tcp', '[" ANY6 "]:0/tcp']\n"
	"    pools:\n"
	"      blue: {backends: {any-1: {address: 10.0.0.12, mac: '02:00:00:00:00:12'}}}\n"
	"    active: blue\n"
	"  any-udp:\n"
	"    frontends: ['" ANY4 ":0/udp', '[" ANY6 "]:0/udp']\n"
	"    pools:\n"
	"      blue: {backends: {any-udp-1: {address: 10.0.0.15, mac: '02:00:00:00:00:15'}}}\n"
	"    active: blue\n"
	"  exact:\n"
	"    frontends: ['" ANY4 ":80/tcp', '" ANY4 ":53/udp', '[" ANY6 "]:80/tcp', '[" ANY6
	"]:53/udp']\n"
	"    pools:\n"
	"      blue: {backends: {exact-1: {address: 10.0.0.13, mac: '02:00:00:00:00:13'}}}\n"
	"    active: blue\n"
	"  sole:\n"
	"    frontends: ['" SOLE4 ":80/tcp']\n"
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

static void what_is_not_ours_passes_untouched(void **state)
{
	const uint32_t not_ours = STEER_VERDICT_NOT_OURS, no_frontend = STEER_VERDICT_NO_FRONTEND;

	(void)state;
	untouched((struct packet){.to = STRANGER4}, not_ours, "other address, IPv4");
	untouched((struct packet){.to = STRANGER6}, not_ours, "other address, IPv6");
	untouched((struct packet){.to = "::ffff:" FRONTEND4}, not_ours,
		  "mapped address on the wire");
	untouched((struct packet){.to = CLIENT4, .from = FRONTEND4}, not_ours, "from a frontend");
	untouched((struct packet){.to = FRONTEND4, .to_port = 81}, no_frontend, "other port, IPv4");
	untouched((struct packet){.to = FRONTEND6, .to_port = 81}, no_frontend, "other port, IPv6");
	untouched((struct packet){.to = FRONTEND4, .to_port = 0x5000}, no_frontend, "port swapped");
	untouched((struct packet){.to = SOLE4, .protocol = IPPROTO_UDP}, no_frontend,
		  "UDP for a TCP frontend");
}

/* Change two bytes at @offset in all ways; all but @forwarded of the frames pass as @verdict. */
static void vary_word(const struct packet *packet, size_t offset, uint32_t n_forwarded,
		      uint32_t verdict)
{
	struct counts before, after;
	uint64_t left = 0;
	struct frame frame;
	struct sent sent;

	packet_build(packet, &frame);
	edge_counts(&edge, &before);
	for (uint32_t value = 0; value <= UINT16_MAX; value++) {
		frame.bytes[offset] = (uint8_t)(value >> 8);
		frame.bytes[offset + 1] = (uint8_t)value;
		edge_send(&edge, frame.bytes, frame.size, &sent);
		left += sent.action != XDP_PASS;
	}
	edge_counts(&edge, &after);
	assert_int_equal(left, n_forwarded);
	assert_int_equal(after.verdict[verdict].packets - before.verdict[verdict].packets,
			 UINT16_MAX + 1 - n_forwarded);
}

/* There are 4,096 cells, so that thousands of these share one with a frontend. */
static void every_other_port_and_address_is_told_apart(void **state)
{
	struct packet tcp4 = {.to = FRONTEND4}, tcp6 = {.to = FRONTEND6};
	struct packet udp4 = {.to = FRONTEND4, .protocol = IPPROTO_UDP};
	size_t ip = ETH_HLEN;

	(void)state;
	vary_word(&tcp4, ip + 20 + 2, 1, STEER_VERDICT_NO_FRONTEND);
	vary_word(&udp4, ip + 20 + 2, 1, STEER_VERDICT_NO_FRONTEND);
	vary_word(&tcp6, ip + 40 + 2, 1, STEER_VERDICT_NO_FRONTEND);
	vary_word(&tcp4, ip + 16, 1, STEER_VERDICT_NOT_OURS);
	vary_word(&tcp6, ip + 24 + 2, 1, STEER_VERDICT_NOT_OURS);
	vary_word(&tcp6, ip + 24 + 12, 1, STEER_VERDICT_NOT_OURS);
}

static void an_exact_port_wins_over_any(void **state)
{
	static const char *const address[] = {ANY4, ANY6};
	const uint8_t udp = IPPROTO_UDP;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const char *to = address[i];

		forwarded((struct packet){.to = to, .to_port = 80}, "exact-1", "80/tcp");
		forwarded((struct packet){.to = to, .to_port = 53}, "any-1", "53/tcp");
		forwarded((struct packet){.to = to, .to_port = 1}, "any-1", "1/tcp");
		forwarded((struct packet){.to = to, .to_port = 65535}, "any-1", "65535/tcp");
		forwarded((struct packet){.to = to, .to_port = 53, .protocol = udp}, "exact-1",
			  "53/udp");
		forwarded((struct packet){.to = to, .to_port = 80, .protocol = udp}, "any-udp-1",
			  "80/udp");
		untouched((struct packet){.to = to, .protocol = IPPROTO_SCTP},
			  STEER_VERDICT_NO_FRONTEND, "port 0 takes TCP and UDP alone");
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
		cmocka_unit_test(what_is_not_ours_passes_untouched),
		cmocka_unit_test(every_other_port_and_address_is_told_apart),
		cmocka_unit_test(an_exact_port_wins_over_any),
	};

	return cmocka_run_group_tests(tests, up, down);
}
