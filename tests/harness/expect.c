// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "harness/expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

/* RFC 1624: sums of ones' complement are equal modulo 0xffff. */
#define SUM_ZERO 0xffff

static uint32_t action_of(uint32_t verdict)
{
	static const uint32_t actions[STEER_VERDICT_COUNT] = {
#define ACTION(name, action, help) [STEER_VERDICT_##name] = action,
		STEER_VERDICTS(ACTION)
#undef ACTION
	};

	return actions[verdict];
}

static const char *name_of(uint32_t verdict)
{
	static const char *const names[STEER_VERDICT_COUNT] = {
#define NAME(name, action, help) [STEER_VERDICT_##name] = #name,
		STEER_VERDICTS(NAME)
#undef NAME
	};

	return names[verdict];
}

static void check_counter(const struct counter *before, const struct counter *after,
			  const struct counter *moved, const char *counter, uint32_t number,
			  const char *what)
{
	if (after->packets - before->packets != moved->packets ||
	    after->bytes - before->bytes != moved->bytes ||
	    after->connections - before->connections != moved->connections)
		fail_msg("%s: counter %s %u moved by %lu packets, %lu bytes, %lu connections; "
			 "expected %lu, %lu, %lu",
			 what, counter, number, after->packets - before->packets,
			 after->bytes - before->bytes, after->connections - before->connections,
			 moved->packets, moved->bytes, moved->connections);
}

/* One counter moved by @moved: that of @verdict, or of @backend where forwarded. */
static void check_counts(const struct counts *before, const struct counts *after, uint32_t verdict,
			 uint32_t backend, const struct counter *moved, const char *what)
{
	static const struct counter none;

	for (uint32_t i = 0; i < STEER_VERDICT_COUNT; i++)
		check_counter(&before->verdict[i], &after->verdict[i],
			      i == verdict && i != STEER_VERDICT_FORWARDED ? moved : &none,
			      name_of(i), i, what);
	for (uint32_t i = 0; i < EDGE_BACKENDS; i++)
		check_counter(&before->backend[i], &after->backend[i],
			      i == backend && verdict == STEER_VERDICT_FORWARDED ? moved : &none,
			      "backend", i, what);
}

static void check_bytes(const struct sent *sent, const uint8_t *want, size_t size, const char *what)
{
	if (sent->size != size)
		fail_msg("%s: %zu bytes left, expected %zu", what, sent->size, size);
	for (size_t i = 0; i < size; i++)
		if (sent->bytes[i] != want[i])
			fail_msg("%s: byte %zu left as %02x, expected %02x", what, i,
				 sent->bytes[i], want[i]);
}

static void check_action(const struct sent *sent, uint32_t action, const char *what)
{
	if (sent->action != action)
		fail_msg("%s: action %u, expected %u", what, sent->action, action);
}

static void expect_left(const struct edge *edge, const struct frame *frame, uint32_t backend,
			uint32_t action, const char *what)
{
	struct counter moved = {1, frame->size, frame->is_connection};
	struct counts before, after;
	struct frame want = *frame;
	struct steer_record record;
	struct sent sent;

	edge_record(edge, backend, &record);
	frame_forward(&want, record.mac_dst, record.mac_src);
	edge_counts(edge, &before);
	edge_send(edge, frame->bytes, frame->size, &sent);
	edge_counts(edge, &after);
	check_action(&sent, action, what);
	check_bytes(&sent, want.bytes, want.size, what);
	check_counts(&before, &after, STEER_VERDICT_FORWARDED, backend, &moved, what);
}

void expect_forwarded(const struct edge *edge, const struct frame *frame, uint32_t backend,
		      const char *what)
{
	expect_left(edge, frame, backend, XDP_TX, what);
}

void expect_redirected(const struct edge *edge, const struct frame *frame, uint32_t backend,
		       const char *what)
{
	expect_left(edge, frame, backend, XDP_REDIRECT, what);
}

/* Verdicts that fall before the transport header was read count no connection. */
static bool is_transport_known(uint32_t verdict)
{
	return verdict != STEER_VERDICT_NOT_IP && verdict != STEER_VERDICT_NOT_OURS &&
	       verdict != STEER_VERDICT_MALFORMED && verdict != STEER_VERDICT_FRAGMENT &&
	       verdict != STEER_VERDICT_EXTENSIONS && verdict != STEER_VERDICT_NO_GENERATION;
}

