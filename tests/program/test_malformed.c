// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packets that are cut short, lie about their lengths, or are noise: always exactly one verdict,
 * and not a byte changed unless the packet is forwarded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>

#include "harness/expect.h"
#include "harness/model.h"

#define TAG	    100
#define INNER_TAG   200
#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER  20
#define UDP_HEADER  8
#define FRAME_MAX   1514
#define MUTATIONS   100000
#define SEED	    20240607

static const char config[] =
	"interfaces: [edge0]\n"
	"services:\n"
	"  shop:\n"
	"    frontends: ['" FRONTEND4 ":80/tcp', '[" FRONTEND6 "]:80/tcp', '" FRONTEND4
	":80/udp', '[" FRONTEND6 "]:80/udp']\n"
	"    pools:\n"
	"      blue: {backends: {shop-1: {address: 10.0.0.11, mac: '02:00:00:00:00:11'}}}\n"
	"    active: blue\n";

static struct edge edge;

#define CHAIN .extensions = {IPPROTO_HOPOPTS, IPPROTO_AH, IPPROTO_ROUTING}, .n_extensions = 3

/* One of each shape; the first are those that are forwarded as they are. */
static const struct packet shapes[] = {
	{.to = FRONTEND4, .payload_bytes = 60},
	{.to = FRONTEND6, .payload_bytes = 60},
	{.to = FRONTEND4, .option_bytes = 12, .payload_bytes = 10},
	{.to = FRONTEND4, .option_bytes = 40, .tcp_flags = TCP_SYN},
	{.to = FRONTEND6, CHAIN, .payload_bytes = 10},
	{.to = FRONTEND4, .protocol = IPPROTO_UDP, .payload_bytes = 30},
	{.to = FRONTEND6, .protocol = IPPROTO_UDP, CHAIN},
	{.to = FRONTEND4, .vlan = {TAG}, .payload_bytes = 10},
	{.to = FRONTEND6, .vlan = {TAG}, .option_bytes = 0},
	{.to = FRONTEND4, .vlan = {TAG, INNER_TAG}, .option_bytes = 8},
	{.to = FRONTEND6, .vlan = {TAG, INNER_TAG}, CHAIN},
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static void untouched(struct packet packet, uint32_t verdict, const char *what)
{
	expect_packet_untouched(&edge, &packet, verdict, what);
}

static void forwarded(struct packet packet, const char *what)
{
	expect_packet_forwarded(&edge, &packet, edge_backend(&edge, "shop-1"), what);
}

static void a_packet_cut_at_any_byte_is_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < SHAPES; i++) {
		struct frame whole, cut;

		packet_build(&shapes[i], &whole);
		for (size_t size = ETH_HLEN; size < whole.size; size++) {
			char what[64];

			(void)snprintf(what, sizeof(what), "shape %zu cut at %zu", i, size);
			cut = whole;
			cut.size = size;
			expect_untouched(&edge, &cut,
					 size < whole.network ? STEER_VERDICT_NOT_IP
							      : STEER_VERDICT_MALFORMED,
					 what);
		}
	}
}

static void a_strangers_packet_needs_no_more_than_its_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < SHAPES; i++) {
		struct packet packet = shapes[i];
		bool is_ipv6 = strchr(packet.to, ':');
		struct frame whole, cut;
		size_t needed;

		packet.to = is_ipv6 ? STRANGER6 : STRANGER4;
		packet_build(&packet, &whole);
		needed = whole.network + (is_ipv6 ? IPV6_HEADER : IPV4_HEADER);
		for (size_t size = whole.network; size <= whole.size; size++) {
			cut = whole;
			cut.size = size;
			expect_untouched(&edge, &cut,
					 size < needed ? STEER_VERDICT_MALFORMED
						       : STEER_VERDICT_NOT_OURS,
					 "cut, of a stranger");
		}
	}
}

static void a_header_length_that_lies_is_malformed(void **state)
{
	(void)state;
	for (uint32_t ihl = 0; ihl < 16; ihl++) {
		struct packet packet = {.to = FRONTEND4, .ihl = LIE(ihl)};

		if (ihl == IPV4_HEADER / 4) {
			forwarded(packet, "true ihl");
			continue;
		}
		untouched(packet, STEER_VERDICT_MALFORMED, "false ihl");
		packet.protocol = IPPROTO_UDP;
		untouched(packet, STEER_VERDICT_MALFORMED, "false ihl, UDP");
		packet.to = STRANGER4;
		untouched(packet, STEER_VERDICT_NOT_OURS, "false ihl of a stranger");
	}
}

/* With a longer packet the lie points into its payload, which holds no port of a frontend. */
static void a_lying_header_length_forwards_nothing(void **state)
{
	struct counts counts;

	(void)state;
	edge_counts(&edge, &counts);
	for (uint32_t ihl = 0; ihl < 16; ihl++) {
		struct packet packet = {.to = FRONTEND4, .ihl = LIE(ihl), .payload_bytes = 200};
		struct frame frame;
		uint32_t verdict;

		if (ihl == IPV4_HEADER / 4)
			continue;
		packet_build(&packet, &frame);
		verdict = expect_one_verdict(&edge, &frame, &counts, "ihl into the payload");
		assert_true(verdict == STEER_VERDICT_MALFORMED ||
			    verdict == STEER_VERDICT_NO_FRONTEND);
	}
}

