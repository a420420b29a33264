// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/dataplane.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/diag.h"
#include "base/own.h"

#define PIN_PATH 256

static const struct {
	const char *name;
	const char *outer; /* name of the outer map's pin */
	size_t size;
} kinds[OBJECT_KIND_COUNT] = {
	[OBJECT_FRONTENDS] = {"frontends", "frontends_objects", sizeof(struct steer_frontends)},
	[OBJECT_TABLE] = {"table", "table_objects", sizeof(struct steer_table)},
	[OBJECT_PAGE] = {"page", "page_objects", sizeof(struct steer_page)},
	[OBJECT_TIMES] = {"times", NULL, 0},
	[OBJECT_POLICY] = {"policy", NULL, 0},
};

size_t object_size(enum object_kind kind)
{
	return kinds[kind].size;
}

const char *object_name(enum object_kind kind)
{
	return kinds[kind].name;
}

static void object_path(const struct dataplane *dp, enum object_kind kind, uint32_t number,
			char path[static PIN_PATH])
{
	(void)snprintf(path, PIN_PATH, "%s/%s/%u", dp->dir, kinds[kind].name, number);
}

int dataplane_privileged(struct diag *why)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 8, 1, NULL);

	if (fd == -EPERM || fd == -EACCES)
		return diag_fail(why, -EPERM,
				 "not permitted to use bpf(2); steer needs root, or CAP_BPF and "
				 "CAP_NET_ADMIN ('up' and 'apply' also CAP_PERFMON)");
	if (fd < 0)
		return diag_fail(why, fd, "the kernel refused to create a BPF map: %s",
				 strerror(-fd));
	(void)close(fd);
	return 0;
}

static int open_map(const char *dir, const char *name, int *ret_fd, struct diag *why)
{
	char path[PIN_PATH];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/maps/%s", dir, name);
	fd = bpf_obj_get(path);
	if (fd == -ENOENT)
		return diag_fail(why, -ENOTCONN, "steer is not up: nothing is pinned at %s", path);
	if (fd == -EPERM || fd == -EACCES)
		return diag_fail(
			why, -EPERM,
			"not permitted to open %s; steer needs root, or CAP_BPF and CAP_NET_ADMIN",
			path);
	if (fd < 0)
		return diag_fail(why, fd, "cannot open %s: %s", path, strerror(-fd));
	*ret_fd = fd;
	return 0;
}