void expect_untouched(const struct edge *edge, const struct frame *frame, uint32_t verdict,
		      const char *what)
{
	struct counter moved = {1, frame->size,
				frame->is_connection && is_transport_known(verdict)};
	struct counts before, after;
	struct sent sent;

	edge_counts(edge, &before);
	edge_send(edge, frame->bytes, frame->size, &sent);
	edge_counts(edge, &after);
	check_counts(&before, &after, verdict, 0, &moved, what);
	check_action(&sent, action_of(verdict), what);
	check_bytes(&sent, frame->bytes, frame->size, what);
}

void expect_packet_untouched(const struct edge *edge, const struct packet *packet, uint32_t verdict,
			     const char *what)
{
	struct frame frame;

	packet_build(packet, &frame);
	expect_untouched(edge, &frame, verdict, what);
}

void expect_packet_forwarded(const struct edge *edge, const struct packet *packet, uint32_t backend,
			     const char *what)
{
	struct frame frame;

	packet_build(packet, &frame);
	expect_forwarded(edge, &frame, backend, what);
}

/* Find the one counter that moved. Returns its verdict, and the backend of FORWARDED. */
static uint32_t find_moved(const struct counts *before, const struct counts *after, size_t size,
			   const char *what)
{
	uint32_t verdict = STEER_VERDICT_COUNT, moved = 0;

	for (uint32_t i = 0; i < STEER_VERDICT_COUNT + EDGE_BACKENDS; i++) {
		bool is_backend = i >= STEER_VERDICT_COUNT;
		uint32_t id = i - STEER_VERDICT_COUNT;
		const struct counter *was = is_backend ? &before->backend[id] : &before->verdict[i];
		const struct counter *is = is_backend ? &after->backend[id] : &after->verdict[i];

		if (is->packets == was->packets && is->bytes == was->bytes)
			continue;
		moved++;
		verdict = is_backend ? STEER_VERDICT_FORWARDED : i;
		if (is->packets != was->packets + 1 || is->bytes != was->bytes + size)
			fail_msg("%s: a counter moved by %lu packets and %lu bytes", what,
				 is->packets - was->packets, is->bytes - was->bytes);
	}
	if (moved != 1)
		fail_msg("%s: %u counters moved", what, moved);
	return verdict;
}

/*
 * A forwarded frame differs by its MAC addresses and one hop; a header checksum that was right is
 * right, one that was wrong is wrong by as much as before.
 */
static void check_forwarding(const struct frame *frame, const struct sent *sent, const char *what)
{
	struct frame left = *frame, want = *frame;
	const struct iphdr *was = (const void *)(frame->bytes + frame->network);
	struct iphdr *ip = (void *)(want.bytes + want.network);

	memcpy(left.bytes, sent->bytes, sent->size);
	frame_forward(&want, left.bytes, left.bytes + ETH_ALEN);
	if (!frame->is_ipv6) {
		ip->check = ((const struct iphdr *)(left.bytes + left.network))->check;
		if (was->ihl >= 5 &&
		    frame_header_sum(&left) % SUM_ZERO != frame_header_sum(frame) % SUM_ZERO)
			fail_msg("%s: the header's sum was %04x and became %04x", what,
				 frame_header_sum(frame), frame_header_sum(&left));
	}
	check_bytes(sent, want.bytes, want.size, what);
}

/* Where a frame of any content has its IP header, and which: as the program sees it. */
static void locate(struct frame *frame)
{
	uint16_t type;

	frame->network = 2 * ETH_ALEN;
	for (int i = 0; i < 3; i++) {
		type = (uint16_t)(frame->bytes[frame->network] << 8 |
				  frame->bytes[frame->network + 1]);
		frame->network += 2;
		if (type != ETH_P_8021Q && type != ETH_P_8021AD)
			break;
		frame->network += 2;
	}
	frame->is_ipv6 = type == ETH_P_IPV6;
}

uint32_t expect_one_verdict(const struct edge *edge, const struct frame *frame,
			    struct counts *before, const char *what)
{
	struct frame in = *frame;
	struct counts after;
	struct sent sent;
	uint32_t verdict;

	edge_send(edge, in.bytes, in.size, &sent);
	edge_counts(edge, &after);
	verdict = find_moved(before, &after, in.size, what);
	*before = after;
	check_action(&sent, action_of(verdict), what);
	if (verdict != STEER_VERDICT_FORWARDED) {
		check_bytes(&sent, in.bytes, in.size, what);
		return verdict;
	}
	locate(&in);
	if (sent.size != in.size)
		fail_msg("%s: %zu bytes left of %zu", what, sent.size, in.size);
	check_forwarding(&in, &sent, what);
	return verdict;
}
