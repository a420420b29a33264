// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The cases and their packets. Figures of peers are medians over an empty program, by the method
 * of main.c, with 100 backends, on a machine of 2 virtual CPUs with Linux 6.18: Katran with
 * IP-in-IP and an LRU of 4,000,000 flows a CPU, GLB director's XDP program, xvs. The target is
 * the project's own.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "bench/bench.h"
#include "steer/abi.h"

#define OURS4	"203.0.113.10" /* RFC 5737 */
#define OTHER4	"203.0.113.99"
#define OURS6	"2001:db8::10" /* RFC 3849 */
#define OTHER6	"2001:db8::99"
#define MILLION 1048576
#define OPEN	131072	/* flows: what is called 100,000 is to be no less */
#define DEFAULT 262144	/* limits.flows */
#define ROOMY	1048576 /* no two of OPEN flows get into each other's way */

#define TCP(clients_)  .port = 80, .protocol = IPPROTO_TCP, .clients = (clients_)
#define UDP(clients_)  .port = 443, .protocol = IPPROTO_UDP, .clients = (clients_)
#define VERDICT(name_) .verdict = STEER_VERDICT_##name_

static const struct bench_case tcp4_cases[] = {
	{"IPv4 TCP, 1,048,576 clients", "Katran 269, GLB 77", 15, OURS4, TCP(MILLION),
	 VERDICT(FORWARDED)},
	{"IPv4 TCP, 4,096 clients", "Katran 130, GLB 79", 15, OURS4, TCP(4096), VERDICT(FORWARDED)},
	{"IPv4 TCP, 1 client", "Katran 120, GLB 77", 15, OURS4, TCP(1), VERDICT(FORWARDED)},
	{"IPv4 TCP SYN, 1,048,576 clients", "Katran 106 (no limit: 937), GLB 76", 15, OURS4,
	 TCP(MILLION), VERDICT(FORWARDED), .is_syn = true},
	{"IPv4 TCP, backend on another interface", NULL, 0, OURS4, TCP(MILLION), VERDICT(FORWARDED),
	 .is_redirected = true},
	{"IPv4 TCP, other port", NULL, 0, OURS4, .port = 81, .protocol = IPPROTO_TCP,
	 .clients = MILLION, VERDICT(NO_FRONTEND)},
	{"IPv4 TCP, other VLAN than the backend", NULL, 0, OURS4, TCP(MILLION), VERDICT(OTHER_VLAN),
	 .is_tagged = true},
	{"IPv4 TCP, not ours", "Katran 52, GLB 29", 6, OTHER4, TCP(MILLION), VERDICT(NOT_OURS)},
	{"IPv4 TCP, not ours, VLAN tag", NULL, 0, OTHER4, TCP(MILLION), VERDICT(NOT_OURS),
	 .is_tagged = true},
	{"IPv6 TCP, not ours, no IPv6 frontend", NULL, 0, OTHER6, TCP(MILLION), VERDICT(NOT_OURS)},
	{"ARP", "Katran 3, GLB 4", 0, NULL, .clients = 1, VERDICT(NOT_IP)},
};

static const struct bench_case udp4_cases[] = {
	{"IPv4 UDP, 1,048,576 clients", "Katran 159 (4,096), GLB 71 (1)", 15, OURS4, UDP(MILLION),
	 VERDICT(FORWARDED)},
	{"IPv4 TCP beside UDP, 1,048,576 clients", "Katran 269, GLB 77", 15, OURS4, TCP(MILLION),
	 VERDICT(FORWARDED)},
};

static const struct bench_case both_cases[] = {
	{"IPv6 TCP, 1,048,576 clients", "Katran 120 (4,096), GLB 86 (4,096)", 22, OURS6,
	 TCP(MILLION), VERDICT(FORWARDED)},
	{"IPv6 TCP SYN, 1,048,576 clients", "Katran 770 (no limit)", 22, OURS6, TCP(MILLION),
	 VERDICT(FORWARDED), .is_syn = true},
	{"IPv6 TCP, not ours", "Katran 54", 6, OTHER6, TCP(MILLION), VERDICT(NOT_OURS)},
	{"IPv4 TCP beside IPv6, 1,048,576 clients", "Katran 269, GLB 77", 15, OURS4, TCP(MILLION),
	 VERDICT(FORWARDED)},
};

