/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Slots of one pool -> its backends: a weighted Maglev fill, then repair around backends that
 * are not eligible. Called by table.c for every pool that owns slots.
 *
 * The fill depends on names and weights only, never on states or the order in the file, and the
 * repair of a slot only on the owners it meets: so a state that changes moves no other slot.
 * Source of the fill: Eisenbud et al., "Maglev", NSDI 2016, section 3.4.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/siphash.h"
#include "core/table.h"

#define NO_BACKEND 0xffff

/* Hops before a slot takes the next eligible neighbour; enough unless 90% of a pool is down. */
#define CHAIN_HOPS 64

/* Fixed: every host must fill alike. Public, so nothing here may rest on its secrecy. */
static const uint64_t fill_key[2] = {0x7374656572207461ULL, 0x626c652066696c6cULL};
static const __u64 chain_key[2] = {0x7374656572207265ULL, 0x7061697220636861ULL};

struct turn {
	const struct backend *backend;
	uint64_t weight;
	uint64_t taken;
	uint64_t quota;
	uint64_t remainder; /* of the quota's division */
	uint32_t order;	    /* by name */
	uint16_t index;	    /* into pool->backends */
	uint16_t position;  /* next slot of its permutation */
	uint16_t skip;	    /* odd, so that the permutation visits every slot */
};

static bool is_eligible(const struct backend *backend)
{
	return backend->state == BACKEND_READY && backend->weight > 0;
}

bool pool_has_eligible(const struct pool *pool)
{
	for (size_t i = 0; i < pool->n_backends; i++) {
		if (is_eligible(&pool->backends[i]))
			return true;
	}
	return false;
}

static int compare_names(const void *left, const void *right)
{
	const struct turn *a = left, *b = right;

	return strcmp(a->backend->name, b->backend->name);
}

static int compare_remainders(const void *left, const void *right)
{
	const struct turn *a = left, *b = right;

	if (a->remainder != b->remainder)
		return a->remainder > b->remainder ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* Does @a take its next slot before @b? The smaller (taken + 1) / weight does. */
static bool is_before(const struct turn *a, const struct turn *b)
{
	uint64_t left = (a->taken + 1) * b->weight;
	uint64_t right = (b->taken + 1) * a->weight;

	return left != right ? left < right : a->order < b->order;
}

static void sink(struct turn *heap[], size_t n, size_t at)
{
	struct turn *moved = heap[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= n)
			break;
		if (child + 1 < n && is_before(heap[child + 1], heap[child]))
			child++;
		if (!is_before(heap[child], moved))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = moved;
}

/* Every backend of weight, in order of names. Returns their number. */
static size_t begin_turns(const struct pool *pool, struct turn *turns)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct backend *backend = &pool->backends[i];
		uint64_t hash;

		if (!backend->weight)
			continue;
		hash = siphash13(fill_key, backend->name, strlen(backend->name));
		turns[n++] = (struct turn){
			.backend = backend,
			.weight = backend->weight,
			.index = (uint16_t)i,
			.position = (uint16_t)hash,
			.skip = (uint16_t)(hash >> 32) | 1,
		};
	}
	qsort(turns, n, sizeof(*turns), compare_names);
	for (size_t i = 0; i < n; i++)
		turns[i].order = (uint32_t)i;
	return n;
}

/* Quotas that sum to STEER_SLOTS by largest remainder; reorders @turns. */
static void set_quotas(struct turn *turns, size_t n)
{
	uint64_t weights = 0, given = 0;

	for (size_t i = 0; i < n; i++)
		weights += turns[i].weight;
	for (size_t i = 0; i < n; i++) {
		turns[i].quota = STEER_SLOTS * turns[i].weight / weights;
		turns[i].remainder = STEER_SLOTS * turns[i].weight % weights;
		given += turns[i].quota;
	}
	qsort(turns, n, sizeof(*turns), compare_remainders);
	for (size_t i = 0; given < STEER_SLOTS; i++, given++)
		turns[i].quota++;
}

