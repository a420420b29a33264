// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Looking only: counters, digest, interfaces.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/own.h"
#include "base/siphash.h"
#include "core/links.h"
#include "core/steerer_private.h"
#include "core/table.h"

static int sum_counter(int fd, uint32_t index, struct counter *ret)
{
	int cpus = libbpf_num_possible_cpus();
	auto_free struct steer_counter *each = NULL;
	struct counter sum = {0};
	int error;

	if (cpus < 0)
		return cpus;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	error = bpf_map_lookup_elem(fd, &index, each);
	for (int cpu = 0; cpu < cpus && !error; cpu++) {
		sum.packets += each[cpu].packets;
		sum.bytes += each[cpu].bytes;
		sum.connections += each[cpu].connections;
	}
	if (!error)
		*ret = sum;
	return error;
}

int steerer_count_backend(const struct steerer *steerer, uint32_t id, struct counter *ret)
{
	char path[256];
	auto_close int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/counters/%u", steerer->dir, id / STEER_PAGE_RECORDS);
	fd = bpf_obj_get(path);
	return fd < 0 ? fd : sum_counter(fd, id % STEER_PAGE_RECORDS, ret);
}

/* Every id that was ever given out: FORWARDED keeps counting what removed backends got. */
static int sum_forwarded(const struct steerer *steerer, struct counter *ret)
{
	uint32_t last = steerer->policy.last_backend_id;
	struct counter sum = {0};

	for (uint32_t page = 0; page <= last / STEER_PAGE_RECORDS; page++) {
		char path[256];
		auto_close int fd = -1;

		(void)snprintf(path, sizeof(path), "%s/counters/%u", steerer->dir, page);
		fd = bpf_obj_get(path);
		for (uint32_t i = 0; fd >= 0 && i < STEER_PAGE_RECORDS; i++) {
			struct counter one = {0};

			if (sum_counter(fd, i, &one) < 0)
				continue;
			sum.packets += one.packets;
			sum.bytes += one.bytes;
			sum.connections += one.connections;
		}
	}
	*ret = sum;
	return 0;
}

int steerer_count_verdict(const struct steerer *steerer, uint32_t verdict, struct counter *ret)
{
	if (verdict == STEER_VERDICT_FORWARDED)
		return sum_forwarded(steerer, ret);
	return sum_counter(steerer->dp.verdict_fd, verdict, ret);
}

uint64_t steerer_digest(const struct steerer *steerer)
{
	static const uint64_t fixed[2] = {0x7374656572ULL, STEER_ABI};
	auto_free struct steer_table *table = calloc(1, sizeof(*table));
	uint64_t digest = 0;

	for (size_t i = 0; table && i < steerer->policy.n_services; i++) {
		if (table_compile(&steerer->policy.services[i], table) < 0)
			return 0;
		digest = digest * 31 + siphash13(fixed, table, sizeof(*table));
	}
	return digest;
}

void steerer_interfaces(const struct steerer *steerer, struct diag *ret_lines)
{
	ret_lines->text[0] = '\0';
	for (size_t i = 0; i < steerer->policy.n_interfaces; i++) {
		const char *name = steerer->policy.interfaces[i].name;
		struct link_state state = link_look(steerer->dir, name);

		if (state.condition == LINK_ATTACHED)
			diag_line(ret_lines, "%s %s", name,
				  state.is_generic ? "generic" : "native");
		else if (state.condition == LINK_ELSEWHERE)
			diag_line(ret_lines, "%s elsewhere", name);
		else
			diag_line(ret_lines, "%s detached", name);
	}
}

bool steerer_is_current(const struct steerer *steerer)
{
	return dataplane_word(&steerer->dp) == steerer->word && access(steerer->dir, F_OK) == 0;
}