static void a_tcp_header_must_fit_its_packet(void **state)
{
	static const char *const address[] = {FRONTEND4, FRONTEND6};

	(void)state;
	for (uint32_t doff = 0; doff < 16; doff++) {
		for (uint16_t payload = 0; payload <= 40; payload += 4) {
			struct packet packet = {
				.to = address[payload / 4 % 2],
				.doff = LIE(doff),
				.payload_bytes = payload,
				.is_padded = true,
			};

			if (doff * 4 >= TCP_HEADER && doff * 4 <= TCP_HEADER + (uint32_t)payload)
				forwarded(packet, "doff within the packet");
			else
				untouched(packet, STEER_VERDICT_MALFORMED, "doff beyond it");
		}
	}
}

/* What follows the datagram in the frame is padding, and no place for a port. */
static void an_ipv4_length_decides_what_belongs_to_the_packet(void **state)
{
	const uint32_t whole = IPV4_HEADER + 8 + TCP_HEADER + 100;

	(void)state;
	for (uint32_t length = 0; length <= UINT16_MAX; length += length < 256 ? 1 : 251) {
		struct packet tcp = {.to = FRONTEND4,
				     .option_bytes = 8,
				     .payload_bytes = 100,
				     .tot_len = LIE(length)};
		struct packet udp = tcp;

		udp.protocol = IPPROTO_UDP;
		udp.payload_bytes += TCP_HEADER - UDP_HEADER;
		if (length >= IPV4_HEADER + 8 + TCP_HEADER && length <= whole)
			forwarded(tcp, "TCP header within the length");
		else
			untouched(tcp, STEER_VERDICT_MALFORMED, "TCP, false tot_len");
		if (length >= IPV4_HEADER + 8 + UDP_HEADER && length <= whole)
			forwarded(udp, "UDP header within the length");
		else
			untouched(udp, STEER_VERDICT_MALFORMED, "UDP, false tot_len");
	}
}

/* Who reads no transport header sees the lie as well. */
static void a_length_below_its_own_header_is_malformed(void **state)
{
	(void)state;
	for (uint32_t length = 0; length < IPV4_HEADER + 8; length++) {
		struct packet packet = {.to = FRONTEND4, .option_bytes = 8, .tot_len = LIE(length)};

		packet.protocol = IPPROTO_ICMP;
		untouched(packet, STEER_VERDICT_MALFORMED, "ICMP");
		packet.fragment = 1;
		untouched(packet, STEER_VERDICT_MALFORMED, "a fragment");
	}
}

static void an_ipv6_length_decides_what_belongs_to_the_packet(void **state)
{
	const uint32_t chain = 8 + 16 + 8, whole = chain + TCP_HEADER + 100;

	(void)state;
	for (uint32_t length = 0; length <= UINT16_MAX; length += length < 256 ? 1 : 251) {
		struct packet tcp = {
			.to = FRONTEND6, CHAIN, .payload_bytes = 100, .payload_len = LIE(length)};
		struct packet udp = tcp;

		udp.protocol = IPPROTO_UDP;
		udp.payload_bytes += TCP_HEADER - UDP_HEADER;
		if (length >= chain + TCP_HEADER && length <= whole)
			forwarded(tcp, "TCP header within the length");
		else
			untouched(tcp, STEER_VERDICT_MALFORMED, "TCP, false payload_len");
		if (length >= chain + UDP_HEADER && length <= whole)
			forwarded(udp, "UDP header within the length");
		else
			untouched(udp, STEER_VERDICT_MALFORMED, "UDP, false payload_len");
	}
}

static void an_extension_length_that_lies_forwards_nothing(void **state)
{
	static const uint8_t types[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS,
					IPPROTO_AH};
	struct counts counts;

	(void)state;
	edge_counts(&edge, &counts);
	for (uint32_t i = 0; i < sizeof(types) * 256; i++) {
		uint32_t length = i % 256, truth = types[i / 256] == IPPROTO_AH ? 2 : 0;
		struct packet packet = {
			.to = FRONTEND6,
			.extensions = {types[i / 256]},
			.n_extensions = 1,
			.payload_bytes = 200,
			.extension_len = LIE(length),
		};
		struct frame frame;
		uint32_t verdict;

		packet_build(&packet, &frame);
		verdict = expect_one_verdict(&edge, &frame, &counts, "extension length");
		assert_int_equal(verdict == STEER_VERDICT_FORWARDED, length == truth);
		if (length == 255) /* 2048 bytes, 1028 of AH */
			assert_int_equal(verdict, STEER_VERDICT_MALFORMED);
	}
}

