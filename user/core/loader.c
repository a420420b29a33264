// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/loader.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/diag.h"
#include "base/own.h"
#include "base/siphash.h"
#include "core/dataplane.h"
#include "core/links.h"
#include "steer.skel.h"

#define PIN_PATH  256
#define LOG_BYTES 16384
#define LOG_SHOWN 800 /* the end of the verifier's log, where it says what it refused */

/* Value of the one-element map pinned as "identity". User space alone reads it. */
struct identity {
	uint64_t build; /* hash of the object file */
	uint32_t program_id;
	uint32_t pad;
	struct steer_facts facts;
};

/* Pin names of the maps that a process finds again; internal names are libbpf's. */
static const struct {
	const char *map;
	const char *pin;
} pinned_maps[] = {
	{".data.control", "control"},
	{"frontends_objects", "frontends_objects"},
	{"table_objects", "table_objects"},
	{"page_objects", "page_objects"},
	{"verdict_counters", "verdict_counters"},
	{"backend_counters", "backend_counters"},
	{"flows", "flows"},
	{"flow_counters", "flow_counters"},
	{"timers", "timers"},
};

static int make_dirs(const char *dir, struct diag *why)
{
	static const char *const folders[] = {"",	 "/maps",  "/frontends", "/table", "/page",
					      "/policy", "/links", "/counters",	 "/times"};
	char path[PIN_PATH];

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", dir, folders[i]);
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return diag_fail(why, -errno, "cannot make %s: %m%s", path,
					 errno == EPERM ? " (is a BPF file system mounted there?)"
							: "");
	}
	return 0;
}

static uint64_t build_hash(void)
{
	static const uint64_t fixed[2] = {0x7374656572ULL, STEER_ABI};
	size_t size;
	const void *bytes = steer_bpf__elf_bytes(&size);

	return siphash13(fixed, bytes, size);
}

static uint32_t program_id(int fd)
{
	struct bpf_prog_info info = {0};
	uint32_t bytes = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &bytes) < 0 ? 0 : info.id;
}

/* The pinned program, if it is of this build and was loaded with @facts; else -1. */
static int open_current(const char *dir, const struct steer_facts *facts)
{
	struct identity identity = {0};
	struct bpf_map_info info = {0};
	uint32_t bytes = sizeof(info), first = 0;
	char path[PIN_PATH];
	auto_close int map = -1;
	auto_close int program = -1;

	(void)snprintf(path, sizeof(path), "%s/identity", dir);
	map = bpf_obj_get(path);
	if (map < 0 || loader_open(dir, &program, NULL) < 0)
		return -1;
	if (bpf_obj_get_info_by_fd(map, &info, &bytes) < 0 || info.value_size != sizeof(identity) ||
	    bpf_map_lookup_elem(map, &first, &identity) < 0)
		return -1;
	if (identity.build != build_hash() || identity.program_id != program_id(program) ||
	    memcmp(&identity.facts, facts, sizeof(*facts)) != 0)
		return -1;
	return take_fd(&program);
}

/* Pin @fd as @name, in place of what is there. */
static int pin_as(int fd, const char *dir, const char *name, struct diag *why)
{
	char path[PIN_PATH], fresh[PIN_PATH];
	int error;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)snprintf(fresh, sizeof(fresh), "%s/%s_new", dir, name);
	(void)unlink(fresh);
	error = bpf_obj_pin(fd, fresh);
	if (!error && rename(fresh, path) < 0) {
		error = -errno;
		(void)unlink(fresh);
	}
	if (error)
		return diag_fail(why, error, "cannot pin %s: %s", path, strerror(-error));
	return 0;
}

/* Killed between the two pins: the ids disagree, and the next "up" loads again. */
static int pin_program(const char *dir, int program, const struct steer_facts *facts,
		       struct diag *why)
{
	struct identity identity = {
		.build = build_hash(), .program_id = program_id(program), .facts = *facts};
	auto_close int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "identity", sizeof(uint32_t),
					    sizeof(identity), 1, NULL);
	uint32_t first = 0;
	int error = map < 0 ? map : bpf_map_update_elem(map, &first, &identity, BPF_ANY);

	if (!error)
		error = bpf_map_freeze(map);
	if (error)
		return diag_fail(why, error, "the kernel refused the program's identity: %s",
				 strerror(-error));
	error = pin_as(map, dir, "identity", why);
	return error ? error : pin_as(program, dir, "program", why);
}

static int set_pins(struct steer_bpf *skel, const char *dir)
{
	char path[PIN_PATH];

	for (size_t i = 0; i < ARRAY_SIZE(pinned_maps); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, pinned_maps[i].map);

		(void)snprintf(path, sizeof(path), "%s/maps/%s", dir, pinned_maps[i].pin);
		if (!map || bpf_map__set_pin_path(map, path) < 0)
			return -EINVAL;
	}
	return 0;
}

