// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "harness/edge.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <net/if.h>

#include "base/own.h"
#include "core/config.h"
#include "core/dataplane.h"
#include "core/generation.h"

static void shell(const char *command)
{
	if (system(command) != 0)
		fail_msg("'%s' failed", command);
}

static void write_config(const struct edge *edge, const char *config, char path[static 96])
{
	auto_fclose FILE *file = NULL;

	(void)snprintf(path, 96, "%s/steer.yaml", edge->folder);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(config, file) >= 0);
}

void edge_up(struct edge *edge, const char *config)
{
	struct commit_note note = {.command = "up"};
	struct diag notice = {0}, why = {0};
	struct policy policy = {0};
	char path[256];
	bool was_up;

	memset(edge, 0, sizeof(*edge));
	(void)snprintf(edge->folder, sizeof(edge->folder), "/tmp/steer-edge.XXXXXX");
	assert_non_null(mkdtemp(edge->folder));
	(void)snprintf(edge->instance, sizeof(edge->instance), "test%d", (int)getpid());
	edge->place = (struct steerer_place){
		.instance = edge->instance, .bpffs = "/sys/fs/bpf/steer", .state = edge->folder};
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	/* Peers without IPv6 send nothing by themselves, which counters would see. */
	shell("ip link add edge0 type veth peer name peer0 && "
	      "ip link add edge1 type veth peer name peer1 && "
	      "for peer in peer0 peer1; do "
	      "echo 1 >/proc/sys/net/ipv6/conf/$peer/disable_ipv6 || exit 1; done && "
	      "for link in edge0 peer0 edge1 peer1; do ip link set $link up || exit 1; done && "
	      "ip addr add 10.0.0.1/24 dev edge0 && ip addr add 10.0.1.1/24 dev edge1 && "
	      "ip -6 addr add 2001:db8:10::1/64 dev edge0 nodad");
	write_config(edge, config, path);
	if (config_read(path, &policy, &why) < 0)
		fail_msg("%s", why.text);
	if (steerer_up(&edge->place, &policy, &note, &was_up, &notice, &why) < 0)
		fail_msg("%s", why.text);
	policy_free(&policy);
	(void)snprintf(path, sizeof(path), "/sys/fs/bpf/steer/%s/program", edge->instance);
	edge->program_fd = bpf_obj_get(path);
	assert_true(edge->program_fd >= 0);
	edge->ifindex = if_nametoindex("edge0");
	edge->reader = edge_open(edge, STEERER_READ);
}

void edge_down(struct edge *edge)
{
	char command[128];
	struct diag why = {0};

	own_close(&edge->program_fd);
	steerer_close(edge->reader);
	if (steerer_down(&edge->place, 1000, &why) < 0)
		fail_msg("%s", why.text);
	(void)snprintf(command, sizeof(command), "rm -rf %s", edge->folder);
	shell(command);
}

void edge_send(const struct edge *edge, const void *frame, size_t size, struct sent *ret_sent)
{
	struct xdp_md context = {.data_end = (__u32)size, .ingress_ifindex = edge->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (__u32)size,
		    .data_out = ret_sent->bytes, .data_size_out = sizeof(ret_sent->bytes),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(edge->program_fd, &run), 0);
	ret_sent->action = run.retval;
	ret_sent->size = run.data_size_out;
}

struct steerer *edge_open(const struct edge *edge, enum steerer_mode mode)
{
	struct diag notice = {0}, why = {0};
	struct steerer *steerer;

	if (steerer_open(&edge->place, mode, 1000, &steerer, &notice, &why) < 0)
		fail_msg("%s", why.text);
	return steerer;
}

void edge_commit(struct steerer *steerer, struct policy *next)
{
	struct commit_note note = {.command = "test", .cut = true};
	struct diag why = {0};

	if (steerer_commit(steerer, next, &note, &why) < 0)
		fail_msg("%s", why.text);
}