static void a_wrong_version_is_malformed(void **state)
{
	(void)state;
	for (uint32_t version = 0; version < 16; version++) {
		struct packet packet = {.to = FRONTEND4, .version = LIE(version)};

		if (version != 4)
			untouched(packet, STEER_VERDICT_MALFORMED, "version of IPv4");
		packet.to = FRONTEND6;
		if (version != 6)
			untouched(packet, STEER_VERDICT_MALFORMED, "version of IPv6");
	}
	untouched((struct packet){.to = FRONTEND4,
				  .payload_bytes = 40,
				  .ether_type = LIE(ETH_P_IPV6)},
		  STEER_VERDICT_NOT_OURS, "IPv4 under the type of IPv6");
	untouched((struct packet){.to = FRONTEND6, .ether_type = LIE(ETH_P_IP)},
		  STEER_VERDICT_NOT_OURS, "IPv6 under the type of IPv4");
}

static uint32_t draw(uint64_t *random, uint32_t below)
{
	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL; /* Knuth's MMIX */
	return (uint32_t)((*random >> 33) % below);
}

static void every_length_of_noise_gets_one_verdict(void **state)
{
	static const uint16_t types[] = {ETH_P_IP, ETH_P_IPV6, ETH_P_8021Q, ETH_P_ARP};
	uint64_t random = SEED;
	struct counts counts;

	(void)state;
	edge_counts(&edge, &counts);
	for (size_t size = ETH_HLEN; size <= FRAME_MAX; size++) {
		struct frame frame = {.size = size};
		uint16_t type = types[draw(&random, 4)];

		for (size_t i = 0; i < size; i++)
			frame.bytes[i] = (uint8_t)draw(&random, 256);
		frame.bytes[12] = (uint8_t)(type >> 8);
		frame.bytes[13] = (uint8_t)type;
		expect_one_verdict(&edge, &frame, &counts, "noise");
	}
}

/* Change up to four bytes, mostly of the headers, and now and then the length. */
static void mutate(uint64_t *random, struct frame *frame)
{
	uint32_t changes = 1 + draw(random, 4);

	for (uint32_t i = 0; i < changes; i++) {
		size_t header =
			frame->transport + 16 < frame->size ? frame->transport + 16 : frame->size;
		size_t from = draw(random, 8) ? 12 : 0;
		uint8_t *byte = frame->bytes + from + draw(random, (uint32_t)(header - from));

		if (draw(random, 2))
			*byte ^= (uint8_t)(1u << draw(random, 8));
		else
			*byte = (uint8_t)draw(random, 256);
	}
	if (draw(random, 8) == 0)
		frame->size = ETH_HLEN + draw(random, (uint32_t)frame->size + 50 - ETH_HLEN);
}

/* The verdict is that of the rules written a second time. */
static uint32_t judge(const struct frame *frame, struct counts *counts, uint32_t number)
{
	uint32_t verdict, want = model_verdict(frame);
	char what[64];

	(void)snprintf(what, sizeof(what), "mutation %u", number);
	verdict = expect_one_verdict(&edge, frame, counts, what);
	if (verdict != want)
		fail_msg("%s: verdict %u, expected %u", what, verdict, want);
	return verdict;
}

static void any_mutation_gets_the_one_verdict_of_the_rules(void **state)
{
	static const uint32_t must_occur[] = {
		STEER_VERDICT_FORWARDED,   STEER_VERDICT_NOT_IP,     STEER_VERDICT_NOT_OURS,
		STEER_VERDICT_NO_FRONTEND, STEER_VERDICT_FRAGMENT,   STEER_VERDICT_MALFORMED,
		STEER_VERDICT_TTL_EXPIRED, STEER_VERDICT_OTHER_VLAN,
	};
	uint32_t seen[STEER_VERDICT_COUNT] = {0};
	uint64_t random = SEED;
	struct counts counts;

	(void)state;
	edge_counts(&edge, &counts);
	for (uint32_t i = 0; i < MUTATIONS; i++) {
		struct frame frame;

		packet_build(&shapes[draw(&random, SHAPES)], &frame);
		mutate(&random, &frame);
		seen[judge(&frame, &counts, i)]++;
	}
	for (size_t i = 0; i < sizeof(must_occur) / sizeof(must_occur[0]); i++)
		assert_true(seen[must_occur[i]] > 0);
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
		cmocka_unit_test(a_packet_cut_at_any_byte_is_malformed),
		cmocka_unit_test(a_strangers_packet_needs_no_more_than_its_address),
		cmocka_unit_test(a_header_length_that_lies_is_malformed),
		cmocka_unit_test(a_lying_header_length_forwards_nothing),
		cmocka_unit_test(a_tcp_header_must_fit_its_packet),
		cmocka_unit_test(an_ipv4_length_decides_what_belongs_to_the_packet),
		cmocka_unit_test(a_length_below_its_own_header_is_malformed),
		cmocka_unit_test(an_ipv6_length_decides_what_belongs_to_the_packet),
		cmocka_unit_test(an_extension_length_that_lies_forwards_nothing),
		cmocka_unit_test(a_wrong_version_is_malformed),
		cmocka_unit_test(every_length_of_noise_gets_one_verdict),
		cmocka_unit_test(any_mutation_gets_the_one_verdict_of_the_rules),
	};

	return cmocka_run_group_tests(tests, up, down);
}