static int open_skeleton(const char *dir, const struct steer_facts *facts,
			 struct steer_bpf **ret_skel, struct diag *why)
{
	struct steer_bpf *skel;

	(void)libbpf_set_print(NULL);
	skel = steer_bpf__open();
	if (!skel)
		return diag_fail(why, -ENOMEM, "cannot open the XDP program: %m");
	*(struct steer_facts *)&skel->rodata->facts = *facts;
	skel->data_control->control.abi = STEER_ABI;
	(void)bpf_map__set_max_entries(skel->maps.flows, facts->buckets);
	if (set_pins(skel, dir) < 0) {
		steer_bpf__destroy(skel);
		return diag_fail(why, -EINVAL, "a map of the XDP program is missing");
	}
	*ret_skel = skel;
	return 0;
}

/* Capabilities that loading takes and this process lacks; "" when it has them. */
static const char *missing_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	uint64_t held;

	if (syscall(SYS_capget, &header, data) < 0)
		return "";
	held = (uint64_t)data[1].effective << 32 | data[0].effective;
	if (held >> CAP_SYS_ADMIN & 1)
		return held >> CAP_NET_ADMIN & 1 ? "" : "CAP_NET_ADMIN";
	if (!(held >> CAP_BPF & 1))
		return "CAP_BPF";
	if (!(held >> CAP_NET_ADMIN & 1))
		return "CAP_NET_ADMIN";
	return held >> CAP_PERFMON & 1 ? "" : "CAP_PERFMON";
}

static int explain_refusal(int error, const char *log, struct diag *why)
{
	const char *missing = missing_capabilities();
	size_t length = strlen(log);

	if ((error == -EPERM || error == -EACCES) && missing[0])
		return diag_fail(why, -EPERM,
				 "not permitted to load the XDP program: this process lacks %s; "
				 "steer needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
				 missing);
	return diag_fail(why, -EOPNOTSUPP, "the kernel refused the XDP program: %s%s%s",
			 strerror(-error), length ? "\n" : "",
			 length > LOG_SHOWN ? log + length - LOG_SHOWN : log);
}

/* Start the timer of a program that takes over from another one; with nothing to do it stops. */
static int pin_timer(const char *dir, int arm, struct diag *why)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int error = pin_as(arm, dir, "arm", why);

	return error ? error : bpf_prog_test_run_opts(arm, &run);
}

static int load(const char *dir, const struct steer_facts *facts, int *ret_fd, struct diag *why)
{
	auto_free char *log = calloc(1, LOG_BYTES);
	struct steer_bpf *skel = NULL;
	int error;

	if (!log)
		return diag_fail(why, -ENOMEM, "out of memory loading the program");
	error = open_skeleton(dir, facts, &skel, why);
	if (error)
		return error;
	(void)bpf_program__set_log_buf(skel->progs.steer, log, LOG_BYTES);
	error = steer_bpf__load(skel);
	if (error) {
		error = explain_refusal(error, log, why);
	} else {
		error = pin_timer(dir, bpf_program__fd(skel->progs.arm), why);
		if (!error)
			*ret_fd = dup(bpf_program__fd(skel->progs.steer));
		if (!error && *ret_fd < 0)
			error = diag_fail(why, -errno, "cannot keep the XDP program: %m");
	}
	steer_bpf__destroy(skel);
	return error;
}

int loader_install(const char *dir, const struct steer_facts *facts, bool *ret_changed,
		   struct diag *why)
{
	auto_close int current = -1;
	auto_close int fresh = -1;
	auto_close int former = -1;
	int error = make_dirs(dir, why);

	if (error)
		return error;
	*ret_changed = false;
	current = open_current(dir, facts);
	if (current >= 0)
		return links_update(dir, current, -1, ret_changed, why);
	if (loader_open(dir, &former, NULL) < 0)
		former = -1;
	error = load(dir, facts, &fresh, why);
	if (!error)
		error = links_update(dir, fresh, former, ret_changed, why);
	if (!error) {
		error = pin_program(dir, fresh, facts, why);
		if (error && former >= 0)
			(void)links_update(dir, former, -1, ret_changed, NULL);
	}
	*ret_changed = true;
	return error;
}

int loader_open(const char *dir, int *ret_fd, struct diag *why)
{
	char path[PIN_PATH];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/program", dir);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return diag_fail(why, fd, "cannot open %s: %s", path, strerror(-fd));
	*ret_fd = fd;
	return 0;
}