uint64_t edge_count(const struct edge *edge, uint32_t verdict)
{
	struct steerer *steerer = edge_open(edge, STEERER_READ);
	struct counter counter = {0};

	assert_int_equal(steerer_count_verdict(steerer, verdict, &counter), 0);
	steerer_close(steerer);
	return counter.packets;
}

void edge_counts(const struct edge *edge, struct counts *ret_counts)
{
	const struct policy *policy = steerer_policy(edge->reader);

	memset(ret_counts, 0, sizeof(*ret_counts));
	for (uint32_t verdict = 0; verdict < STEER_VERDICT_COUNT; verdict++)
		if (verdict != STEER_VERDICT_FORWARDED)
			assert_int_equal(steerer_count_verdict(edge->reader, verdict,
							       &ret_counts->verdict[verdict]),
					 0);
	assert_true(policy->last_backend_id < EDGE_BACKENDS);
	for (uint32_t id = 1; id <= policy->last_backend_id; id++)
		assert_int_equal(steerer_count_backend(edge->reader, id, &ret_counts->backend[id]),
				 0);
}

void edge_pins(const struct edge *edge, char path[static 192])
{
	(void)snprintf(path, 192, "%s/%s", edge->place.bpffs, edge->instance);
}

/* The live bank; @dp is to be closed. */
static const struct steer_bank *live_bank(const struct edge *edge, struct dataplane *dp)
{
	struct diag why = {0};
	char path[192];

	edge_pins(edge, path);
	if (dataplane_open(path, true, dp, &why) < 0)
		fail_msg("%s", why.text);
	return &dp->control->bank[STEER_WORD_BANK(dataplane_word(dp))];
}

static void *read_object(const struct dataplane *dp, enum object_kind kind, uint32_t number)
{
	struct diag why = {0};
	void *value;

	if (object_read(dp, kind, number, &value, NULL, &why) < 0)
		fail_msg("%s", why.text);
	return value;
}

void edge_table(const struct edge *edge, uint32_t service, struct steer_table *ret_table)
{
	struct dataplane dp;
	const struct steer_bank *bank = live_bank(edge, &dp);
	auto_free struct steer_table *table = read_object(&dp, OBJECT_TABLE, bank->now[service]);

	*ret_table = *table;
	dataplane_close(&dp);
}

/* The page that holds the record of @id in the live generation, to be freed. */
static struct steer_page *read_page(const struct edge *edge, uint32_t id, struct dataplane *dp,
				    uint32_t *ret_number)
{
	const struct steer_bank *bank = live_bank(edge, dp);

	*ret_number = bank->page[id / STEER_PAGE_RECORDS];
	return read_object(dp, OBJECT_PAGE, *ret_number);
}

void edge_record(const struct edge *edge, uint32_t id, struct steer_record *ret_record)
{
	struct dataplane dp;
	uint32_t number;
	auto_free struct steer_page *page = read_page(edge, id, &dp, &number);

	*ret_record = page->record[id % STEER_PAGE_RECORDS];
	dataplane_close(&dp);
}

void edge_set_record(const struct edge *edge, uint32_t id, const struct steer_record *record)
{
	struct diag why = {0};
	struct dataplane dp;
	uint32_t number;
	auto_free struct steer_page *page = read_page(edge, id, &dp, &number);

	page->record[id % STEER_PAGE_RECORDS] = *record;
	if (object_write(&dp, OBJECT_PAGE, number, page, sizeof(*page), &why) < 0 ||
	    object_publish(&dp, OBJECT_PAGE, &number, 1, &why) < 0)
		fail_msg("%s", why.text);
	dataplane_close(&dp);
}

uint32_t edge_backend(const struct edge *edge, const char *name)
{
	const struct policy *policy = steerer_policy(edge->reader);

	for (size_t i = 0; i < policy->n_services; i++) {
		struct pool *pool;
		const struct backend *backend = service_backend(&policy->services[i], name, &pool);

		if (backend)
			return backend->id;
	}
	fail_msg("there is no backend '%s'", name);
	return 0;
}
