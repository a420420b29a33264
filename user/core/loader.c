// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/loader.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/dataplane.h"
#include "steer/hash.h"
#include "steer.skel.h"

#define PIN_PATH 256

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
};

static void service_facts(struct steer_facts *facts, const struct service *service)
{
	for (size_t i = 0; i < service->n_frontends; i++) {
		const struct frontend *frontend = &service->frontends[i];

		if (address_is_ipv4(&frontend->address))
			facts->ipv4 = 1;
		else
			facts->ipv6 = 1;
		if (frontend->protocol == IPPROTO_UDP)
			facts->udp = 1;
	}
}

struct steer_facts loader_facts(const struct policy *policy)
{
	const struct service *first = policy->services;
	struct steer_facts facts = {.one_prefix = 1};

	for (size_t i = 0; i < policy->n_services; i++) {
		const struct service *service = &policy->services[i];

		service_facts(&facts, service);
		if (service->prefix4 != first->prefix4 || service->prefix6 != first->prefix6)
			facts.one_prefix = 0;
	}
	if (facts.one_prefix && policy->n_services) {
		facts.client_mask4 = steer_mask(first->prefix4, 0);
		for (uint32_t i = 0; i < 4; i++)
			facts.client_mask6[i] = steer_mask(first->prefix6, i);
	}
	return facts;
}

static int make_dirs(const char *dir, struct diag *why)
{
	static const char *const folders[] = {"",      "/maps",	  "/frontends", "/table",
					      "/page", "/policy", "/links",	"/counters"};
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

	libbpf_set_print(NULL);
	skel = steer_bpf__open();
	if (!skel)
		return diag_fail(why, -errno, "cannot open the XDP program: %m");
	*(struct steer_facts *)&skel->rodata->facts = *facts;
	skel->data_control->control.abi = STEER_ABI;
	if (dir && set_pins(skel, dir) < 0) {
		steer_bpf__destroy(skel);
		return diag_fail(why, -EINVAL, "a map of the XDP program is missing");
	}
	*ret_skel = skel;
	return 0;
}

int loader_load(const char *dir, const struct steer_facts *facts, struct diag *why)
{
	static char log[16384];
	struct steer_bpf *skel = NULL;
	char path[PIN_PATH], fresh[PIN_PATH];
	int error = make_dirs(dir, why);

	if (!error)
		error = open_skeleton(dir, facts, &skel, why);
	if (error)
		return error;
	(void)bpf_program__set_log_buf(skel->progs.steer, log, sizeof(log));
	error = steer_bpf__load(skel);
	if (error) {
		size_t length = strlen(log);

		(void)diag_fail(why, error, "the kernel refused the XDP program: %s%s%s",
				strerror(-error), length ? "\n" : "",
				length > 800 ? log + length - 800 : log);
	} else {
		(void)snprintf(path, sizeof(path), "%s/program", dir);
		(void)snprintf(fresh, sizeof(fresh), "%s/program_new", dir);
		(void)unlink(fresh);
		error = bpf_obj_pin(bpf_program__fd(skel->progs.steer), fresh);
		if (!error && rename(fresh, path) < 0) {
			(void)unlink(path);
			error = rename(fresh, path) < 0 ? -errno : 0;
		}
		if (error)
			(void)diag_fail(why, error, "cannot pin %s: %s", path, strerror(-error));
	}
	steer_bpf__destroy(skel);
	return error;
}

static int open_program(const char *dir, int *ret_fd, struct diag *why)
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

/* A BPF file system takes no dots, VLAN interfaces have them. */
void loader_link_path(const char *dir, const char *interface, char path[static LINK_PATH])
{
	size_t start = strlen(dir) + strlen("/links/");

	(void)snprintf(path, LINK_PATH, "%s/links/%s", dir, interface);
	for (char *at = path + start; *at; at++)
		if (*at == '.')
			*at = '+';
}

static const char *foreign_program(int ifindex, char *buffer, size_t size)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct bpf_prog_info info = {0};
	uint32_t bytes = sizeof(info);
	int fd;

	if (bpf_xdp_query(ifindex, 0, &query) < 0 || !query.prog_id)
		return "another program";
	fd = bpf_prog_get_fd_by_id(query.prog_id);
	if (fd >= 0) {
		(void)bpf_obj_get_info_by_fd(fd, &info, &bytes);
		(void)close(fd);
	}
	(void)snprintf(buffer, size, "XDP program '%s' (id %u)", info.name, query.prog_id);
	return buffer;
}

static int create_link(int program, int ifindex, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);

	return bpf_link_create(program, ifindex, BPF_XDP, &options);
}

static int attach_new(const char *dir, int program, const struct interface *interface, int ifindex,
		      struct diag *notice, struct diag *why)
{
	char path[PIN_PATH], name[64];
	auto_close int link = -1;
	int error;

	link = create_link(program, ifindex,
			   interface->mode == INTERFACE_GENERIC ? XDP_FLAGS_SKB_MODE
								: XDP_FLAGS_DRV_MODE);
	if (link < 0 && link != -EBUSY && link != -EEXIST && interface->mode == INTERFACE_AUTO) {
		int native = link;

		link = create_link(program, ifindex, XDP_FLAGS_SKB_MODE);
		if (link >= 0)
			(void)diag_fail(notice, 0,
					"%s: native XDP was refused (%s), attached in generic "
					"mode, which is several times slower",
					interface->name, strerror(-native));
	}
	if (link == -EBUSY || link == -EEXIST)
		return diag_fail(why, -EBUSY,
				 "interface %s already carries %s; steer never replaces somebody "
				 "else's program: detach it first",
				 interface->name, foreign_program(ifindex, name, sizeof(name)));
	if (link < 0)
		return diag_fail(why, link, "cannot attach to interface %s: %s", interface->name,
				 strerror(-link));
	loader_link_path(dir, interface->name, path);
	error = bpf_obj_pin(link, path);
	return error ? diag_fail(why, error, "cannot pin %s: %s", path, strerror(-error)) : 0;
}

int loader_attach(const char *dir, const struct interface *interface, struct diag *notice,
		  struct diag *why)
{
	int ifindex = (int)if_nametoindex(interface->name);
	char path[PIN_PATH];
	auto_close int program = -1;
	auto_close int link = -1;
	int error;

	if (ifindex == 0)
		return diag_fail(why, -ENODEV,
				 "interface '%s' does not exist (ip link shows those that do)",
				 interface->name);
	error = open_program(dir, &program, why);
	if (error)
		return error;
	loader_link_path(dir, interface->name, path);
	link = bpf_obj_get(path);
	if (link >= 0) {
		error = bpf_link_update(link, program, NULL);
		if (!error)
			return 0;
		/* The link of an interface that has gone and come back is dead: make a new one. */
		(void)unlink(path);
	}
	return attach_new(dir, program, interface, ifindex, notice, why);
}

int loader_detach(const char *dir, const char *interface, struct diag *why)
{
	char path[PIN_PATH];
	int link;

	loader_link_path(dir, interface, path);
	link = bpf_obj_get(path);
	if (link >= 0) {
		(void)bpf_link_detach(link);
		(void)close(link);
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return diag_fail(why, -errno, "cannot remove %s: %m", path);
	return 0;
}