#define FLOW(role) .flow = FLOW_##role

static const struct bench_case few_cases[] = {
	{"IPv4 TCP, untouched slots", "Katran 269, GLB 77", 0, OURS4, TCP(MILLION),
	 VERDICT(FORWARDED)},
	{"IPv6 TCP, untouched slots", NULL, 0, OURS6, TCP(MILLION), VERDICT(FORWARDED)},
};

static const struct bench_case default_cases[] = {
	{"IPv4 TCP, 1,024 recorded", "Katran 130 (4,096), xvs 401 (4,096)", 70, OURS4, TCP(1024),
	 VERDICT(FORWARDED), FLOW(RECORDED)},
	{"IPv4 TCP, 131,072 recorded, half full", "Katran 198-269, xvs 516 (65,536)", 70, OURS4,
	 TCP(OPEN), VERDICT(FORWARDED), FLOW(RECORDED)},
	{"IPv6 TCP, 131,072 recorded, half full", "Katran 198-269 (IPv4)", 70, OURS6, TCP(OPEN),
	 VERDICT(FORWARDED), FLOW(RECORDED)},
};

static const struct bench_case all_cases[] = {
	{"IPv4 TCP, 131,072 recorded, 1/8 full", "Katran 198-269, xvs 516 (65,536)", 70, OURS4,
	 TCP(OPEN), VERDICT(FORWARDED), FLOW(RECORDED)},
	{"IPv6 TCP, 131,072 recorded, 1/8 full", "Katran 198-269 (IPv4)", 70, OURS6, TCP(OPEN),
	 VERDICT(FORWARDED), FLOW(RECORDED)},
	{"IPv4 TCP SYN, each a birth", "Katran 784-937, xvs 565", 150, OURS4, TCP(MILLION),
	 VERDICT(FORWARDED), FLOW(BIRTH), .is_syn = true},
	{"IPv6 TCP SYN, each a birth", "Katran 770", 150, OURS6, TCP(MILLION), VERDICT(FORWARDED),
	 FLOW(BIRTH), .is_syn = true},
	{"IPv4 TCP, no record, to the origin", NULL, 0, OURS4, TCP(MILLION), VERDICT(FORWARDED),
	 FLOW(UNRECORDED)},
	{"IPv6 TCP, no record, to the origin", NULL, 0, OURS6, TCP(MILLION), VERDICT(FORWARDED),
	 FLOW(UNRECORDED)},
	{"IPv4 TCP SYN, flow table full", "xvs 1141 (evicts)", 0, OURS4, TCP(MILLION),
	 VERDICT(FORWARDED), FLOW(FULL), .is_syn = true},
	{"IPv6 TCP SYN, flow table full", NULL, 0, OURS6, TCP(MILLION), VERDICT(FORWARDED),
	 FLOW(FULL), .is_syn = true},
};

#define BOTH	     "[\"" OURS4 ":80/tcp\", \"[" OURS6 "]:80/tcp\"]"
#define CASES(list_) .cases = (list_), .n_cases = ARRAY_SIZE(list_)

const struct bench_group bench_groups[] = {
	{"IPv4", "[\"" OURS4 ":80/tcp\"]", TRANSITION_NONE, DEFAULT, CASES(tcp4_cases)},
	{"IPv4, UDP", "[\"" OURS4 ":80/tcp\", \"" OURS4 ":443/udp\"]", TRANSITION_NONE, DEFAULT,
	 CASES(udp4_cases)},
	{"IPv4, IPv6", BOTH, TRANSITION_NONE, DEFAULT, CASES(both_cases)},
	{"IPv4, IPv6; 7 slots in transition", BOTH, TRANSITION_FEW, DEFAULT, CASES(few_cases)},
	{"IPv4, IPv6; every slot in transition", BOTH, TRANSITION_ALL, DEFAULT,
	 CASES(default_cases)},
	{"IPv4, IPv6; every slot in transition, 1,048,576 flows", BOTH, TRANSITION_ALL, ROOMY,
	 CASES(all_cases)},
};
const size_t bench_n_groups = ARRAY_SIZE(bench_groups);

