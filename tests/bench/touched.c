// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bench/touched.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "base/diag.h"
#include "core/flows.h"
#include "core/policy.h"
#include "core/steerer.h"

/* Packets in 7 slots of 65,536, and births without room in a table half full: less than this. */
#define FEW_OF(packets) ((packets) / 1000)

/* Settled: nothing is touched by it. */
static void cut_to(const struct edge *edge, enum transition transition)
{
	struct steerer *steerer = edge_open(edge, STEERER_WRITE);
	const struct share_request canary = {"canary", STEER_SLOTS / 20};
	const uint64_t *key = steerer_hash_key(steerer);
	struct policy next = {0};
	struct diag why = {0};
	uint64_t revision = steerer_policy(steerer)->revision;
	bool changed;
	int error = policy_copy(steerer_policy(steerer), &next);

	if (!error && transition == TRANSITION_ALL)
		error = service_switch(&next.services[0], "green", revision, key, &changed, &why);
	else if (!error)
		error = service_set(&next.services[0], &canary, 1, revision, key, &changed, &why);
	if (error)
		bench_fail("no way to the first shares: %s", why.text);
	edge_commit(steerer, &next);
	policy_free(&next);
	steerer_close(steerer);
}

void touched_begin(const struct edge *edge, enum transition transition)
{
	static const char *const few[] = {"set", "canary", "5.01%", NULL};
	static const char *const all[] = {"switch", "blue", NULL};

	cut_to(edge, transition);
	if (transition == TRANSITION_FEW)
		run_steerctl(edge, few);
	else if (transition == TRANSITION_ALL)
		run_steerctl(edge, all);
}

void touched_up(const struct edge *edge, struct touched *ret_touched)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	struct diag why = {0};
	char path[192];

	edge_pins(edge, path);
	if (dataplane_open(path, true, &ret_touched->dp, &why) < 0)
		bench_fail("%s", why.text);
	if (bpf_obj_get_info_by_fd(ret_touched->dp.flows_fd, &info, &size) < 0)
		bench_fail("cannot inspect the flow table: %s", strerror(errno));
	ret_touched->buckets = info.max_entries;
	ret_touched->is_tight = false;
	ret_touched->bucket = mmap(NULL, (size_t)info.max_entries * sizeof(struct steer_bucket),
				   PROT_READ | PROT_WRITE, MAP_SHARED, ret_touched->dp.flows_fd, 0);
	if (ret_touched->bucket == MAP_FAILED)
		bench_fail("cannot map the flow table: %s", strerror(errno));
	ret_touched->dp.control->births = UINT32_MAX;
}

void touched_down(struct touched *touched)
{
	(void)munmap(touched->bucket, (size_t)touched->buckets * sizeof(*touched->bucket));
	dataplane_close(&touched->dp);
}

void touched_clear(struct touched *touched)
{
	memset(touched->bucket, 0, (size_t)touched->buckets * sizeof(*touched->bucket));
}

void touched_fill(struct touched *touched, uint32_t ages)
{
	uint32_t heard = touched->dp.control->age - ages;
	uint64_t tag = 1;

	for (uint32_t b = 0; b < touched->buckets; b++)
		for (int i = 0; i < STEER_BUCKET_FLOWS; i++)
			touched->bucket[b].flow[i] =
				STEER_FLOW(tag++, 1, STEER_FLOW_CONFIRMED, heard);
}

/* Every client opens a connection, and sends one packet more. */
static void open_flows(struct touched *touched, const struct rig *rig, const struct run *run)
{
	struct bench_case birth = *run->c;
	struct run syn = {.c = &birth};
	struct steer_flow_counters before;

	birth.flow = FLOW_BIRTH;
	birth.is_syn = true;
	frame_build(&birth, &syn.frame);
	touched_count(touched, &before);
	(void)rig_time(rig, &syn, rig->to_steer->progs.driver, birth.clients, XDP_TX);
	touched_check(touched, &birth, &before, birth.clients);
	(void)rig_time(rig, run, rig->to_steer->progs.driver, birth.clients, XDP_TX);
}

void touched_prepare(struct touched *touched, const struct rig *rig, const struct run *run)
{
	if (run->c->flow == FLOW_NONE)
		return;
	touched_clear(touched);
	touched->is_tight = run->c->flow == FLOW_RECORDED &&
			    run->c->clients > touched->buckets * STEER_BUCKET_FLOWS / 8;
	if (run->c->flow == FLOW_RECORDED)
		open_flows(touched, rig, run);
	else if (run->c->flow == FLOW_FULL)
		touched_fill(touched, 0);
}

void touched_count(const struct touched *touched, struct steer_flow_counters *ret_counters)
{
	int error = flows_counters(&touched->dp, ret_counters);

	if (error)
		bench_fail("cannot read the flow counters: %s", strerror(-error));
}

void touched_check(const struct touched *touched, const struct bench_case *c,
		   const struct steer_flow_counters *before, uint64_t packets)
{
	struct steer_flow_counters now;
	uint64_t right, all, few = 0;

	touched_count(touched, &now);
	const uint64_t by_role[] = {
		[FLOW_RECORDED] = now.hits - before->hits,
		[FLOW_BIRTH] = now.births - before->births,
		[FLOW_UNRECORDED] = now.origin - before->origin,
		[FLOW_FULL] = now.full - before->full,
	};
	right = by_role[c->flow];
	all = now.over_budget - before->over_budget;
	for (int role = FLOW_NONE; role <= FLOW_FULL; role++)
		all += by_role[role];
	if (c->flow == FLOW_NONE || touched->is_tight)
		few = FEW_OF(packets);
	if (c->flow == FLOW_NONE ? all > few : right + few < packets || all != packets)
		bench_fail("%s: of %llu packets %llu met the flow table, %llu of them as they "
			   "should",
			   c->name, (unsigned long long)packets, (unsigned long long)all,
			   (unsigned long long)right);
}
