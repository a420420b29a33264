// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shapes of packets: what stands between Ethernet and the port, and what is not TCP or UDP.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/if_ether.h>

#include "harness/expect.h"

#define TAG	  100
#define INNER_TAG 200

#define LLDP		0x88cc
#define GRE		47
#define NEXT_NONE	59     /* RFC 8200 section 4.7 */
#define CHAIN_FOLLOWED	6      /* extension headers that steer looks behind */
#define OPTION_BYTES	40     /* RFC 791: the header has at most 60 bytes */
#define MORE_FRAGMENTS4 0x2000 /* RFC 791 section 3.1 */
#define DONT_FRAGMENT4	0x4000
#define OFFSET4		185    /* 1480 bytes */
#define MORE_FRAGMENTS6 0x0001 /* RFC 8200 section 4.5 */
#define OFFSET6		(185 << 3)
#define FRAME_MAX	1514

static const char config[] =
	"interfaces: [edge0]\n"
	"services:\n"
	"  shop:\n"
	"    frontends: ['" FRONTEND4 ":80/tcp', '[" FRONTEND6 "]:80/tcp', '" FRONTEND4
	":80/udp', '[" FRONTEND6 "]:80/udp']\n"
	"    pools:\n"
	"      blue: {backends: {shop-1: {address: 10.0.0.11, mac: '02:00:00:00:00:11'}}}\n"
	"    active: blue\n";

/* Facts of a configuration are constant to the program: these make another program of it. */
static const char config_of_one_tcp_ipv4[] =
	"interfaces: [edge0]\n"
	"services:\n"
	"  shop:\n"
	"    frontends: ['" FRONTEND4 ":80/tcp']\n"
	"    pools:\n"
	"      blue: {backends: {shop-1: {address: 10.0.0.11, mac: '02:00:00:00:00:11'}}}\n"
	"    active: blue\n";

static const char *const frontends[] = {FRONTEND4, FRONTEND6};

static struct edge edge;

static void untouched(struct packet packet, uint32_t verdict, const char *what)
{
	expect_packet_untouched(&edge, &packet, verdict, what);
}

static void forwarded(struct packet packet, const char *what)
{
	expect_packet_forwarded(&edge, &packet, edge_backend(&edge, "shop-1"), what);
}

static void a_built_packet_has_right_checksums(void **state)
{
	(void)state;
	for (uint8_t options = 0; options <= OPTION_BYTES; options += 4) {
		struct packet packet = {.to = FRONTEND4, .option_bytes = options};
		struct frame frame;

		packet_build(&packet, &frame);
		assert_int_equal(frame_header_sum(&frame), 0xffff);
		assert_int_equal(frame.transport - frame.network, 20 + options);
	}
}

static void what_is_not_ip_passes(void **state)
{
	static const uint16_t types[] = {ETH_P_ARP, LLDP, ETH_P_MPLS_UC, ETH_P_PPP_SES, 0, 46};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct packet packet = {.to = FRONTEND4, .ether_type = LIE(types[i])};

		untouched(packet, STEER_VERDICT_NOT_IP, "another Ethernet type");
		packet.vlan[0] = TAG;
		untouched(packet, STEER_VERDICT_NOT_IP, "another Ethernet type behind a tag");
	}
	untouched((struct packet){.to = FRONTEND4,
				  .vlan = {TAG, INNER_TAG},
				  .ether_type = LIE(ETH_P_8021Q)},
		  STEER_VERDICT_NOT_IP, "three tags");
}

static void what_is_behind_tags_is_recognised(void **state)
{
	static const struct packet tags[] = {{.vlan = {TAG}}, {.vlan = {TAG, INNER_TAG}}};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct packet packet = tags[i / 2];

		/* The backend is reached untagged, so a packet that got so far ends there. */
		packet.to = frontends[i % 2];
		untouched(packet, STEER_VERDICT_OTHER_VLAN, "for a frontend, tagged");
		packet.to = i % 2 ? STRANGER6 : STRANGER4;
		untouched(packet, STEER_VERDICT_NOT_OURS, "for another address, tagged");
	}
}