static int map_control(struct dataplane *dp, bool writable, struct diag *why)
{
	auto_close int fd = -1;
	int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	int error = open_map(dp->dir, "control", &fd, why);
	void *mapped;

	if (error)
		return error;
	mapped = mmap(NULL, sizeof(struct steer_control), protection, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		return diag_fail(why, -errno, "cannot map %s/maps/control: %m", dp->dir);
	dp->control = mapped;
	if (dp->control->abi != STEER_ABI)
		return diag_fail(why, -EPROTO,
				 "%s was made by another version (ABI %u, this is %u): 'steerctl "
				 "down' with that version, then 'up'",
				 dp->dir, dp->control->abi, STEER_ABI);
	return 0;
}

int dataplane_open(const char *dir, bool writable, struct dataplane *ret_dp, struct diag *why)
{
	struct dataplane dp = {.verdict_fd = -1,
			       .backend_counters_fd = -1,
			       .flows_fd = -1,
			       .flow_counters_fd = -1};
	int error = 0;

	for (int kind = 0; kind < OBJECT_KIND_COUNT; kind++)
		dp.outer_fd[kind] = -1;
	if ((size_t)snprintf(dp.dir, sizeof(dp.dir), "%s", dir) >= sizeof(dp.dir))
		return diag_fail(why, -ENAMETOOLONG, "pin directory '%s' is too long", dir);
	for (int kind = 0; kind < OBJECT_KIND_COUNT && !error; kind++)
		if (kinds[kind].outer)
			error = open_map(dir, kinds[kind].outer, &dp.outer_fd[kind], why);
	if (!error)
		error = open_map(dir, "verdict_counters", &dp.verdict_fd, why);
	if (!error)
		error = open_map(dir, "backend_counters", &dp.backend_counters_fd, why);
	if (!error)
		error = open_map(dir, "flows", &dp.flows_fd, why);
	if (!error)
		error = open_map(dir, "flow_counters", &dp.flow_counters_fd, why);
	if (!error)
		error = map_control(&dp, writable, why);
	if (error) {
		dataplane_close(&dp);
		return error;
	}
	*ret_dp = dp;
	return 0;
}

void dataplane_close(struct dataplane *dp)
{
	for (int kind = 0; kind < OBJECT_KIND_COUNT; kind++)
		own_close(&dp->outer_fd[kind]);
	own_close(&dp->verdict_fd);
	own_close(&dp->backend_counters_fd);
	own_close(&dp->flows_fd);
	own_close(&dp->flow_counters_fd);
	if (dp->control)
		(void)munmap(dp->control, sizeof(*dp->control));
	dp->control = NULL;
}

/* Fill, make read-only for user space, and pin; the program side is read-only by its flag. */
static int fill_and_pin(int fd, const char *path, const void *value, struct diag *why)
{
	uint32_t first = 0;
	int error = bpf_map_update_elem(fd, &first, value, BPF_ANY);

	if (!error)
		error = bpf_map_freeze(fd);
	if (!error) {
		(void)unlink(path);
		error = bpf_obj_pin(fd, path);
	}
	if (error)
		return diag_fail(why, error, "the kernel refused %s: %s", path, strerror(-error));
	return 0;
}

int object_write(struct dataplane *dp, enum object_kind kind, uint32_t number, const void *value,
		 size_t size, struct diag *why)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE | BPF_F_RDONLY_PROG);
	char path[PIN_PATH];
	auto_close int fd = -1;

	object_path(dp, kind, number, path);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, kinds[kind].name, sizeof(uint32_t), size, 1,
			    &options);
	if (fd < 0)
		return diag_fail(why, fd, "the kernel refused a %s object of %zu bytes: %s",
				 kinds[kind].name, size, strerror(-fd));
	return fill_and_pin(fd, path, value, why);
}

int object_read(const struct dataplane *dp, enum object_kind kind, uint32_t number,
		void **ret_value, size_t *ret_size, struct diag *why)
{
	struct bpf_map_info info = {0};
	uint32_t info_bytes = sizeof(info), first = 0;
	char path[PIN_PATH];
	auto_close int fd = -1;
	auto_free void *value = NULL;
	int error;

	object_path(dp, kind, number, path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return diag_fail(why, fd, "cannot open %s: %s", path, strerror(-fd));
	error = bpf_obj_get_info_by_fd(fd, &info, &info_bytes);
	if (error)
		return diag_fail(why, error, "cannot inspect %s: %s", path, strerror(-error));
	value = malloc(info.value_size + 1u);
	if (!value)
		return diag_fail(why, -ENOMEM, "out of memory reading %s", path);
	error = bpf_map_lookup_elem(fd, &first, value);
	if (error)
		return diag_fail(why, error, "cannot read %s: %s", path, strerror(-error));
	((char *)value)[info.value_size] = '\0';
	*ret_value = take_ptr(value);
	if (ret_size)
		*ret_size = info.value_size;
	return 0;
}

static int open_objects(struct dataplane *dp, enum object_kind kind, const uint32_t *numbers,
			size_t count, int *fds, struct diag *why)
{
	char path[PIN_PATH];

	for (size_t i = 0; i < count; i++) {
		object_path(dp, kind, numbers[i], path);
		fds[i] = bpf_obj_get(path);
		if (fds[i] < 0)
			return diag_fail(why, fds[i], "cannot open %s: %s", path,
					 strerror(-fds[i]));
	}
	return 0;
}

int object_publish(struct dataplane *dp, enum object_kind kind, const uint32_t *numbers,
		   size_t count, struct diag *why)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	auto_free int *fds = NULL;
	uint32_t done = (uint32_t)count;
	int error;

	if (count == 0)
		return 0;
	fds = malloc(count * sizeof(*fds));
	if (!fds)
		return diag_fail(why, -ENOMEM, "out of memory publishing %zu objects", count);
	memset(fds, 0xff, count * sizeof(*fds));
	error = open_objects(dp, kind, numbers, count, fds, why);
	if (!error) {
		error = bpf_map_update_batch(dp->outer_fd[kind], numbers, fds, &done, &options);
		if (error)
			(void)diag_fail(why, error, "the kernel refused %zu %s objects: %s", count,
					kinds[kind].name, strerror(-error));
	}
	for (size_t i = 0; i < count; i++)
		own_close(&fds[i]);
	return error;
}

