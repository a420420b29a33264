// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Looking only: counters, digest, verify.
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/own.h"
#include "base/siphash.h"
#include "core/frontends.h"
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

static void find(struct diag *findings, const char *format, ...)
{
	size_t used = strlen(findings->text);
	va_list args;

	if (used && used + 1 < sizeof(findings->text)) {
		findings->text[used++] = '\n';
		findings->text[used] = '\0';
	}
	va_start(args, format);
	(void)vsnprintf(findings->text + used, sizeof(findings->text) - used, format, args);
	va_end(args);
}

static int verify_table(const struct steerer *steerer, size_t service, struct diag *findings)
{
	auto_free struct steer_table *intended = calloc(1, sizeof(*intended));
	auto_free void *resident = NULL;
	size_t size, differ = 0;

	if (!intended || table_compile(&steerer->policy.services[service], intended) < 0)
		return -ENOMEM;
	if (object_read(&steerer->dp, OBJECT_TABLE, steerer->bank->service[service].now, &resident,
			&size, NULL) < 0 ||
	    size != sizeof(*intended)) {
		find(findings, "service '%s': its table is missing",
		     steerer->policy.services[service].name);
		return 0;
	}
	for (size_t slot = 0; slot < STEER_SLOTS; slot++)
		differ +=
			((struct steer_table *)resident)->backend[slot] != intended->backend[slot];
	if (differ)
		find(findings, "service '%s': %zu of %u slots differ from the policy",
		     steerer->policy.services[service].name, differ, STEER_SLOTS);
	return 0;
}

static int verify_frontends(const struct steerer *steerer, struct diag *findings)
{
	auto_free struct steer_frontends *intended = calloc(1, sizeof(*intended));
	auto_free void *resident = NULL;
	size_t size;
	int error;

	if (!intended)
		return -ENOMEM;
	error = frontends_build(&steerer->policy, intended, findings);
	if (error)
		return error;
	if (object_read(&steerer->dp, OBJECT_FRONTENDS, steerer->bank->frontends, &resident, &size,
			NULL) < 0 ||
	    size != sizeof(*intended) || memcmp(resident, intended, size) != 0)
		find(findings, "the frontends in the kernel differ from the policy");
	return 0;
}

/* Can the program reach everything that the live bank names? */
static void verify_published(const struct steerer *steerer, struct diag *findings)
{
	const struct steer_bank *bank = steerer->bank;
	const struct dataplane *dp = &steerer->dp;
	uint32_t missing = !object_is_published(dp, OBJECT_BANK, STEER_WORD_BANK(steerer->word)) +
			   !object_is_published(dp, OBJECT_FRONTENDS, bank->frontends);

	for (uint32_t i = 0; i < bank->services && i < STEER_SERVICES; i++)
		missing += !object_is_published(dp, OBJECT_TABLE, bank->service[i].now);
	for (uint32_t i = 0; i < STEER_PAGES; i++)
		missing += bank->page[i] && !object_is_published(dp, OBJECT_PAGE, bank->page[i]);
	if (missing)
		find(findings, "the program cannot reach %u of the live generation's objects",
		     missing);
}

static void verify_links(const struct steerer *steerer, struct diag *findings)
{
	for (size_t i = 0; i < steerer->policy.n_interfaces; i++) {
		const char *name = steerer->policy.interfaces[i].name;

		switch (link_look(steerer->dir, name).condition) {
		case LINK_ATTACHED:
			break;
		case LINK_DEAD:
			find(findings,
			     "interface %s: it vanished and took the program with it; 'steerctl "
			     "up' attaches it again",
			     name);
			break;
		case LINK_RENAMED:
			find(findings, "interface %s: it was renamed; the program is on it", name);
			break;
		case LINK_ELSEWHERE:
			find(findings, "interface %s: attached in another network namespace", name);
			break;
		default:
			find(findings, "interface %s: the program is not attached", name);
			break;
		}
	}
}

int steerer_verify(const struct steerer *steerer, struct diag *ret_findings, struct diag *why)
{
	int error = 0;

	ret_findings->text[0] = '\0';
	for (size_t i = 0; i < steerer->policy.n_services && !error; i++)
		error = verify_table(steerer, i, ret_findings);
	if (!error)
		error = verify_frontends(steerer, ret_findings);
	if (error)
		return diag_fail(why, error, "cannot verify: %s", strerror(-error));
	verify_published(steerer, ret_findings);
	verify_links(steerer, ret_findings);
	if (steerer->journal && journal_head(steerer->journal) != steerer->policy.revision)
		find(ret_findings, "the kernel holds revision %lu, the journal ends at %lu",
		     (unsigned long)steerer->policy.revision,
		     (unsigned long)journal_head(steerer->journal));
	return 0;
}

int steerer_interfaces(const struct steerer *steerer, struct diag *ret_lines, struct diag *why)
{
	(void)why;
	ret_lines->text[0] = '\0';
	for (size_t i = 0; i < steerer->policy.n_interfaces; i++) {
		const char *name = steerer->policy.interfaces[i].name;
		struct link_state state = link_look(steerer->dir, name);

		if (state.condition == LINK_ATTACHED)
			find(ret_lines, "%s %s", name, state.is_generic ? "generic" : "native");
		else if (state.condition == LINK_ELSEWHERE)
			find(ret_lines, "%s elsewhere", name);
		else
			find(ret_lines, "%s detached", name);
	}
	return 0;
}
