// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/links.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/loader.h"

/* Pin of an interface's link. A BPF file system takes no dots, so they become '+'. */
static void link_path(const char *dir, const char *interface, char path[static LINK_PATH])
{
	size_t start = strlen(dir) + strlen("/links/");

	(void)snprintf(path, LINK_PATH, "%s/links/%s", dir, interface);
	for (size_t at = start; at < LINK_PATH && path[at]; at++)
		if (path[at] == '.')
			path[at] = '+';
}

/* Program on an interface of this network namespace, 0 = none. */
static uint32_t program_on(int ifindex, bool *ret_generic)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query(ifindex, 0, &query) < 0)
		return 0;
	*ret_generic = query.attach_mode == XDP_ATTACHED_SKB;
	return query.prog_id;
}

static struct link_state look(int link, const char *interface)
{
	struct link_state state = {.condition = LINK_NONE};
	struct bpf_link_info info = {0};
	uint32_t bytes = sizeof(info);

	if (link < 0 || bpf_obj_get_info_by_fd(link, &info, &bytes) < 0)
		return state;
	state.condition = LINK_DEAD;
	state.ifindex = info.xdp.ifindex;
	state.program_id = info.prog_id;
	if (state.ifindex == 0)
		return state;
	state.condition = LINK_ELSEWHERE;
	if (program_on((int)state.ifindex, &state.is_generic) == state.program_id)
		state.condition =
			if_nametoindex(interface) == state.ifindex ? LINK_ATTACHED : LINK_RENAMED;
	return state;
}

struct link_state link_look(const char *dir, const char *interface)
{
	char path[LINK_PATH];
	auto_close int link = -1;

	link_path(dir, interface, path);
	link = bpf_obj_get(path);
	return look(link, interface);
}

static const char *foreign_program(int ifindex, char *buffer, size_t size)
{
	struct bpf_prog_info info = {0};
	uint32_t bytes = sizeof(info);
	bool is_generic;
	uint32_t id = program_on(ifindex, &is_generic);
	int fd;

	if (!id)
		return "another program";
	fd = bpf_prog_get_fd_by_id(id);
	if (fd >= 0) {
		(void)bpf_obj_get_info_by_fd(fd, &info, &bytes);
		(void)close(fd);
	}
	if (info.name[0])
		(void)snprintf(buffer, size, "XDP program '%s' (id %u)", info.name, id);
	else
		(void)snprintf(buffer, size, "XDP program id %u", id);
	return buffer;
}

static int read_mtu(const char *interface)
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return fd >= 0 && ioctl(fd, SIOCGIFMTU, &request) == 0 ? request.ifr_mtu : 0;
}

/* What a driver most likely means; its own words go to the kernel log at best. */
static const char *likely_reason(int error, const char *interface, char *buffer, size_t size)
{
	int mtu = read_mtu(interface);

	if (error == -ERANGE || ((error == -EINVAL || error == -E2BIG) && mtu > 1500))
		(void)snprintf(buffer, size,
			       "%s; the MTU (%d here; the peer's counts for a veth) is likely more "
			       "than the driver takes with XDP",
			       strerror(-error), mtu);
	else if (error == -EOPNOTSUPP)
		(void)snprintf(buffer, size,
			       "%s; the driver has no native XDP, or an offload such as LRO is in "
			       "its way",
			       strerror(-error));
	else
		(void)snprintf(buffer, size, "%s", strerror(-error));
	return buffer;
}

static int create_link(int program, int ifindex, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);

	return bpf_link_create(program, ifindex, BPF_XDP, &options);
}

static bool is_taken(int error)
{
	return error == -EBUSY || error == -EEXIST;
}

static int create(int program, const struct interface *interface, int ifindex, int *ret_link,
		  struct diag *notice, struct diag *why)
{
	bool wants_generic = interface->mode == INTERFACE_GENERIC;
	char name[64], reason[256];
	int link = create_link(program, ifindex,
			       wants_generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);

	if (link < 0 && !is_taken(link) && interface->mode == INTERFACE_AUTO) {
		int native = link;

		link = create_link(program, ifindex, XDP_FLAGS_SKB_MODE);
		if (link >= 0)
			diag_line(notice,
				  "%s: native XDP was refused (%s): attached in generic mode, "
				  "which is several times slower",
				  interface->name,
				  likely_reason(native, interface->name, reason, sizeof(reason)));
	}
	if (is_taken(link))
		return diag_fail(why, -EEXIST,
				 "interface %s already carries %s; steer never replaces somebody "
				 "else's program: detach it first",
				 interface->name, foreign_program(ifindex, name, sizeof(name)));
	if (link < 0)
		return diag_fail(why, -EOPNOTSUPP, "cannot attach to interface %s%s: %s",
				 interface->name, wants_generic ? "" : " natively",
				 likely_reason(link, interface->name, reason, sizeof(reason)));
	*ret_link = link;
	return 0;
}

static bool has_mode(const struct link_state *state, enum interface_mode mode)
{
	return mode == INTERFACE_AUTO || state->is_generic == (mode == INTERFACE_GENERIC);
}

/* Native and generic programs exclude each other: off with the old one first. */
static int change_mode(const char *dir, int program, const struct interface *interface, int ifindex,
		       int *ret_link, struct diag *notice, struct diag *why)
{
	struct interface former = {.mode = interface->mode == INTERFACE_NATIVE ? INTERFACE_GENERIC
									       : INTERFACE_NATIVE};
	int error = link_detach(dir, interface->name, why);

	if (error)
		return error;
	error = create(program, interface, ifindex, ret_link, notice, why);
	if (!error) {
		diag_line(notice, "%s: changed to %s mode; packets passed to the host meanwhile",
			  interface->name,
			  interface->mode == INTERFACE_NATIVE ? "native" : "generic");
		return 0;
	}
	memcpy(former.name, interface->name, sizeof(former.name));
	if (create(program, &former, ifindex, ret_link, NULL, NULL) == 0) {
		char path[LINK_PATH];

		link_path(dir, interface->name, path);
		(void)bpf_obj_pin(*ret_link, path);
	}
	return error;
}