static int fill(const struct pool *pool, uint16_t index[static STEER_SLOTS])
{
	size_t size = pool->n_backends ? pool->n_backends : 1, n, n_heap = 0;
	auto_free struct turn *turns = calloc(size, sizeof(*turns));
	auto_free struct turn **heap = calloc(size, sizeof(struct turn *));

	if (!turns || !heap)
		return -ENOMEM;
	memset(index, 0xff, STEER_SLOTS * sizeof(*index));
	n = begin_turns(pool, turns);
	if (n)
		set_quotas(turns, n);
	for (size_t i = 0; i < n; i++) {
		if (turns[i].quota)
			heap[n_heap++] = &turns[i];
	}
	for (size_t i = n_heap / 2; i-- > 0;)
		sink(heap, n_heap, i);
	while (n_heap) {
		struct turn *turn = heap[0];

		while (index[turn->position] != NO_BACKEND)
			turn->position = (uint16_t)(turn->position + turn->skip);
		index[turn->position] = turn->index;
		if (++turn->taken == turn->quota)
			heap[0] = heap[--n_heap];
		if (n_heap)
			sink(heap, n_heap, 0);
	}
	return 0;
}

/* Whom a slot meets when its chain ends: the owner of the next slot that has an eligible one. */
static void fill_neighbours(const uint16_t full[], const bool eligible[], uint16_t last_resort,
			    uint16_t ret_next[static STEER_SLOTS])
{
	uint16_t owner = last_resort;

	/* Twice around, so that the scan wraps from the last slot to the first. */
	for (uint32_t i = 2 * STEER_SLOTS; i-- > 0;) {
		uint32_t slot = i & (STEER_SLOTS - 1);

		if (eligible[full[slot]])
			owner = full[slot];
		ret_next[slot] = owner;
	}
}

static uint16_t repair_slot(uint32_t slot, const uint16_t full[], const bool eligible[],
			    const uint16_t next[])
{
	uint32_t met = slot;

	for (uint32_t hop = 1; hop <= CHAIN_HOPS; hop++) {
		struct steer_sip sip;

		if (eligible[full[met]])
			return full[met];
		steer_sip_begin(&sip, chain_key);
		steer_sip_block(&sip, (__u64)hop << 32 | slot);
		steer_sip_block(&sip, 8ULL << 56);
		met = (uint32_t)steer_sip_end(&sip) & (STEER_SLOTS - 1);
	}
	return next[met];
}

/* First eligible backend by name, for one whose weight is too small to own a slot. */
static uint16_t find_last_resort(const struct pool *pool)
{
	uint16_t found = NO_BACKEND;

	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct backend *backend = &pool->backends[i];

		if (is_eligible(backend) &&
		    (found == NO_BACKEND || strcmp(backend->name, pool->backends[found].name) < 0))
			found = (uint16_t)i;
	}
	return found;
}

int pool_table(const struct pool *pool, uint16_t ret_index[static STEER_SLOTS])
{
	auto_free uint16_t *full = calloc(2 * STEER_SLOTS, sizeof(*full));
	auto_free bool *eligible = calloc(pool->n_backends + 1, sizeof(*eligible));
	size_t n_down = 0;
	uint16_t *next;
	int error;

	if (!full || !eligible)
		return -ENOMEM;
	if (!pool_has_eligible(pool)) {
		memset(ret_index, 0xff, STEER_SLOTS * sizeof(*ret_index));
		return 0;
	}
	error = fill(pool, full);
	if (error)
		return error;
	for (size_t i = 0; i < pool->n_backends; i++) {
		eligible[i] = is_eligible(&pool->backends[i]);
		n_down += pool->backends[i].weight && !eligible[i];
	}
	if (!n_down) {
		memcpy(ret_index, full, STEER_SLOTS * sizeof(*ret_index));
		return 0;
	}
	next = full + STEER_SLOTS;
	fill_neighbours(full, eligible, find_last_resort(pool), next);
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
		ret_index[slot] = repair_slot(slot, full, eligible, next);
	return 0;
}