static void put(struct frame *frame, const void *bytes, size_t size)
{
	memcpy(frame->bytes + frame->size, bytes, size);
	frame->size += (uint32_t)size;
}

static void put_ethernet(const struct bench_case *c, struct frame *frame, uint16_t type)
{
	const struct ethhdr eth = {
		.h_dest = {2, 0, 0, 0, 0, 1},
		.h_source = {2, 0, 0, 0, 0, 2},
		.h_proto = htons(c->is_tagged ? ETH_P_8021Q : type),
	};
	const uint16_t tag[2] = {htons(100), htons(type)};

	put(frame, &eth, sizeof(eth));
	if (c->is_tagged)
		put(frame, tag, sizeof(tag));
	frame->network = frame->size;
}

static void put_ip(const struct bench_case *c, struct frame *frame, uint16_t transport_bytes)
{
	struct ipv6hdr ip6 = {.version = 6,
			      .hop_limit = 64,
			      .nexthdr = (uint8_t)c->protocol,
			      .payload_len = htons(transport_bytes)};
	struct iphdr ip4 = {.version = 4,
			    .ihl = 5,
			    .ttl = 64,
			    .protocol = (uint8_t)c->protocol,
			    .tot_len = htons(sizeof(ip4) + transport_bytes)};

	if (inet_pton(AF_INET6, c->to, &ip6.daddr) == 1) {
		put_ethernet(c, frame, ETH_P_IPV6);
		put(frame, &ip6, sizeof(ip6));
		frame->family = 6;
	} else {
		(void)inet_pton(AF_INET, c->to, &ip4.daddr);
		put_ethernet(c, frame, ETH_P_IP);
		put(frame, &ip4, sizeof(ip4));
		frame->family = 4;
	}
}

/* Checksums are left zero: they differ by client, and a forwarder only adjusts them. */
void frame_build(const struct bench_case *c, struct frame *ret_frame)
{
	const struct tcphdr tcp = {.source = htons(40000),
				   .dest = htons((uint16_t)c->port),
				   .doff = 5,
				   .syn = c->is_syn,
				   .ack = !c->is_syn};
	const struct udphdr udp = {.source = htons(40000),
				   .dest = htons((uint16_t)c->port),
				   .len = htons(sizeof(udp))};

	memset(ret_frame, 0, sizeof(*ret_frame));
	if (!c->to) {
		put_ethernet(c, ret_frame, ETH_P_ARP);
	} else if (c->protocol == IPPROTO_TCP) {
		put_ip(c, ret_frame, sizeof(tcp));
		put(ret_frame, &tcp, sizeof(tcp));
	} else {
		put_ip(c, ret_frame, sizeof(udp));
		put(ret_frame, &udp, sizeof(udp));
	}
	if (ret_frame->size < ETH_ZLEN)
		ret_frame->size = ETH_ZLEN;
}

char *bench_config(const struct bench_group *group)
{
	char *text = NULL;
	size_t size;
	auto_fclose FILE *file = open_memstream(&text, &size);

	if (!file)
		bench_fail("out of memory");
	(void)fprintf(file,
		      "interfaces: [edge0]\nlimits: {flows: %u}\n"
		      "services:\n  shop:\n    frontends: %s\n"
		      "    active: blue\n    pools:\n      blue:\n        backends:\n",
		      group->flows, group->frontends);
	for (int i = 1; i <= 98; i++)
		(void)fprintf(
			file,
			"          blue-%d: {address: 10.0.0.%d, mac: \"02:00:00:00:00:%02x\"}\n",
			i, 100 + i, i);
	(void)fputs("      green: {backends: {green-1: {address: 10.0.0.11, "
		    "mac: \"02:00:00:00:01:01\"}}}\n"
		    "      canary: {backends: {canary-1: {address: 10.0.0.12, "
		    "mac: \"02:00:00:00:01:02\"}}}\n",
		    file);
	(void)fflush(file);
	return text;
}