bool object_is_published(const struct dataplane *dp, enum object_kind kind, uint32_t number)
{
	struct bpf_map_info info = {0};
	uint32_t bytes = sizeof(info), id = 0;
	char path[PIN_PATH];
	auto_close int fd = -1;

	object_path(dp, kind, number, path);
	fd = bpf_obj_get(path);
	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &bytes) == 0 &&
	       bpf_map_lookup_elem(dp->outer_fd[kind], &number, &id) == 0 && id == info.id;
}

int object_list(const struct dataplane *dp, enum object_kind kind, bool *ret_used, size_t limit,
		struct diag *why)
{
	char path[PIN_PATH];
	struct dirent *entry;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/%s", dp->dir, kinds[kind].name);
	dir = opendir(path);
	if (!dir)
		return diag_fail(why, -errno, "cannot list %s: %m", path);
	memset(ret_used, 0, limit * sizeof(*ret_used));
	while ((entry = readdir(dir))) {
		char *end;
		unsigned long number = strtoul(entry->d_name, &end, 10);

		if (*end == '\0' && end != entry->d_name && number < limit)
			ret_used[number] = true;
	}
	(void)closedir(dir);
	return 0;
}

void object_unpin(struct dataplane *dp, enum object_kind kind, uint32_t number)
{
	char path[PIN_PATH];

	object_path(dp, kind, number, path);
	(void)unlink(path);
}

int dataplane_counters(struct dataplane *dp, uint32_t page, struct diag *why)
{
	auto_close int fd = -1;
	uint32_t id;
	int error;

	if (bpf_map_lookup_elem(dp->backend_counters_fd, &page, &id) == 0)
		return 0;
	fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "counters", sizeof(uint32_t),
			    sizeof(struct steer_counter), STEER_PAGE_RECORDS, NULL);
	if (fd < 0)
		return diag_fail(why, fd, "the kernel refused a page of counters: %s",
				 strerror(-fd));
	error = bpf_map_update_elem(dp->backend_counters_fd, &page, &fd, BPF_ANY);
	if (!error) {
		char path[PIN_PATH];

		(void)snprintf(path, sizeof(path), "%s/counters/%u", dp->dir, page);
		(void)unlink(path);
		error = bpf_obj_pin(fd, path);
	}
	if (error)
		return diag_fail(why, error, "the kernel refused a page of counters: %s",
				 strerror(-error));
	return 0;
}

int dataplane_arm(struct dataplane *dp, struct diag *why)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	char path[PIN_PATH];
	auto_close int fd = -1;
	int error;

	(void)snprintf(path, sizeof(path), "%s/arm", dp->dir);
	fd = bpf_obj_get(path);
	error = fd < 0 ? fd : bpf_prog_test_run_opts(fd, &run);
	if (!error && run.retval)
		error = -EIO;
	return error ? diag_fail(why, error, "cannot start the timer: %s", strerror(-error)) : 0;
}

int dataplane_barrier(struct dataplane *dp, uint32_t table, struct diag *why)
{
	return object_publish(dp, OBJECT_TABLE, &table, 1, why);
}

void dataplane_write_bank(struct dataplane *dp, uint32_t number, const struct steer_bank *bank)
{
	struct steer_bank *place = &dp->control->bank[number];

	__atomic_store_n(&place->generation, 0, __ATOMIC_RELEASE);
	memcpy(&place->generation + 1, &bank->generation + 1,
	       sizeof(*bank) - sizeof(bank->generation));
	__atomic_store_n(&place->generation, bank->generation, __ATOMIC_RELEASE);
}

uint64_t dataplane_word(const struct dataplane *dp)
{
	return __atomic_load_n(&dp->control->word, __ATOMIC_ACQUIRE);
}

int dataplane_swap(struct dataplane *dp, uint64_t expected, uint32_t bank)
{
	__u64 old = expected;
	__u64 new = STEER_WORD(STEER_WORD_EPOCH(expected) + 1, bank);

	if (!__atomic_compare_exchange_n(&dp->control->word, &old, new, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return -ESTALE;
	return 0;
}