/* 802.1p: a tag of id 0 carries a priority alone. */
static void a_priority_tag_is_no_vlan(void **state)
{
	(void)state;
	forwarded((struct packet){.to = FRONTEND4, .vlan = {0xe000}}, "tag 0, IPv4");
	forwarded((struct packet){.to = FRONTEND6, .vlan = {0xe000}}, "tag 0, IPv6");
}

static void ipv4_options_are_passed_over(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};

	(void)state;
	for (uint8_t bytes = 0; bytes <= OPTION_BYTES; bytes += 4) {
		for (size_t i = 0; i < 2; i++) {
			struct packet packet = {
				.to = FRONTEND4,
				.option_bytes = bytes,
				.protocol = protocols[i],
				.payload_bytes = 100,
			};

			forwarded(packet, "IPv4 options");
			packet.to_port = 81;
			untouched(packet, STEER_VERDICT_NO_FRONTEND, "IPv4 options, other port");
		}
	}
}

static void each_ipv6_extension_header_is_passed_over(void **state)
{
	static const uint8_t types[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS,
					IPPROTO_AH};
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(types); i++) {
		struct packet packet = {
			.to = FRONTEND6,
			.extensions = {types[i / 2]},
			.n_extensions = 1,
			.protocol = protocols[i % 2],
			.payload_bytes = 20,
		};

		forwarded(packet, "one extension header");
		packet.to_port = 81;
		untouched(packet, STEER_VERDICT_NO_FRONTEND, "extension header, other port");
		packet.to = STRANGER6;
		untouched(packet, STEER_VERDICT_NOT_OURS, "extension header, other address");
	}
}

static void chains_are_followed_up_to_six_headers(void **state)
{
	struct packet packet = {
		.to = FRONTEND6,
		.extensions = {IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_AH,
			       IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_AH},
		.tcp_flags = TCP_SYN,
	};

	(void)state;
	for (uint8_t n = 0; n <= PACKET_CHAIN; n++) {
		packet.n_extensions = n;
		if (n <= CHAIN_FOLLOWED)
			forwarded(packet, "a chain of up to 6");
		else
			untouched(packet, STEER_VERDICT_EXTENSIONS, "a chain of 7 or 8");
	}
}

static void every_fragment_of_ipv4_goes_one_way(void **state)
{
	static const uint16_t parts[] = {MORE_FRAGMENTS4, MORE_FRAGMENTS4 | OFFSET4, OFFSET4};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct packet packet = {.to = FRONTEND4, .fragment = parts[i], .payload_bytes = 64};

		untouched(packet, STEER_VERDICT_FRAGMENT, "fragment of TCP");
		packet.protocol = IPPROTO_UDP;
		untouched(packet, STEER_VERDICT_FRAGMENT, "fragment of UDP");
		packet.option_bytes = 8;
		untouched(packet, STEER_VERDICT_FRAGMENT, "fragment with options");
		packet.to = STRANGER4;
		untouched(packet, STEER_VERDICT_NOT_OURS, "fragment for another address");
	}
	forwarded((struct packet){.to = FRONTEND4, .fragment = DONT_FRAGMENT4}, "don't fragment");
}

static void every_fragment_of_ipv6_goes_one_way(void **state)
{
	static const uint16_t parts[] = {MORE_FRAGMENTS6, MORE_FRAGMENTS6 | OFFSET6, OFFSET6};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct packet packet = {
			.to = FRONTEND6,
			.extensions = {IPPROTO_FRAGMENT, IPPROTO_DSTOPTS},
			.n_extensions = 2,
			.fragment = parts[i],
			.payload_bytes = 64,
		};

		untouched(packet, STEER_VERDICT_FRAGMENT, "fragment first");
		packet.extensions[0] = IPPROTO_HOPOPTS;
		packet.extensions[1] = IPPROTO_FRAGMENT;
		untouched(packet, STEER_VERDICT_FRAGMENT, "fragment behind hop-by-hop");
		packet.to = STRANGER6;
		untouched(packet, STEER_VERDICT_NOT_OURS, "fragment for another address");
	}
}

