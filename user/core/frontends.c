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

/* A distinct address, or a port of one. */
struct key {
	const struct frontend *frontend;
	uint32_t address; /* cell of the address; of a port only */
	__u64 mixed_address;
};

struct placed {
	__u64 mixed;
	uint32_t bucket;
	uint32_t size; /* keys in its bucket */
	uint16_t key;
};

struct hasher {
	__u64 (*mix)(const __u64 seed[static 2], const struct key *key);
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

/* The address as the packet path has it in registers. */
struct words {
	__be64 half[2];
	__be32 ipv4;
};

static struct words address_words(const struct address *address)
{
	struct words words;

	memcpy(words.half, address->bytes, sizeof(words.half));
	memcpy(&words.ipv4, address->bytes + 12, sizeof(words.ipv4));
	return words;
}

static __u64 mix_address(const __u64 seed[static 2], const struct address *address)
{
	struct words words = address_words(address);

	return address_is_ipv4(address) ? steer_mix4(seed, words.ipv4)
					: steer_mix6(seed, words.half[0], words.half[1]);
}

static __u64 mix_address_key(const __u64 seed[static 2], const struct key *key)
{
	return mix_address(seed, &key->frontend->address);
}

static __u32 port_of(const struct frontend *frontend)
{
	return steer_port(frontend->protocol, htons(frontend->port));
}

static __u64 mix_port_key(const __u64 seed[static 2], const struct key *key)
{
	return steer_mix_port(seed[0], key->mixed_address, port_of(key->frontend));
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

static bool try_seed(struct hasher *hasher, const __u64 seed[static 2], __u16 ret_displace[])
{
	uint32_t size[STEER_BUCKETS] = {0};
	uint32_t first, n;

	memset(hasher->is_used, 0, sizeof(hasher->is_used));
	memset(ret_displace, 0, STEER_BUCKETS * sizeof(*ret_displace));
	for (uint32_t i = 0; i < hasher->n; i++) {
		struct placed *placed = &hasher->placed[i];

		placed->mixed = hasher->mix(seed, &hasher->key[i]);
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

static int place_keys(struct hasher *hasher, __u64 ret_seed[static 2], __u16 ret_displace[],
		      struct diag *why)
{
	for (uint64_t i = 1; i <= SEEDS_MAX; i++) {
		/* Weyl sequence of the golden ratio, so that seeds differ in all bits */
		const __u64 seed[2] = {(2 * i) * 0x9e3779b97f4a7c15ULL | 1,
				       (2 * i + 1) * 0x9e3779b97f4a7c15ULL | 1};

		if (try_seed(hasher, seed, ret_displace)) {
			memcpy(ret_seed, seed, sizeof(seed));
			return 0;
		}
	}
	return diag_fail(why, -EAGAIN, "no seed places the %u frontend keys without collision",
			 hasher->n);
}

static uint32_t frontends_cell(const struct steer_frontends *frontends, __u64 mixed)
{
	return steer_cell(mixed, frontends->address_displace[steer_bucket(mixed)]);
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

/*
 * What a cell holds where it holds no address of that family: one that belongs in another cell,
 * so that no packet finds it here.
 */
static void fill_elsewhere(struct steer_frontends *frontends)
{
	for (uint32_t cell = 0; cell < STEER_CELLS; cell++) {
		struct steer_address *address = &frontends->address[cell];

		*address = (struct steer_address){.any_tcp = STEER_NO_SERVICE,
						  .any_udp = STEER_NO_SERVICE};
		while (frontends_cell(frontends,
				      steer_mix4(frontends->address_seed, address->ipv4)) == cell)
			address->ipv4++;
		while (frontends_cell(frontends, steer_mix6(frontends->address_seed, 0,
							    address->ipv6[1])) == cell)
			address->ipv6[1]++;
	}
}

static void fill_address(struct steer_address *cell, const struct entry *entry)
{
	struct words words = address_words(&entry->frontend->address);

	if (address_is_ipv4(&entry->frontend->address))
		cell->ipv4 = words.ipv4;
	else
		memcpy(cell->ipv6, words.half, sizeof(cell->ipv6));
	if (entry->frontend->port)
		return;
	if (entry->frontend->protocol == IPPROTO_TCP)
		cell->any_tcp = (__u16)entry->service;
	else
		cell->any_udp = (__u16)entry->service;
}

static int place_addresses(struct hasher *hasher, struct entry *entries, uint32_t n,
			   struct steer_frontends *frontends, struct diag *why)
{
	int error;

	hasher->n = n ? entries[n - 1].address + 1 : 0;
	hasher->mix = mix_address_key;
	for (uint32_t i = 0; i < n; i++)
		hasher->key[entries[i].address].frontend = entries[i].frontend;
	error = place_keys(hasher, frontends->address_seed, frontends->address_displace, why);
	if (error)
		return error;
	fill_elsewhere(frontends);
	for (uint32_t i = 0; i < n; i++) {
		entries[i].address = hasher->cell[entries[i].address];
		fill_address(&frontends->address[entries[i].address], &entries[i]);
	}
	return 0;
}

static int place_ports(struct hasher *hasher, const struct entry *entries, uint32_t n,
		       struct steer_frontends *frontends, struct diag *why)
{
	__u64 seed[2];
	uint32_t k = 0;
	int error;

	for (uint32_t i = 0; i < n; i++) {
		const struct frontend *frontend = entries[i].frontend;

		if (frontend->port)
			hasher->key[k++] = (struct key){
				frontend, entries[i].address,
				mix_address(frontends->address_seed, &frontend->address)};
	}
	hasher->n = k;
	hasher->mix = mix_port_key;
	error = place_keys(hasher, seed, frontends->port_displace, why);
	if (error)
		return error;
	frontends->port_seed = seed[0];
	k = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct frontend *frontend = entries[i].frontend;

		if (frontend->port)
			frontends->port[hasher->cell[k++]] = STEER_PORT_CELL(
				steer_port_key(entries[i].address, port_of(frontend)),
				entries[i].service);
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
	struct words words = address_words(address);
	__u64 mixed = mix_address(frontends->address_seed, address);
	uint32_t cell = frontends_cell(frontends, mixed);
	const struct steer_address *found = &frontends->address[cell];
	__u64 key = steer_port_key(cell, steer_port(protocol, htons(port)));
	__u64 exact;

	if (address_is_ipv4(address) ? found->ipv4 != words.ipv4
				     : memcmp(found->ipv6, words.half, sizeof(found->ipv6)) != 0)
		return STEER_NO_SERVICE;
	mixed = steer_mix_port(frontends->port_seed, mixed, steer_port(protocol, htons(port)));
	exact = frontends->port[steer_cell(mixed, frontends->port_displace[steer_bucket(mixed)])];
	if (STEER_PORT_KEY(exact) == key)
		return STEER_PORT_SERVICE(exact);
	return protocol == IPPROTO_TCP ? found->any_tcp : found->any_udp;
}
