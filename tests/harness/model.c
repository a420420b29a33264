// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "harness/model.h"

#include <arpa/inet.h>
#include <string.h>

#include "steer/abi.h"

#define TYPE_IPV4     0x0800
#define TYPE_IPV6     0x86dd
#define TYPE_TAG      0x8100
#define TYPE_OUTER    0x88a8
#define TAGS_MAX      2
#define CHAIN_MAX     6
#define FRONTEND_PORT 80

/* Offsets into the frame; the packet ends where its own length says, the frame may go on. */
struct reader {
	const uint8_t *bytes;
	size_t frame_end;
	size_t packet_end;
	size_t at;
	uint32_t vlan;
	uint8_t hops; /* TTL or hop limit */
};

static bool has(const struct reader *reader, size_t n)
{
	return reader->frame_end - reader->at >= n;
}

static uint32_t word(const struct reader *reader, size_t offset)
{
	const uint8_t *at = reader->bytes + reader->at + offset;

	return (uint32_t)at[0] << 8 | at[1];
}

static uint8_t byte(const struct reader *reader, size_t offset)
{
	return reader->bytes[reader->at + offset];
}

static bool is_address(const struct reader *reader, size_t offset, int family, const char *text)
{
	uint8_t address[16];

	(void)inet_pton(family, text, address);
	return memcmp(reader->bytes + reader->at + offset, address, family == AF_INET ? 4 : 16) ==
	       0;
}

static uint32_t judge_backend(const struct reader *reader)
{
	if (reader->vlan)
		return STEER_VERDICT_OTHER_VLAN;
	return reader->hops < 2 ? STEER_VERDICT_TTL_EXPIRED : STEER_VERDICT_FORWARDED;
}

/* Both header and, of TCP, the length that it claims lie within the packet. */
static uint32_t judge_transport(struct reader *reader, uint8_t protocol)
{
	size_t header = protocol == IPPROTO_TCP ? 20 : 8;

	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return STEER_VERDICT_NO_FRONTEND;
	if (reader->at > reader->frame_end || reader->at + header > reader->packet_end)
		return STEER_VERDICT_MALFORMED;
	if (protocol == IPPROTO_TCP) {
		size_t claimed = (byte(reader, 12) >> 4) * 4u;

		if (claimed < header || reader->at + claimed > reader->packet_end)
			return STEER_VERDICT_MALFORMED;
	}
	return word(reader, 2) == FRONTEND_PORT ? judge_backend(reader) : STEER_VERDICT_NO_FRONTEND;
}

static uint32_t judge_ipv4(struct reader *reader)
{
	size_t header, total;
	uint8_t protocol;

	if (!has(reader, 20))
		return STEER_VERDICT_MALFORMED;
	if (!is_address(reader, 16, AF_INET, FRONTEND4))
		return STEER_VERDICT_NOT_OURS;
	header = (byte(reader, 0) & 0x0f) * 4u;
	total = word(reader, 2);
	if (byte(reader, 0) >> 4 != 4 || header < 20 || total < header || !has(reader, total))
		return STEER_VERDICT_MALFORMED;
	if (word(reader, 6) & 0x3fff)
		return STEER_VERDICT_FRAGMENT;
	protocol = byte(reader, 9);
	reader->hops = byte(reader, 8);
	reader->packet_end = reader->at + total;
	reader->at += header;
	return judge_transport(reader, protocol);
}

static uint32_t judge_chain(struct reader *reader, uint8_t next)
{
	for (int followed = 0;; followed++) {
		size_t unit = next == IPPROTO_AH ? 4 : 8;

		if (followed > CHAIN_MAX)
			return STEER_VERDICT_EXTENSIONS;
		if (next == IPPROTO_FRAGMENT)
			return STEER_VERDICT_FRAGMENT;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_AH)
			return judge_transport(reader, next);
		if (reader->at > reader->frame_end || !has(reader, 2))
			return STEER_VERDICT_MALFORMED;
		next = byte(reader, 0);
		/* RFC 8200 section 4.3: beyond the first 8 bytes; RFC 4302 section 2.2: AH. */
		reader->at += 8 + unit * byte(reader, 1);
	}
}

static uint32_t judge_ipv6(struct reader *reader)
{
	uint8_t next;

	if (!has(reader, 40))
		return STEER_VERDICT_MALFORMED;
	if (!is_address(reader, 24, AF_INET6, FRONTEND6))
		return STEER_VERDICT_NOT_OURS;
	if (byte(reader, 0) >> 4 != 6 || !has(reader, 40 + word(reader, 4)))
		return STEER_VERDICT_MALFORMED;
	reader->hops = byte(reader, 7);
	reader->packet_end = reader->at + 40 + word(reader, 4);
	next = byte(reader, 6);
	reader->at += 40;
	return judge_chain(reader, next);
}

uint32_t model_verdict(const struct frame *frame)
{
	struct reader reader = {.bytes = frame->bytes, .frame_end = frame->size, .at = 12};
	uint32_t type = word(&reader, 0);

	reader.at = 14;
	for (int tag = 0; tag < TAGS_MAX && (type == TYPE_TAG || type == TYPE_OUTER); tag++) {
		if (!has(&reader, 4))
			return STEER_VERDICT_NOT_IP;
		if (tag == 0)
			reader.vlan = word(&reader, 0) & 0x0fff;
		type = word(&reader, 2);
		reader.at += 4;
	}
	if (type == TYPE_IPV4)
		return judge_ipv4(&reader);
	return type == TYPE_IPV6 ? judge_ipv6(&reader) : STEER_VERDICT_NOT_IP;
}
