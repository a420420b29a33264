// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/flows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/diag.h"
#include "base/own.h"
#include "steer/flow.h"

struct mapped {
	struct steer_bucket *bucket;
	uint32_t buckets;
};

uint32_t flows_buckets(uint32_t flows)
{
	uint32_t buckets = 1;

	while (buckets * STEER_BUCKET_FLOWS < flows)
		buckets *= 2;
	return buckets;
}

uint32_t flows_births(uint32_t buckets)
{
	uint32_t cpus = (uint32_t)libbpf_num_possible_cpus();
	uint32_t births = buckets * STEER_BUCKET_FLOWS / 2 / STEER_BORN_EPOCHS / (cpus ? cpus : 1);

	return births ? births : 1;
}

static int map_flows(const struct dataplane *dp, int protection, struct mapped *ret_mapped,
		     struct diag *why)
{
	struct bpf_map_info info = {0};
	uint32_t bytes = sizeof(info);
	void *mapped;
	int error = bpf_obj_get_info_by_fd(dp->flows_fd, &info, &bytes);

	if (error)
		return diag_fail(why, error, "cannot inspect the flow table: %s", strerror(-error));
	mapped = mmap(NULL, (size_t)info.max_entries * sizeof(struct steer_bucket), protection,
		      MAP_SHARED, dp->flows_fd, 0);
	if (mapped == MAP_FAILED)
		return diag_fail(why, -ENOMEM, "cannot map the flow table: %m");
	ret_mapped->bucket = mapped;
	ret_mapped->buckets = info.max_entries;
	return 0;
}

static void unmap_flows(const struct mapped *mapped)
{
	(void)munmap(mapped->bucket, (size_t)mapped->buckets * sizeof(*mapped->bucket));
}

static bool is_live(const struct dataplane *dp, uint64_t flow)
{
	return flow && !steer_flow_is_over(flow, dp->control->epoch, dp->control->age);
}

int flows_count(const struct dataplane *dp, uint32_t *ret_records, struct diag *why)
{
	struct mapped mapped = {0};
	int error = map_flows(dp, PROT_READ, &mapped, why);

	if (error)
		return error;
	memset(ret_records, 0, STEER_BACKEND_IDS * sizeof(*ret_records));
	for (uint32_t b = 0; b < mapped.buckets; b++) {
		for (int i = 0; i < STEER_BUCKET_FLOWS; i++) {
			uint64_t flow = mapped.bucket[b].flow[i];

			if (is_live(dp, flow))
				ret_records[STEER_FLOW_BACKEND(flow) % STEER_BACKEND_IDS]++;
		}
	}
	unmap_flows(&mapped);
	return 0;
}

int flows_forget(struct dataplane *dp, uint32_t backend, struct diag *why)
{
	struct mapped mapped = {0};
	int error = map_flows(dp, PROT_READ | PROT_WRITE, &mapped, why);

	if (error)
		return error;
	for (uint32_t b = 0; b < mapped.buckets; b++) {
		for (int i = 0; i < STEER_BUCKET_FLOWS; i++) {
			__u64 *place = &mapped.bucket[b].flow[i];
			__u64 flow = __atomic_load_n(place, __ATOMIC_RELAXED);

			/* The packet path may touch it up meanwhile: then again. */
			while (flow && STEER_FLOW_BACKEND(flow) == backend &&
			       !__atomic_compare_exchange_n(place, &flow, 0, false,
							    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
				;
		}
	}
	unmap_flows(&mapped);
	return 0;
}

static uint64_t hash_of(const struct dataplane *dp, const struct flow_tuple *tuple, uint32_t era)
{
	__u64 tail = steer_flow_tail(htons(tuple->from_port), htons(tuple->to_port),
				     tuple->protocol, tuple->service);
	__be64 from[2], to[2];
	__be32 from4, to4;

	memcpy(from, tuple->from.bytes, sizeof(from));
	memcpy(to, tuple->to.bytes, sizeof(to));
	memcpy(&from4, tuple->from.bytes + 12, sizeof(from4));
	memcpy(&to4, tuple->to.bytes + 12, sizeof(to4));
	return address_is_ipv4(&tuple->from)
		       ? steer_flow4(dp->control->hash_key, era, from4, to4, tail)
		       : steer_flow6(dp->control->hash_key, era, from, to, tail);
}

int flows_find(const struct dataplane *dp, const struct flow_tuple *tuple, uint32_t era,
	       uint32_t *ret_backend, struct diag *why)
{
	uint64_t hash = hash_of(dp, tuple, era);
	struct mapped mapped = {0};
	int error = map_flows(dp, PROT_READ, &mapped, why);

	if (error)
		return error;
	*ret_backend = 0;
	for (uint32_t which = 0; which < 2; which++) {
		uint32_t number = steer_flow_bucket(hash, which, mapped.buckets);

		for (int i = 0; i < STEER_BUCKET_FLOWS && !*ret_backend; i++) {
			uint64_t flow = mapped.bucket[number].flow[i];

			if (flow && STEER_FLOW_TAG(flow) == steer_flow_tag(hash))
				*ret_backend = STEER_FLOW_BACKEND(flow);
		}
	}
	unmap_flows(&mapped);
	return 0;
}

int flows_counters(const struct dataplane *dp, struct steer_flow_counters *ret_counters)
{
	int cpus = libbpf_num_possible_cpus();
	auto_free struct steer_flow_counters *each = NULL;
	struct steer_flow_counters sum = {0};
	uint32_t first = 0;

	if (cpus < 1)
		return -EINVAL;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	if (bpf_map_lookup_elem(dp->flow_counters_fd, &first, each) < 0)
		return -errno;
	for (int cpu = 0; cpu < cpus; cpu++) {
		sum.births += each[cpu].births;
		sum.hits += each[cpu].hits;
		sum.origin += each[cpu].origin;
		sum.full += each[cpu].full;
		sum.over_budget += each[cpu].over_budget;
		sum.expired += each[cpu].expired;
	}
	*ret_counters = sum;
	return 0;
}
