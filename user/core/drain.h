/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When is a backend empty? Looks at one backend, a few each second, added up to what an operator
 * is told. Pure.
 *
 * Empty is what nothing leads to: no slot of now, no slot of an origin, no record. Flows without
 * a record are not known one by one; all that is seen of them is that the backend's packet
 * counter grows, which recorded flows do as well: an estimate, and called one.
 */
#ifndef STEER_CORE_DRAIN_H
#define STEER_CORE_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRAIN_LOOKS	64
#define DRAIN_RECENT_MS 5000 /* what "recently" means */

struct drain_look {
	uint64_t at_ms;	       /* any steady clock */
	uint32_t slots_now;    /* slots whose new connections it gets */
	uint32_t slots_origin; /* touched slots whose unrecorded flows it gets */
	uint32_t recorded;
	uint64_t packets; /* counter */
	uint64_t left_ms; /* until its service is settled; UINT64_MAX = no deadline */
};

/* All zero: nothing was looked at yet. */
struct drain_watch {
	size_t n_looks; /* ever; the last DRAIN_LOOKS are kept */
	struct drain_look looks[DRAIN_LOOKS];
	struct drain_look first;
	uint64_t packet_at_ms; /* the look that saw the counter grow last */
	bool has_packet;
};

void drain_add(struct drain_watch *watch, const struct drain_look *look);
const struct drain_look *drain_last(const struct drain_watch *watch);

/* Packets within the last DRAIN_RECENT_MS, and of how many milliseconds they are. */
uint64_t drain_recent(const struct drain_watch *watch, uint64_t *ret_ms);

/* How long no packet was seen, at least: since the first look if there was none. */
uint64_t drain_silent_ms(const struct drain_watch *watch);

enum drain_state {
	DRAIN_OPEN,  /* new connections still go there */
	DRAIN_BOUND, /* open connections may */
	DRAIN_IDLE,  /* they may, but nothing came for as long as was asked */
	DRAIN_EMPTY,
};

/* @idle_ms  silence that is taken for the end of all connections; 0 = none is */
enum drain_state drain_judge(const struct drain_watch *watch, uint64_t idle_ms);

/*
 * How far it is, 0 to 100: of the time to the deadline; where there is none, or only records
 * remain, of the records there were at most.
 */
unsigned int drain_percent(const struct drain_watch *watch);

#endif