static void other_protocols_are_left_to_the_host(void **state)
{
	static const uint8_t protocols[] = {
		IPPROTO_ICMP, IPPROTO_ICMPV6,  GRE, IPPROTO_SCTP, IPPROTO_ESP,
		NEXT_NONE,    IPPROTO_UDPLITE, 255};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(protocols); i++) {
		struct packet packet = {
			.to = frontends[i % 2], .protocol = protocols[i / 2], .payload_bytes = 32};

		untouched(packet, STEER_VERDICT_NO_FRONTEND, "neither TCP nor UDP");
		packet.vlan[0] = TAG;
		untouched(packet, STEER_VERDICT_NO_FRONTEND, "neither TCP nor UDP, tagged");
	}
}

static void every_length_of_a_frame_is_forwarded(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct packet packet = {.to = frontends[i / 2], .protocol = protocols[i % 2]};
		struct frame frame;

		do {
			packet_build(&packet, &frame);
			expect_forwarded(&edge, &frame, edge_backend(&edge, "shop-1"), "length");
			packet.payload_bytes++;
		} while (frame.size < FRAME_MAX);
	}
}

static void padding_of_short_frames_is_left_alone(void **state)
{
	(void)state;
	for (uint16_t payload = 0; payload < 20; payload++) {
		for (size_t i = 0; i < 2; i++) {
			struct packet packet = {.to = FRONTEND4,
						.protocol = i ? IPPROTO_UDP : IPPROTO_TCP,
						.payload_bytes = payload,
						.is_padded = true};

			forwarded(packet, "padded to 60 bytes");
			packet.to = STRANGER4;
			untouched(packet, STEER_VERDICT_NOT_OURS, "padded, not ours");
		}
	}
}

static void without_udp_frontends_udp_is_left_to_the_host(void **state)
{
	struct packet packet = {.to = FRONTEND4, .protocol = IPPROTO_UDP};

	(void)state;
	untouched(packet, STEER_VERDICT_NO_FRONTEND, "UDP");
	packet.option_bytes = 4;
	untouched(packet, STEER_VERDICT_NO_FRONTEND, "UDP with options");
	forwarded((struct packet){.to = FRONTEND4}, "TCP");
}

static void without_ipv6_frontends_ipv6_is_not_ours(void **state)
{
	(void)state;
	untouched((struct packet){.to = FRONTEND6}, STEER_VERDICT_NOT_OURS, "IPv6");
	untouched((struct packet){.to = STRANGER6}, STEER_VERDICT_NOT_OURS, "IPv6, other");
	untouched((struct packet){.to = FRONTEND6, .protocol = IPPROTO_ICMPV6},
		  STEER_VERDICT_NOT_OURS, "ICMPv6");
	untouched((struct packet){.to = STRANGER4}, STEER_VERDICT_NOT_OURS, "IPv4, other");
}

static int up(void **state)
{
	(void)state;
	edge_up(&edge, config);
	return 0;
}

static int up_of_one_tcp_ipv4(void **state)
{
	(void)state;
	edge_up(&edge, config_of_one_tcp_ipv4);
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
	const struct CMUnitTest every_fact[] = {
		cmocka_unit_test(a_built_packet_has_right_checksums),
		cmocka_unit_test(what_is_not_ip_passes),
		cmocka_unit_test(what_is_behind_tags_is_recognised),
		cmocka_unit_test(a_priority_tag_is_no_vlan),
		cmocka_unit_test(ipv4_options_are_passed_over),
		cmocka_unit_test(each_ipv6_extension_header_is_passed_over),
		cmocka_unit_test(chains_are_followed_up_to_six_headers),
		cmocka_unit_test(every_fragment_of_ipv4_goes_one_way),
		cmocka_unit_test(every_fragment_of_ipv6_goes_one_way),
		cmocka_unit_test(other_protocols_are_left_to_the_host),
		cmocka_unit_test(every_length_of_a_frame_is_forwarded),
		cmocka_unit_test(padding_of_short_frames_is_left_alone),
	};
	const struct CMUnitTest few_facts[] = {
		cmocka_unit_test(without_udp_frontends_udp_is_left_to_the_host),
		cmocka_unit_test(without_ipv6_frontends_ipv6_is_not_ours),
	};
	int failed = cmocka_run_group_tests(every_fact, up, down);

	return failed + cmocka_run_group_tests(few_facts, up_of_one_tcp_ipv4, down);
}
