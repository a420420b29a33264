// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The program is replaced while frames arrive: every one of them meets the old or the new one.
 *
 * A sender process transmits live frames by the peer of the edge's interface as fast as it can;
 * in a gap they would pass to the host, unseen by any counter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/own.h"
#include "core/config.h"
#include "core/links.h"
#include "harness/edge.h"

#define REPLACEMENTS 10
#define BURST	     4096    /* frames per system call of the sender */
#define BURSTS_MAX   50000   /* a sender that nobody stops ends by itself */
#define YIELDS_MAX   1000000 /* until the last frames are counted, the sender has begun */

static const char *const config = "interfaces: [edge0]\n"
				  "services:\n"
				  "  shop:\n"
				  "    frontends: [203.0.113.10:80/tcp]\n"
				  "    pools:\n"
				  "      blue: {backends: {blue-1: {address: 10.0.0.11, mac: "
				  "\"02:00:00:00:00:11\"}}}\n"
				  "    active: blue\n";

/* Shared with the sender. */
struct traffic {
	uint64_t sent;
	bool stop;
	bool failed;
};

static struct edge edge;
static struct traffic *traffic;

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

static struct frame client_frame(void)
{
	return (struct frame){
		.eth = {.h_proto = htons(ETH_P_IP)},
		.ip = {.version = 4,
		       .ihl = 5,
		       .ttl = 64,
		       .protocol = IPPROTO_TCP,
		       .tot_len = htons(sizeof(struct frame) - sizeof(struct ethhdr)),
		       .saddr = inet_addr("198.51.100.7"),
		       .daddr = inet_addr("203.0.113.10")},
		.tcp = {.source = htons(40000), .dest = htons(80), .doff = 5, .ack = 1},
	};
}

/* Give the frame its TTL back (pages are used again) and send it: XDP_TX by the peer. */
static int load_sender(void)
{
	const struct bpf_insn program[] = {
		{.code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = 2, .src_reg = 1, .off = 0},
		{.code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = 3, .src_reg = 1, .off = 4},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 4, .src_reg = 2},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 4, .imm = sizeof(struct frame)},
		{.code = BPF_JMP | BPF_JGT | BPF_X, .dst_reg = 4, .src_reg = 3, .off = 1},
		{.code = BPF_ST | BPF_B | BPF_MEM,
		 .dst_reg = 2,
		 .off = ETH_HLEN + offsetof(struct iphdr, ttl),
		 .imm = 64},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_TX},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "sender", "GPL", program, ARRAY_SIZE(program),
			     NULL);
}

static void send_until_stopped(void)
{
	struct frame frame = client_frame();
	struct xdp_md context = {.data_end = sizeof(frame),
				 .ingress_ifindex = if_nametoindex("peer0")};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &frame, .data_size_in = sizeof(frame),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = BURST,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	int fd = load_sender();

	for (int i = 0; i < BURSTS_MAX && !__atomic_load_n(&traffic->stop, __ATOMIC_ACQUIRE); i++) {
		if (fd < 0 || bpf_prog_test_run_opts(fd, &run) < 0) {
			traffic->failed = true;
			return;
		}
		__atomic_add_fetch(&traffic->sent, BURST, __ATOMIC_RELEASE);
	}
}

static uint32_t attached_program(void)
{
	char dir[128];

	(void)snprintf(dir, sizeof(dir), "/sys/fs/bpf/steer/%s", edge.instance);
	return link_look(dir, "edge0").program_id;
}

/* Wait until the sender has sent @frames, so that a replacement meets traffic. */
static void wait_for(uint64_t frames)
{
	for (long i = 0; i < YIELDS_MAX; i++) {
		if (__atomic_load_n(&traffic->sent, __ATOMIC_ACQUIRE) >= frames)
			return;
		(void)sched_yield();
	}
	fail_msg("the sender sends nothing");
}

static void replace_program(const struct policy *policy)
{
	struct commit_note note = {.command = "up"};
	struct diag notice, why;
	uint32_t before = attached_program();
	char identity[128];
	bool was_up;

	/* Without its identity a program is not known to be current. */
	(void)snprintf(identity, sizeof(identity), "/sys/fs/bpf/steer/%s/identity", edge.instance);
	assert_int_equal(unlink(identity), 0);
	if (steerer_up(&edge.place, policy, &note, &was_up, &notice, &why) < 0)
		fail_msg("%s", why.text);
	assert_true(was_up);
	assert_int_not_equal(attached_program(), before);
}

static void replacing_the_program_loses_no_frame(void **state)
{
	struct policy policy = {0};
	struct diag why;
	char path[96];
	pid_t sender;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/steer.yaml", edge.folder);
	assert_int_equal(config_read(path, &policy, &why), 0);
	sender = fork();
	assert_true(sender >= 0);
	if (sender == 0) {
		send_until_stopped();
		_exit(0);
	}
	for (int i = 0; i < REPLACEMENTS; i++) {
		wait_for(traffic->sent + BURST);
		replace_program(&policy);
	}
	wait_for(traffic->sent + BURST);
	__atomic_store_n(&traffic->stop, true, __ATOMIC_RELEASE);
	assert_int_equal(waitpid(sender, NULL, 0), sender);
	assert_false(traffic->failed);
	for (long i = 0; i < 1000; i++)
		if (edge_count(&edge, STEER_VERDICT_FORWARDED) >= traffic->sent)
			break;
	print_message("# %lu frames over %d replacements\n", (unsigned long)traffic->sent,
		      REPLACEMENTS);
	assert_int_equal(edge_count(&edge, STEER_VERDICT_FORWARDED), traffic->sent);
	policy_free(&policy);
}

static void an_up_that_finds_all_as_wanted_loads_nothing(void **state)
{
	struct commit_note note = {.command = "up"};
	struct diag notice, why;
	struct policy policy = {0};
	uint32_t before = attached_program();
	char path[96];
	bool was_up;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/steer.yaml", edge.folder);
	assert_int_equal(config_read(path, &policy, &why), 0);
	assert_int_equal(steerer_up(&edge.place, &policy, &note, &was_up, &notice, &why), 0);
	assert_true(was_up);
	assert_string_equal(notice.text, "");
	assert_int_equal(attached_program(), before);
	policy_free(&policy);
}

static int up(void **state)
{
	(void)state;
	traffic = mmap(NULL, sizeof(*traffic), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (traffic == MAP_FAILED)
		return -1;
	edge_up(&edge, config);
	return 0;
}

static int down(void **state)
{
	(void)state;
	edge_down(&edge);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_up_that_finds_all_as_wanted_loads_nothing),
		cmocka_unit_test(replacing_the_program_loses_no_frame),
	};

	return cmocka_run_group_tests(tests, up, down);
}
