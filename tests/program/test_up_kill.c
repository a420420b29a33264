// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * "apply" killed before any of its system calls: the program that every interface runs is right
 * for the policy that is live, and "up" tidies the rest.
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
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/own.h"
#include "core/config.h"
#include "core/links.h"
#include "harness/edge.h"

#define CALLS_MAX 1000

#define POOLS                                                                                      \
	"    pools:\n"                                                                             \
	"      blue: {backends: {blue-1: {address: 10.0.0.11, mac: \"02:00:00:00:00:11\"}}}\n"     \
	"    active: blue\n"

static const char *const narrow = "interfaces: [edge0, edge1]\n"
				  "services:\n"
				  "  shop:\n"
				  "    frontends: [203.0.113.10:80/tcp]\n" POOLS;
static const char *const wide =
	"interfaces: [edge0, edge2]\n"
	"services:\n"
	"  shop:\n"
	"    frontends: [203.0.113.10:80/tcp, \"[2001:db8::10]:80/tcp\"]\n" POOLS;

struct frame4 {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

struct frame6 {
	struct ethhdr eth;
	struct ipv6hdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

static struct edge edge;
static char dir[128];

static void read_policy(const char *text, struct policy *ret_policy)
{
	char path[96];
	auto_fclose FILE *file = NULL;
	struct diag why;

	(void)snprintf(path, sizeof(path), "%s/next.yaml", edge.folder);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0 && fflush(file) == 0);
	if (config_read(path, ret_policy, &why) < 0)
		fail_msg("%s", why.text);
}

static int apply(const struct policy *config, struct diag *why)
{
	struct commit_note note = {.command = "apply", .cut = true};
	struct policy next = {0};
	struct steerer *steerer;
	struct diag notice;
	int error = steerer_open(&edge.place, STEERER_WRITE, 5000, &steerer, &notice, why);

	if (error)
		return error;
	error = steerer_merge(steerer, config, &next, why);
	if (!error)
		error = steerer_apply(steerer, &next, &note, &notice, why);
	policy_free(&next);
	steerer_close(steerer);
	return error;
}

/* Calls after which another process sees something else; the swap of the word lies between two. */
static bool changes_something(uint64_t call, uint64_t command)
{
	if (call == SYS_bpf)
		return command == BPF_OBJ_PIN || command == BPF_LINK_CREATE ||
		       command == BPF_LINK_UPDATE || command == BPF_LINK_DETACH ||
		       command == BPF_MAP_UPDATE_BATCH;
	return call == SYS_rename || call == SYS_unlink || call == SYS_fdatasync;
}

/* Stops of the traced child, until it is about to make its @kill_at th such call. */
static bool run_until(pid_t child, int kill_at)
{
	int seen = 0, status;

	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		return false;
	(void)ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (int i = 0; i < CALLS_MAX * 100; i++) {
		struct __ptrace_syscall_info info = {0};

		if (ptrace(PTRACE_SYSCALL, child, NULL, NULL) < 0 ||
		    waitpid(child, &status, 0) != child || WIFEXITED(status))
			return false;
		if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		(void)ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY &&
		    changes_something(info.entry.nr, info.entry.args[0]) && ++seen == kill_at)
			return true;
	}
	return false;
}

/* Returns false when apply ended before its @kill_at th call. */
static bool apply_killed(const struct policy *config, int kill_at)
{
	struct diag why;
	pid_t child = fork();
	bool killed;

	assert_true(child >= 0);
	if (child == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		_exit(apply(config, &why) ? 1 : 0);
	}
	killed = run_until(child, kill_at);
	if (killed) {
		(void)kill(child, SIGKILL);
		(void)waitpid(child, NULL, 0);
	}
	return killed;
}

/* Sent back or redirected, by where the frame seems to come from: neither passed nor dropped. */
static bool is_steered(int program, bool is_ipv6)
{
	struct frame4 four = {
		.eth = {.h_proto = htons(ETH_P_IP)},
		.ip = {.version = 4,
		       .ihl = 5,
		       .ttl = 64,
		       .protocol = IPPROTO_TCP,
		       .tot_len = htons(sizeof(four) - sizeof(four.eth)),
		       .saddr = inet_addr("198.51.100.7"),
		       .daddr = inet_addr("203.0.113.10")},
		.tcp = {.dest = htons(80), .doff = 5},
	};
	struct frame6 six = {
		.eth = {.h_proto = htons(ETH_P_IPV6)},
		.ip = {.version = 6,
		       .hop_limit = 64,
		       .nexthdr = IPPROTO_TCP,
		       .payload_len = htons(sizeof(six.tcp))},
		.tcp = {.dest = htons(80), .doff = 5},
	};
	struct sent sent;

	(void)inet_pton(AF_INET6, "2001:db8::10", &six.ip.daddr);
	(void)inet_pton(AF_INET6, "2001:db8:1::7", &six.ip.saddr);
	edge.program_fd = program;
	if (is_ipv6)
		edge_send(&edge, &six, sizeof(six), &sent);
	else
		edge_send(&edge, &four, sizeof(four), &sent);
	edge.program_fd = -1;
	return sent.action == XDP_TX || sent.action == XDP_REDIRECT;
}

