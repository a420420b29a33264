// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "harness/packet.h"

#include <assert.h>
#include <arpa/inet.h>
#include <string.h>

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#define USUAL_TTL	    64
#define USUAL_FROM_PORT	    40000
#define USUAL_TO_PORT	    80
#define ICMP_ECHO_REQUEST   8
#define ICMPV6_ECHO_REQUEST 128
#define ROUTING_TYPE	    253 /* for experiments, RFC 4727 section 3.5 */
#define OPTION_NOP	    1	/* RFC 791 section 3.1 */

static uint32_t told(struct lie lie, uint32_t truth)
{
	return lie.is_told ? lie.value : truth;
}

static void *append(struct frame *frame, const void *bytes, size_t size)
{
	void *start = frame->bytes + frame->size;

	assert(frame->size + size <= sizeof(frame->bytes));
	if (bytes)
		memcpy(start, bytes, size);
	else
		memset(start, 0, size);
	frame->size += size;
	return start;
}

static uint32_t sum_words(const void *bytes, size_t size, uint32_t sum)
{
	const uint8_t *next = bytes;

	for (size_t i = 0; i < size; i++)
		sum += (uint32_t)next[i] << (i % 2 ? 0 : 8);
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t packet_checksum(const void *bytes, size_t size, uint32_t start)
{
	return htons((uint16_t)~fold(sum_words(bytes, size, start)));
}

uint16_t frame_header_sum(const struct frame *frame)
{
	const uint8_t *header = frame->bytes + frame->network;

	return fold(sum_words(header, (header[0] & 0x0f) * 4u, 0));
}

static bool is_ipv6(const struct packet *packet)
{
	return strchr(packet->to, ':') != NULL;
}

static uint8_t protocol_of(const struct packet *packet)
{
	return packet->protocol ? packet->protocol : IPPROTO_TCP;
}

static void add_ethernet(const struct packet *packet, struct frame *frame)
{
	static const uint8_t macs[2 * ETH_ALEN] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	uint16_t ether_type = is_ipv6(packet) ? ETH_P_IPV6 : ETH_P_IP;
	uint16_t innermost = htons((uint16_t)told(packet->ether_type, ether_type));

	append(frame, macs, sizeof(macs));
	for (int i = 0; i < 2 && packet->vlan[i]; i++) {
		bool is_outer = i == 0 && packet->vlan[1];
		uint16_t tag[2] = {htons(is_outer ? ETH_P_8021AD : ETH_P_8021Q),
				   htons(packet->vlan[i])};

		append(frame, tag, sizeof(tag));
	}
	append(frame, &innermost, sizeof(innermost));
	frame->network = frame->size;
}

static void add_ipv4(const struct packet *packet, struct frame *frame)
{
	struct iphdr ip = {
		.version = told(packet->version, 4) & 0x0f,
		.ihl = told(packet->ihl, (sizeof(ip) + packet->option_bytes) / 4) & 0x0f,
		.ttl = (uint8_t)told(packet->ttl, USUAL_TTL),
		.protocol = protocol_of(packet),
		.id = htons(packet->ip_id),
		.frag_off = htons(packet->fragment),
	};

	assert(packet->option_bytes % 4 == 0 && packet->option_bytes <= 40);
	assert(inet_pton(AF_INET, packet->from ? packet->from : CLIENT4, &ip.saddr) == 1);
	assert(inet_pton(AF_INET, packet->to, &ip.daddr) == 1);
	append(frame, &ip, sizeof(ip));
	memset(append(frame, NULL, packet->option_bytes), OPTION_NOP, packet->option_bytes);
}

static uint8_t add_extension(const struct packet *packet, size_t i, struct frame *frame)
{
	uint8_t type = packet->extensions[i];
	uint8_t bytes[2 * EXTENSION_MIN] = {0};
	size_t size = EXTENSION_MIN;

	bytes[0] = i + 1 < packet->n_extensions ? packet->extensions[i + 1] : protocol_of(packet);
	if (type == IPPROTO_AH) {
		size = 2 * EXTENSION_MIN;
		bytes[1] = (uint8_t)(size / 4 - 2);
	} else if (type == IPPROTO_FRAGMENT) {
		bytes[2] = (uint8_t)(packet->fragment >> 8);
		bytes[3] = (uint8_t)packet->fragment;
	} else if (type == IPPROTO_ROUTING) {
		bytes[2] = ROUTING_TYPE;
	} else {
		bytes[2] = 1; /* PadN of six bytes, RFC 8200 section 4.2 */
		bytes[3] = 4;
	}
	if (i == 0)
		bytes[1] = (uint8_t)told(packet->extension_len, bytes[1]);
	append(frame, bytes, size);
	return type;
}

static void add_ipv6(const struct packet *packet, struct frame *frame)
{
	struct ipv6hdr ip = {
		.version = told(packet->version, 6) & 0x0f,
		.hop_limit = (uint8_t)told(packet->ttl, USUAL_TTL),
		.nexthdr = packet->n_extensions ? packet->extensions[0] : protocol_of(packet),
	};

	assert(packet->n_extensions <= PACKET_CHAIN);
	assert(inet_pton(AF_INET6, packet->from ? packet->from : CLIENT6, &ip.saddr) == 1);
	assert(inet_pton(AF_INET6, packet->to, &ip.daddr) == 1);
	append(frame, &ip, sizeof(ip));
	for (size_t i = 0; i < packet->n_extensions; i++)
		add_extension(packet, i, frame);
}

/* Sum of the pseudo header: RFC 9293 section 3.1, RFC 8200 section 8.1. */
static uint32_t pseudo_sum(const struct packet *packet, const struct frame *frame)
{
	const uint8_t *ip = frame->bytes + frame->network;
	uint32_t start = protocol_of(packet) + (uint32_t)(frame->size - frame->transport);

	if (is_ipv6(packet))
		return sum_words(ip + offsetof(struct ipv6hdr, saddr), 32, start);
	return sum_words(ip + offsetof(struct iphdr, saddr), 8, start);
}

static void add_tcp(const struct packet *packet, struct frame *frame)
{
	uint8_t flags = packet->tcp_flags ? packet->tcp_flags : TCP_ACK;
	struct tcphdr tcp = {
		.source = htons(packet->from_port ? packet->from_port : USUAL_FROM_PORT),
		.dest = htons(packet->to_port ? packet->to_port : USUAL_TO_PORT),
		.doff = told(packet->doff, sizeof(tcp) / 4) & 0x0f,
	};

	((uint8_t *)&tcp)[13] = flags;
	append(frame, &tcp, sizeof(tcp));
	frame->is_connection = (flags & TCP_SYN) && !(flags & TCP_ACK);
}

static void add_udp(const struct packet *packet, struct frame *frame)
{
	struct udphdr udp = {
		.source = htons(packet->from_port ? packet->from_port : USUAL_FROM_PORT),
		.dest = htons(packet->to_port ? packet->to_port : USUAL_TO_PORT),
		.len = htons((uint16_t)(sizeof(udp) + packet->payload_bytes)),
	};

	append(frame, &udp, sizeof(udp));
}

/* A header of 8 bytes: ICMP's echo request, or the ports where SCTP and others have them. */
static void add_other(const struct packet *packet, struct frame *frame)
{
	uint16_t words[4] = {0};
	uint8_t protocol = protocol_of(packet);

	if (protocol == IPPROTO_ICMP)
		words[0] = htons(ICMP_ECHO_REQUEST << 8);
	else if (protocol == IPPROTO_ICMPV6)
		words[0] = htons(ICMPV6_ECHO_REQUEST << 8);
	else {
		words[0] = htons(packet->from_port ? packet->from_port : USUAL_FROM_PORT);
		words[1] = htons(packet->to_port ? packet->to_port : USUAL_TO_PORT);
	}
	append(frame, words, sizeof(words));
}

/* Checksum of transport header and payload, where the protocol has one that is known here. */
static void set_transport_checksum(const struct packet *packet, struct frame *frame)
{
	uint8_t *start = frame->bytes + frame->transport;
	size_t size = frame->size - frame->transport, offset;
	uint32_t sum = pseudo_sum(packet, frame);
	uint16_t check;

	switch (protocol_of(packet)) {
	case IPPROTO_TCP:
		offset = offsetof(struct tcphdr, check);
		break;
	case IPPROTO_UDP:
		offset = offsetof(struct udphdr, check);
		break;
	case IPPROTO_ICMP:
		sum = 0;
		/* fallthrough */
	case IPPROTO_ICMPV6:
		offset = 2;
		break;
	default:
		return;
	}
	check = packet_checksum(start, size, sum);
	if (protocol_of(packet) == IPPROTO_UDP && check == 0)
		check = 0xffff;
	memcpy(start + offset, &check, sizeof(check));
}

static void set_lengths(const struct packet *packet, struct frame *frame)
{
	size_t network_bytes = frame->size - frame->network;
	struct iphdr *ip4 = (void *)(frame->bytes + frame->network);
	struct ipv6hdr *ip6 = (void *)(frame->bytes + frame->network);

	if (is_ipv6(packet)) {
		ip6->payload_len =
			htons((uint16_t)told(packet->payload_len, network_bytes - sizeof(*ip6)));
		return;
	}
	ip4->tot_len = htons((uint16_t)told(packet->tot_len, network_bytes));
	ip4->check = packet_checksum(ip4, sizeof(*ip4) + packet->option_bytes, 0);
}

void packet_build(const struct packet *packet, struct frame *ret_frame)
{
	struct frame *frame = ret_frame;

	memset(frame, 0, sizeof(*frame));
	frame->is_ipv6 = is_ipv6(packet);
	add_ethernet(packet, frame);
	if (frame->is_ipv6)
		add_ipv6(packet, frame);
	else
		add_ipv4(packet, frame);
	frame->transport = frame->size;
	if (protocol_of(packet) == IPPROTO_TCP)
		add_tcp(packet, frame);
	else if (protocol_of(packet) == IPPROTO_UDP)
		add_udp(packet, frame);
	else
		add_other(packet, frame);
	for (size_t i = 0; i < packet->payload_bytes; i++)
		append(frame, &(uint8_t){(uint8_t)i}, 1);
	set_transport_checksum(packet, frame);
	set_lengths(packet, frame);
	if (packet->is_padded && frame->size < FRAME_MIN)
		append(frame, NULL, FRAME_MIN - frame->size);
}

void frame_forward(struct frame *frame, const uint8_t mac_dst[6], const uint8_t mac_src[6])
{
	struct iphdr *ip4 = (void *)(frame->bytes + frame->network);
	struct ipv6hdr *ip6 = (void *)(frame->bytes + frame->network);

	memcpy(frame->bytes, mac_dst, ETH_ALEN);
	memcpy(frame->bytes + ETH_ALEN, mac_src, ETH_ALEN);
	if (frame->is_ipv6) {
		ip6->hop_limit--;
		return;
	}
	ip4->ttl--;
	ip4->check = 0;
	ip4->check = packet_checksum(ip4, ip4->ihl * 4u, 0);
}
