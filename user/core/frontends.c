/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frontends -> two hash-and-displace tables, and the look-up that bpf/frontend.bpf.h does.
 *
 * First every distinct address gets a cell, then every (cell, protocol, port). Buckets are placed
 * largest first; a seed under which two keys of a bucket coincide is given up for the next.
 * Source: see steer_cell() in steer/hash.h.
 */
#include "core/frontends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/own.h"
#include "steer/hash.h"

/* A full table succeeds with about every third seed. */
#define SEEDS_MAX 256

struct key {
	__u64 high, low;
};

struct placed {
	__u64 mixed;
	uint32_t bucket;
	uint32_t size; /* keys in its bucket */
	uint16_t key;
};

struct hasher {
	struct key key[STEER_CELLS];
	uint16_t cell[STEER_CELLS]; /* of each key, the result */
	uint32_t n;
	struct placed placed[STEER_CELLS];
	bool is_used[STEER_CELLS];
};

/* One entry of the configuration, sorted to find equal addresses. */
struct entry {
	const struct frontend *frontend;
	uint32_t service;
	uint32_t address; /* number of its distinct address */
};

static struct key address_key(const struct address *address)
{
	struct key key;

	memcpy(&key.high, address->bytes, 8);
	memcpy(&key.low, address->bytes + 8, 8);
	return key;
}

static int compare_placed(const void *left, const void *right)
{
	const struct placed *a = left, *b = right;

	if (a->size != b->size)
		return a->size > b->size ? -1 : 1;
	if (a->bucket != b->bucket)
		return a->bucket < b->bucket ? -1 : 1;
	return a->key < b->key ? -1 : a->key > b->key;
}

/* Place one bucket of @n keys. Returns its displacement or -1. */
static int place_bucket(struct hasher *hasher, const struct placed *placed, uint32_t n)
{
	for (uint32_t displace = 0; displace < STEER_CELLS; displace++) {
		uint32_t i;

		for (i = 0; i < n; i++) {
			uint32_t cell = steer_cell(placed[i].mixed, (__u16)displace);

			if (hasher->is_used[cell])
				break;
			hasher->is_used[cell] = true;
			hasher->cell[placed[i].key] = (uint16_t)cell;
		}
		if (i == n)
			return (int)displace;
		while (i-- > 0)
			hasher->is_used[hasher->cell[placed[i].key]] = false;
	}
	return -1;
}

static bool try_seed(struct hasher *hasher, uint64_t seed, __u16 ret_displace[])
{
	uint32_t size[STEER_BUCKETS] = {0};
	uint32_t first, n;

	memset(hasher->is_used, 0, sizeof(hasher->is_used));
	memset(ret_displace, 0, STEER_BUCKETS * sizeof(*ret_displace));
	for (uint32_t i = 0; i < hasher->n; i++) {
		struct placed *placed = &hasher->placed[i];

		placed->mixed = steer_mix(seed, hasher->key[i].high, hasher->key[i].low);
		placed->bucket = steer_bucket(placed->mixed);
		placed->key = (uint16_t)i;
		size[placed->bucket]++;
	}
	for (uint32_t i = 0; i < hasher->n; i++)
		hasher->placed[i].size = size[hasher->placed[i].bucket];
	qsort(hasher->placed, hasher->n, sizeof(*hasher->placed), compare_placed);
	for (first = 0; first < hasher->n; first += n) {
		const struct placed *bucket = &hasher->placed[first];
		int displace;

		n = bucket->size;
		displace = place_bucket(hasher, bucket, n);
		if (displace < 0)
			return false;
		ret_displace[bucket->bucket] = (__u16)displace;
	}
	return true;
}

static int place_keys(struct hasher *hasher, __u64 *ret_seed, __u16 ret_displace[],
		      struct diag *why)
{
	for (uint64_t i = 1; i <= SEEDS_MAX; i++) {
		/* Weyl sequence of the golden ratio, so that seeds differ in all bits */
		uint64_t seed = i * 0x9e3779b97f4a7c15ULL;

		if (try_seed(hasher, seed, ret_displace)) {
			*ret_seed = seed;
			return 0;
		}
	}
	return diag_fail(why, -EAGAIN, "no seed places the %u frontend keys without collision",
			 hasher->n);
}

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = memcmp(a->frontend->address.bytes, b->frontend->address.bytes, 16);

	if (order)
		return order;
	if (a->frontend->protocol != b->frontend->protocol)
		return a->frontend->protocol < b->frontend->protocol ? -1 : 1;
	if (a->frontend->port != b->frontend->port)
		return a->frontend->port < b->frontend->port ? -1 : 1;
	return a->service < b->service ? -1 : a->service > b->service;
}

static bool is_same_frontend(const struct frontend *a, const struct frontend *b)
{
	return !memcmp(&a->address, &b->address, sizeof(a->address)) &&
	       a->protocol == b->protocol && a->port == b->port;
}

static int fail_twice(const struct policy *policy, const struct entry *a, const struct entry *b,
		      struct diag *why)
{
	char text[ADDRESS_TEXT];

	return diag_fail(why, -EEXIST,
			 "frontend %s port %u %s belongs to service '%s' and to service '%s'",
			 address_format(&a->frontend->address, text), a->frontend->port,
			 a->frontend->protocol == IPPROTO_TCP ? "tcp" : "udp",
			 policy->services[a->service].name, policy->services[b->service].name);
}