/* What the live policy promises, asked of the program that its interfaces run. */
static void assert_right_for_live(int kill_at)
{
	struct steerer *steerer;
	const struct policy *live;
	struct diag notice, why;
	bool has_ipv6;

	assert_int_equal(steerer_open(&edge.place, STEERER_READ, 0, &steerer, &notice, &why), 0);
	live = steerer_policy(steerer);
	has_ipv6 = live->services[0].n_frontends == 2;
	for (size_t i = 0; i < live->n_interfaces; i++) {
		struct link_state state = link_look(dir, live->interfaces[i].name);
		auto_close int program = -1;

		if (state.condition != LINK_ATTACHED)
			fail_msg("killed before call %d: %s is not attached", kill_at,
				 live->interfaces[i].name);
		program = bpf_prog_get_fd_by_id(state.program_id);
		assert_true(program >= 0);
		if (!is_steered(program, false))
			fail_msg("killed before call %d: IPv4 is not steered", kill_at);
		if (has_ipv6 && !is_steered(program, true))
			fail_msg("killed before call %d: IPv6 is live and not steered", kill_at);
	}
	steerer_close(steerer);
}

/* After "up" links and program are exactly those of the live policy. */
static void assert_up_tidies(const struct policy *config)
{
	struct commit_note note = {.command = "up"};
	struct diag notice, why, findings;
	struct steerer *steerer;
	bool was_up, is_wide;

	if (steerer_up(&edge.place, config, &note, &was_up, &notice, &why) < 0)
		fail_msg("%s", why.text);
	assert_true(was_up);
	assert_int_equal(steerer_open(&edge.place, STEERER_WRITE, 1000, &steerer, &notice, &why),
			 0);
	assert_int_equal(steerer_verify(steerer, &findings, &why), 0);
	assert_string_equal(findings.text, "");
	is_wide = steerer_policy(steerer)->services[0].n_frontends == 2;
	steerer_close(steerer);
	assert_int_equal(link_look(dir, "edge0").condition, LINK_ATTACHED);
	assert_int_equal(link_look(dir, "edge1").condition, is_wide ? LINK_NONE : LINK_ATTACHED);
	assert_int_equal(link_look(dir, "edge2").condition, is_wide ? LINK_ATTACHED : LINK_NONE);
	assert_int_equal(link_look(dir, "edge0").program_id,
			 link_look(dir, is_wide ? "edge2" : "edge1").program_id);
}

static void apply_again(const struct policy *config)
{
	struct diag why;

	if (apply(config, &why) < 0)
		fail_msg("%s", why.text);
}

static void kill_everywhere(const char *from_text, const char *to_text)
{
	struct policy from = {0}, to = {0};
	int kill_at = 1;

	read_policy(from_text, &from);
	read_policy(to_text, &to);
	apply_again(&from);
	while (kill_at < CALLS_MAX && apply_killed(&to, kill_at)) {
		assert_right_for_live(kill_at);
		assert_up_tidies(&from);
		apply_again(&from);
		kill_at++;
	}
	assert_true(kill_at < CALLS_MAX);
	assert_up_tidies(&to);
	print_message("# killed before %d system calls\n", kill_at - 1);
	policy_free(&from);
	policy_free(&to);
}

static void killed_while_widening_it_is_right_for_what_is_live(void **state)
{
	(void)state;
	kill_everywhere(narrow, wide);
}

static void killed_while_narrowing_it_is_right_for_what_is_live(void **state)
{
	(void)state;
	kill_everywhere(wide, narrow);
}

static int up(void **state)
{
	(void)state;
	edge_up(&edge, "interfaces: [edge0]\n"
		       "services:\n"
		       "  shop:\n"
		       "    frontends: [203.0.113.10:80/tcp]\n" POOLS);
	own_close(&edge.program_fd);
	edge.program_fd = -1;
	(void)snprintf(dir, sizeof(dir), "/sys/fs/bpf/steer/%s", edge.instance);
	return system("ip link add edge2 type veth peer name peer2 && ip link set edge2 up");
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
		cmocka_unit_test(killed_while_widening_it_is_right_for_what_is_live),
		cmocka_unit_test(killed_while_narrowing_it_is_right_for_what_is_live),
	};

	return cmocka_run_group_tests(tests, up, down);
}
