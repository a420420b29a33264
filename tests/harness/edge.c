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
	/* Nothing but the test may send: peer0 would solicit routers, and steer count that. */
	shell("ip link add edge0 type veth peer name peer0 && "
	      "echo 1 >/proc/sys/net/ipv6/conf/peer0/disable_ipv6 && ip link set edge0 up && "
	      "ip link set peer0 up && ip addr add 10.0.0.1/24 dev edge0 && "
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
}

void edge_down(struct edge *edge)
{
	char command[128];
	struct diag why = {0};

	own_close(&edge->program_fd);
	if (steerer_down(&edge->place, 1000, &why) < 0)
		fail_msg("%s", why.text);
	(void)snprintf(command, sizeof(command), "rm -rf %s", edge->folder);
	shell(command);
}

void edge_send(const struct edge *edge, const void *frame, size_t size, struct sent *ret_sent)
{
	struct xdp_md context = {.data_end = (__u32)size,
				 .ingress_ifindex = if_nametoindex("edge0")};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (__u32)size,
		    .data_out = ret_sent->bytes, .data_size_out = sizeof(ret_sent->bytes),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(edge->program_fd, &run), 0);
	ret_sent->action = run.retval;
	ret_sent->size = run.data_size_out;
}

uint64_t edge_count(const struct edge *edge, uint32_t verdict)
{
	struct diag notice, why;
	struct counter counter = {0};
	struct steerer *steerer;

	assert_int_equal(steerer_open(&edge->place, STEERER_READ, 0, &steerer, &notice, &why), 0);
	assert_int_equal(steerer_count_verdict(steerer, verdict, &counter), 0);
	steerer_close(steerer);
	return counter.packets;
}
