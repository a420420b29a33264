/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every map of the data plane. Outer maps are indexed by object number; their inner maps are
 * arrays of one wide value, so that a look-up is inlined to an address computation.
 * User space never writes an object that a bank in use refers to (abi.h).
 */
#ifndef STEER_BPF_MAPS_H
#define STEER_BPF_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "steer/abi.h"

const volatile struct steer_facts facts;

/* A section of its own: reached by address, without a look-up; mmapable, pinned by itself. */
struct steer_control control SEC(".data.control");

#define STEER_OBJECT_MAP(kind, count)                                                              \
	struct kind##_object {                                                                     \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(max_entries, 1);                                                            \
		__uint(key_size, sizeof(__u32));                                                   \
		__uint(value_size, sizeof(struct steer_##kind));                                   \
		__uint(map_flags, BPF_F_MMAPABLE | BPF_F_RDONLY_PROG);                             \
	};                                                                                         \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                                          \
		__uint(max_entries, count);                                                        \
		__type(key, __u32);                                                                \
		__array(values, struct kind##_object);                                             \
	} kind##_objects SEC(".maps")

STEER_OBJECT_MAP(frontends, STEER_FRONTEND_OBJECTS);
STEER_OBJECT_MAP(table, STEER_TABLE_OBJECTS);
STEER_OBJECT_MAP(page, STEER_PAGE_OBJECTS);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STEER_VERDICT_COUNT);
	__type(key, __u32);
	__type(value, struct steer_counter);
} verdict_counters SEC(".maps");

/* Counters of a page of backend ids, created with the first record of that page. */
struct backend_counters_page {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STEER_PAGE_RECORDS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct steer_counter));
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, STEER_PAGES);
	__type(key, __u32);
	__array(values, struct backend_counters_page);
} backend_counters SEC(".maps");

/* Flow records; the loader sets the number of buckets, see steer_facts. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct steer_bucket);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct steer_flow_counters);
} flow_counters SEC(".maps");

struct timer_cell {
	struct bpf_timer timer;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timer_cell);
} timers SEC(".maps");

/* Number of the page that holds a backend id. */
static __always_inline __u32 page_of(__u32 backend)
{
	return backend / STEER_PAGE_RECORDS % STEER_PAGES;
}

/*
 * Value of the object that *@number names in an outer map, or NULL. @number points into the
 * object that refers to it: a key in map memory spares the trip over the stack, which costs
 * more than the look-up.
 */
static __always_inline const void *object(void *outer, const __u32 *number)
{
	__u32 first = 0;
	void *inner = bpf_map_lookup_elem(outer, number);

	return inner ? bpf_map_lookup_elem(inner, &first) : NULL;
}

#endif
