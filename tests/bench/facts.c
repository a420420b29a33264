// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What is measured once: the program's size, its loading, the memory of the maps, and how long a
 * commit takes an operator.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "base/diag.h"
#include "base/own.h"
#include "bench/bench.h"
#include "core/facts.h"
#include "core/loader.h"

#define LOADS	 7
#define COMMITS	 15
#define MAPS_MAX 1024

extern char **environ;

struct program_facts facts_of_program(const struct edge *edge, const char *group)
{
	struct bpf_prog_info info = {0};
	uint32_t bytes = sizeof(info);
	int error = bpf_obj_get_info_by_fd(edge->program_fd, &info, &bytes);

	if (error)
		bench_fail("cannot inspect the program: %s", strerror(-error));
	return (struct program_facts){
		.group = group,
		.instructions = info.xlated_prog_len / (uint32_t)sizeof(struct bpf_insn),
		.machine_bytes = info.jited_prog_len,
		.verified = info.verified_insns,
	};
}

/* Maps found so far, each once; file-wide because nftw() hands nothing through. */
static struct {
	uint32_t id[MAPS_MAX];
	size_t n;
	uint64_t bytes, flow_bytes;
} seen;

/* Number and memory of the map behind @fd; false for a program or a link. */
static bool read_fdinfo(int fd, uint32_t *ret_id, uint64_t *ret_bytes)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	unsigned id = 0;
	auto_fclose FILE *file = NULL;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		(void)sscanf(line, "memlock: %llu", &bytes);
		(void)sscanf(line, "map_id: %u", &id);
	}
	*ret_id = id;
	*ret_bytes = bytes;
	return id != 0;
}

static void add_map(int fd)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info), id;
	uint64_t bytes;

	if (!read_fdinfo(fd, &id, &bytes))
		return;
	for (size_t i = 0; i < seen.n; i++)
		if (seen.id[i] == id)
			return;
	if (seen.n == MAPS_MAX)
		bench_fail("more than %d maps are pinned", MAPS_MAX);
	seen.id[seen.n++] = id;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && strcmp(info.name, "flows") == 0)
		seen.flow_bytes += bytes;
	else
		seen.bytes += bytes;
}

static int add_pin(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	auto_close int fd = -1;

	(void)status;
	(void)walk;
	if (type == FTW_F) {
		fd = bpf_obj_get(path);
		if (fd >= 0)
			add_map(fd);
	}
	return 0;
}

/* Maps that only the program holds: its read-only data. */
static void add_maps_of_program(int program)
{
	uint32_t ids[64];
	struct bpf_prog_info info = {.map_ids = (uintptr_t)ids, .nr_map_ids = 64};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &size) < 0 || info.nr_map_ids > 64)
		bench_fail("cannot list the program's maps");
	for (uint32_t i = 0; i < info.nr_map_ids; i++) {
		auto_close int fd = bpf_map_get_fd_by_id(ids[i]);

		if (fd >= 0)
			add_map(fd);
	}
}

static void pin_path(const struct edge *edge, const char *suffix, char path[static 192])
{
	(void)snprintf(path, 192, "%s/%s%s", edge->place.bpffs, edge->place.instance, suffix);
}

void facts_of_maps(const struct edge *edge, struct facts *facts)
{
	char path[192];

	memset(&seen, 0, sizeof(seen));
	pin_path(edge, "", path);
	if (nftw(path, add_pin, 16, FTW_PHYS) < 0)
		bench_fail("cannot walk %s: %s", path, strerror(errno));
	add_maps_of_program(edge->program_fd);
	facts->map_bytes = seen.bytes;
	facts->flow_bytes = seen.flow_bytes;
}

uint64_t facts_flow_bytes(const struct edge *edge)
{
	struct facts facts;

	facts_of_maps(edge, &facts);
	return facts.flow_bytes;
}

static int remove_pin(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

/* Open, relocate, verify, translate and pin the program and its maps beside the running one. */
struct figure facts_load_ms(const struct edge *edge)
{
	struct diag notice = {0}, why = {0};
	struct steerer *steerer;
	struct steer_facts facts;
	double ms[LOADS], start;
	char path[192];
	bool changed;
	int error = 0;

	if (steerer_open(&edge->place, STEERER_READ, 0, &steerer, &notice, &why) < 0)
		bench_fail("%s", why.text);
	facts = facts_of(steerer_policy(steerer));
	steerer_close(steerer);
	pin_path(edge, "-load", path);
	for (int i = 0; i < LOADS && !error; i++) {
		start = clock_ns(CLOCK_MONOTONIC);
		error = loader_install(path, &facts, &changed, &why);
		ms[i] = (clock_ns(CLOCK_MONOTONIC) - start) / 1e6;
		if (nftw(path, remove_pin, 16, FTW_DEPTH | FTW_PHYS) < 0)
			bench_fail("cannot remove %s: %s", path, strerror(errno));
	}
	if (error)
		bench_fail("%s", why.text);
	return figure_of(ms, LOADS);
}

/* The steerctl that was built with this bench: it lies beside it. */
static void steerctl_path(char *path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", path, size - 1);
	char *name;

	if (length < 0)
		bench_fail("cannot read /proc/self/exe: %s", strerror(errno));
	path[length] = '\0';
	name = strrchr(path, '/') + 1;
	(void)snprintf(name, size - (size_t)(name - path), "steerctl");
}

void run_steerctl(const struct edge *edge, const char *const *arguments)
{
	char path[512];
	char *argv[16] = {path, "--quiet", "--instance", (char *)edge->place.instance};
	int error, status = 0;
	pid_t child;

	steerctl_path(path, sizeof(path));
	for (size_t i = 4; i < ARRAY_SIZE(argv) - 1 && *arguments; i++)
		argv[i] = (char *)*arguments++;
	(void)setenv("STEER_BPFFS", edge->place.bpffs, 1);
	(void)setenv("STEER_STATE", edge->place.state, 1);
	error = posix_spawn(&child, path, NULL, NULL, argv, environ);
	if (error)
		bench_fail("cannot run %s: %s", path, strerror(error));
	if (waitpid(child, &status, 0) < 0 || status != 0)
		bench_fail("%s failed (status %#x)", path, (unsigned)status);
}

struct figure facts_commit_ms(const struct edge *edge)
{
	static const char *const shares[2][4] = {{"set", "canary", "10%"}, {"set", "canary", "5%"}};
	double ms[COMMITS], start;

	for (int i = 0; i < COMMITS; i++) {
		start = clock_ns(CLOCK_MONOTONIC);
		run_steerctl(edge, shares[i % 2]);
		ms[i] = (clock_ns(CLOCK_MONOTONIC) - start) / 1e6;
	}
	return figure_of(ms, COMMITS);
}
