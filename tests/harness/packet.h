/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets for tests: described by what matters, built with right lengths and checksums.
 *
 * A field left out has a usual value (TCP from CLIENT port 40000, acknowledging, TTL 64). The
 * fields of type struct lie replace what is right by what the test wants the packet to claim;
 * checksums are computed over the lies.
 */
#ifndef STEER_TESTS_PACKET_H
#define STEER_TESTS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Documentation ranges: RFC 5737 for IPv4, RFC 3849 for IPv6. */
#define CLIENT4	  "198.51.100.7"
#define CLIENT6	  "2001:db8:c::7"
#define FRONTEND4 "203.0.113.10"
#define FRONTEND6 "2001:db8::10"
#define STRANGER4 "203.0.113.99" /* no frontend */
#define STRANGER6 "2001:db8::99"

#define FRAME_BYTES   2048
#define PACKET_CHAIN  8	 /* IPv6 extension headers at most */
#define EXTENSION_MIN 8	 /* bytes of one; an authentication header has 16 */
#define FRAME_MIN     60 /* Ethernet's minimum without the check sequence */

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

struct lie {
	bool is_told;
	uint32_t value;
};
#define LIE(number)                                                                                \
	{                                                                                          \
		true, (number)                                                                     \
	}

struct packet {
	const char *from, *to;		  /* text, of one family; @from may be left out */
	uint16_t from_port, to_port;	  /* 0 = 40000 and 80 */
	uint8_t protocol;		  /* IPPROTO_*, 0 = TCP */
	uint8_t tcp_flags;		  /* TCP_*, 0 = TCP_ACK */
	uint16_t payload_bytes;		  /* behind the transport header */
	uint16_t vlan[2];		  /* ids, outermost first; 0 = no tag */
	uint8_t option_bytes;		  /* of IPv4, a multiple of 4 */
	uint8_t extensions[PACKET_CHAIN]; /* of IPv6, in this order */
	uint8_t n_extensions;
	uint16_t fragment;	  /* IPv4: flags and offset; IPv6: offset and flag of the header */
	uint16_t ip_id;		  /* IPv4 */
	bool is_padded;		  /* to FRAME_MIN */
	struct lie ttl;		  /* or hop limit */
	struct lie ether_type;	  /* of the innermost tag */
	struct lie version;	  /* of IP */
	struct lie ihl;		  /* in words of 4 bytes */
	struct lie tot_len;	  /* of IPv4 */
	struct lie payload_len;	  /* of IPv6 */
	struct lie extension_len; /* of the first extension header */
	struct lie doff;	  /* in words of 4 bytes */
};

struct frame {
	size_t size;
	size_t network;		    /* offset of the IP header */
	size_t transport;	    /* offset behind options and extension headers */
	bool is_connection;	    /* a TCP SYN without ACK */
	bool is_ipv6;		    /* as built, whatever the packet claims */
	uint8_t bytes[FRAME_BYTES]; /* at an offset that aligns the headers behind Ethernet's */
};
_Static_assert((offsetof(struct frame, bytes) + 14) % 4 == 0, "network headers are aligned");

void packet_build(const struct packet *packet, struct frame *ret_frame);

/* The Internet checksum (RFC 1071) of an even number of bytes, as it stands in a header. */
uint16_t packet_checksum(const void *bytes, size_t size, uint32_t start);

/* Ones' complement sum of the IPv4 header: 0xffff where its checksum is right. */
uint16_t frame_header_sum(const struct frame *frame);

/* What leaves when @frame is forwarded: new MAC addresses, one hop less, a right checksum. */
void frame_forward(struct frame *frame, const uint8_t mac_dst[6], const uint8_t mac_src[6]);

#endif