/* Pin a new link; what held the place is dead or attached to a renamed interface. */
static int pin(const char *dir, const char *interface, int link, struct diag *why)
{
	char path[LINK_PATH];
	int error = link_detach(dir, interface, why);

	if (error)
		return error;
	link_path(dir, interface, path);
	error = bpf_obj_pin(link, path);
	return error ? diag_fail(why, error, "cannot pin %s: %s", path, strerror(-error)) : 0;
}

int link_attach(const char *dir, const struct interface *interface, bool *ret_created,
		struct diag *notice, struct diag *why)
{
	int ifindex = (int)if_nametoindex(interface->name);
	struct link_state state = link_look(dir, interface->name);
	auto_close int program = -1;
	auto_close int link = -1;
	int error;

	*ret_created = false;
	if (state.condition == LINK_ELSEWHERE)
		return diag_fail(why, -EXDEV,
				 "interface %s: the program is attached in another network "
				 "namespace (interface number %u there); run this command there",
				 interface->name, state.ifindex);
	if (ifindex == 0)
		return diag_fail(why, -ENODEV,
				 "interface '%s' does not exist (ip link shows those that do)",
				 interface->name);
	if (state.condition == LINK_ATTACHED && has_mode(&state, interface->mode))
		return 0;
	error = loader_open(dir, &program, why);
	if (!error && state.condition == LINK_ATTACHED)
		error = change_mode(dir, program, interface, ifindex, &link, notice, why);
	else if (!error)
		error = create(program, interface, ifindex, &link, notice, why);
	if (!error)
		error = pin(dir, interface->name, link, why);
	*ret_created = !error;
	return error;
}

int link_detach(const char *dir, const char *interface, struct diag *why)
{
	char path[LINK_PATH];
	int link;

	link_path(dir, interface, path);
	link = bpf_obj_get(path);
	if (link >= 0) {
		(void)bpf_link_detach(link);
		(void)close(link);
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return diag_fail(why, -errno, "cannot remove %s: %m", path);
	return 0;
}

static DIR *open_links(const char *dir)
{
	char path[LINK_PATH];

	(void)snprintf(path, sizeof(path), "%s/links", dir);
	return opendir(path);
}

/* Name of the next pin, or NULL. It is an interface's name with '+' for '.'. */
static const char *next_link(DIR *stream)
{
	struct dirent *entry;

	while (stream && (entry = readdir(stream)))
		if (entry->d_name[0] != '.')
			return entry->d_name;
	return NULL;
}

static void close_links(DIR **stream)
{
	if (*stream)
		(void)closedir(*stream);
}

#define auto_links __attribute__((cleanup(close_links)))

static uint32_t id_of(int program)
{
	struct bpf_prog_info info = {0};
	uint32_t bytes = sizeof(info);

	return bpf_obj_get_info_by_fd(program, &info, &bytes) < 0 ? 0 : info.id;
}

/* Returns 1 if the link was moved, 0 if there was nothing to do, or -errno. */
static int update(const char *dir, const char *name, int program, uint32_t id)
{
	char path[LINK_PATH];
	auto_close int link = -1;
	struct link_state state;
	int error;

	link_path(dir, name, path);
	link = bpf_obj_get(path);
	state = look(link, name);
	if (state.ifindex == 0 || state.program_id == id)
		return 0;
	error = bpf_link_update(link, program, NULL);
	return error ? error : 1;
}

int links_update(const char *dir, int program, int former, bool *ret_changed, struct diag *why)
{
	auto_links DIR *stream = open_links(dir);
	uint32_t id = id_of(program);
	const char *name;

	while ((name = next_link(stream))) {
		int moved = update(dir, name, program, id);

		if (moved < 0) {
			bool ignored = false;

			(void)diag_fail(why, moved,
					"interface %s refused the new program: %s; the former one "
					"stays",
					name, strerror(-moved));
			if (former >= 0)
				(void)links_update(dir, former, -1, &ignored, NULL);
			return moved;
		}
		*ret_changed |= moved > 0;
	}
	return 0;
}

static bool is_wanted(const struct policy *policy, const char *dir, const char *name)
{
	char pinned[LINK_PATH], path[LINK_PATH];

	link_path(dir, name, pinned);
	for (size_t i = 0; policy && i < policy->n_interfaces; i++) {
		link_path(dir, policy->interfaces[i].name, path);
		if (strcmp(path, pinned) == 0)
			return true;
	}
	return false;
}

void links_detach_others(const char *dir, const struct policy *policy, struct diag *notice)
{
	auto_links DIR *stream = open_links(dir);
	const char *name;

	while ((name = next_link(stream))) {
		struct diag why;

		if (is_wanted(policy, dir, name))
			continue;
		if (link_detach(dir, name, &why) == 0)
			diag_line(notice, "%s: detached, it is not in the configuration", name);
		else
			diag_line(notice, "%s", why.text);
	}
}

bool links_any_alive(const char *dir, char ret_name[static LINK_NAME])
{
	auto_links DIR *stream = open_links(dir);
	const char *name;

	while ((name = next_link(stream))) {
		if (link_look(dir, name).ifindex == 0)
			continue;
		(void)snprintf(ret_name, LINK_NAME, "%.*s", LINK_NAME - 1, name);
		return true;
	}
	return false;
}