/* Sort, drop what a service names twice, number the addresses. Returns how many are left. */
static int collect(const struct policy *policy, struct entry *entries, uint32_t *ret_n,
		   struct diag *why)
{
	uint32_t n = 0, kept = 0;

	for (uint32_t s = 0; s < policy->n_services; s++) {
		const struct service *service = &policy->services[s];

		for (size_t f = 0; f < service->n_frontends; f++)
			entries[n++] = (struct entry){&service->frontends[f], s, 0};
	}
	qsort(entries, n, sizeof(*entries), compare_entries);
	for (uint32_t i = 0; i < n; i++) {
		struct entry *last = kept ? &entries[kept - 1] : NULL;
		struct entry entry = entries[i];

		if (last && is_same_frontend(last->frontend, entry.frontend)) {
			if (last->service != entry.service)
				return fail_twice(policy, last, &entry, why);
			continue;
		}
		if (last)
			entry.address = last->address + !!memcmp(&last->frontend->address,
								 &entry.frontend->address,
								 sizeof(struct address));
		entries[kept++] = entry;
	}
	*ret_n = kept;
	return 0;
}

static int place_addresses(struct hasher *hasher, struct entry *entries, uint32_t n,
			   struct steer_frontends *frontends, struct diag *why)
{
	int error;

	hasher->n = n ? entries[n - 1].address + 1 : 0;
	for (uint32_t i = 0; i < n; i++)
		hasher->key[entries[i].address] = address_key(&entries[i].frontend->address);
	error = place_keys(hasher, &frontends->address_seed, frontends->address_displace, why);
	if (error)
		return error;
	for (uint32_t i = 0; i < n; i++) {
		struct steer_address *address;

		entries[i].address = hasher->cell[entries[i].address];
		address = &frontends->address[entries[i].address];
		if (!address->used) {
			memcpy(address->addr, entries[i].frontend->address.bytes, 16);
			address->used = 1;
			address->any_tcp = address->any_udp = STEER_NO_SERVICE;
		}
		if (entries[i].frontend->port)
			continue;
		if (entries[i].frontend->protocol == IPPROTO_TCP)
			address->any_tcp = (__u16)entries[i].service;
		else
			address->any_udp = (__u16)entries[i].service;
	}
	return 0;
}

static int place_ports(struct hasher *hasher, const struct entry *entries, uint32_t n,
		       struct steer_frontends *frontends, struct diag *why)
{
	uint32_t k = 0;
	int error;

	for (uint32_t i = 0; i < n; i++) {
		const struct frontend *frontend = entries[i].frontend;

		if (frontend->port)
			hasher->key[k++] = (struct key){
				0,
				steer_port_key(entries[i].address, frontend->protocol,
					       htons(frontend->port)),
			};
	}
	hasher->n = k;
	error = place_keys(hasher, &frontends->port_seed, frontends->port_displace, why);
	if (error)
		return error;
	k = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct frontend *frontend = entries[i].frontend;

		if (frontend->port)
			frontends->port[hasher->cell[k++]] = (struct steer_port){
				.address = (__u16)entries[i].address,
				.port = htons(frontend->port),
				.protocol = frontend->protocol,
				.service = (__u16)entries[i].service,
			};
	}
	return 0;
}

int frontends_build(const struct policy *policy, struct steer_frontends *ret_frontends,
		    struct diag *why)
{
	auto_free struct hasher *hasher = calloc(1, sizeof(*hasher));
	auto_free struct entry *entries = NULL;
	size_t total = 0;
	uint32_t n = 0;
	int error;

	for (size_t s = 0; s < policy->n_services; s++)
		total += policy->services[s].n_frontends;
	if (total > STEER_FRONTENDS)
		return diag_fail(why, -E2BIG, "%zu frontends are more than the limit of %d", total,
				 STEER_FRONTENDS);
	entries = calloc(total + 1, sizeof(*entries));
	if (!hasher || !entries)
		return diag_fail(why, -ENOMEM, "no memory for %zu frontends", total);
	memset(ret_frontends, 0, sizeof(*ret_frontends));
	error = collect(policy, entries, &n, why);
	if (!error)
		error = place_addresses(hasher, entries, n, ret_frontends, why);
	if (!error)
		error = place_ports(hasher, entries, n, ret_frontends, why);
	return error;
}

uint32_t frontends_find(const struct steer_frontends *frontends, const struct address *address,
			uint8_t protocol, uint16_t port)
{
	struct key key = address_key(address);
	__u64 mixed = steer_mix(frontends->address_seed, key.high, key.low);
	uint32_t cell = steer_cell(mixed, frontends->address_displace[steer_bucket(mixed)]);
	const struct steer_address *found = &frontends->address[cell];
	const struct steer_port *exact;
	__be16 wire_port = htons(port);

	if (found->addr[0] != key.high || found->addr[1] != key.low || !found->used)
		return STEER_NO_SERVICE;
	mixed = steer_mix(frontends->port_seed, 0, steer_port_key(cell, protocol, wire_port));
	exact = &frontends->port[steer_cell(mixed, frontends->port_displace[steer_bucket(mixed)])];
	if (exact->port == wire_port && exact->protocol == protocol && exact->address == cell)
		return exact->service;
	return protocol == IPPROTO_TCP ? found->any_tcp : found->any_udp;
}
