// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/members.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/facts.h"
#include "core/rtnetlink.h"

/* The kernel fills dumps in pieces of at most this: NLMSG_GOODSIZE grows up to 32 KiB. */
#define DUMP_BYTES 32768
#define DUMP_TRIES 10

static bool is_bond_port(const struct nlattr *info)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, info)
	{
		if (mnl_attr_get_type(attribute) == IFLA_INFO_SLAVE_KIND &&
		    mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			return strcmp(mnl_attr_get_str(attribute), "bond") == 0;
	}
	return false;
}

int members_read(const struct nlmsghdr *header, struct members *members)
{
	const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);
	const struct nlattr *attribute;
	uint32_t master = 0;
	bool is_bonded = false;

	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		if (mnl_attr_get_type(attribute) == IFLA_MASTER &&
		    mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
			master = mnl_attr_get_u32(attribute);
		else if (mnl_attr_get_type(attribute) == IFLA_LINKINFO)
			is_bonded = is_bond_port(attribute);
	}
	if (!is_bonded || master == 0)
		return 0;
	for (size_t i = 0; i < members->n_masters; i++) {
		if (members->masters[i] != master)
			continue;
		if (facts_add_member(members->facts, (uint32_t)message->ifi_index, master) == 0)
			return 0;
		return diag_fail(members->why, -E2BIG,
				 "interface %s: more than %d bond members in all; steer follows "
				 "at most that many",
				 members->interfaces[i].name, STEER_MEMBERS);
	}
	return 0;
}

static int read_message(const struct nlmsghdr *header, void *data)
{
	int error = members_read(header, data);

	if (error == 0)
		return MNL_CB_OK;
	errno = -error;
	return MNL_CB_ERROR;
}

static int dump_links(struct members *members)
{
	auto_free uint8_t *buffer = malloc(DUMP_BYTES);
	auto_netlink struct mnl_socket *netlink = rtnetlink_open();
	struct nlmsghdr *request;
	struct ifinfomsg *message;
	int more = MNL_CB_OK;

	if (!netlink)
		return -errno;
	if (!buffer)
		return -ENOMEM;
	request = mnl_nlmsg_put_header(buffer);
	request->nlmsg_type = RTM_GETLINK;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = 1;
	message = mnl_nlmsg_put_extra_header(request, sizeof(*message));
	message->ifi_family = AF_UNSPEC;
	if (mnl_socket_sendto(netlink, request, request->nlmsg_len) < 0)
		return -errno;
	while (more > MNL_CB_STOP) {
		ssize_t size = mnl_socket_recvfrom(netlink, buffer, DUMP_BYTES);

		if (size < 0)
			return -errno;
		more = mnl_cb_run(buffer, (size_t)size, 1, mnl_socket_get_portid(netlink),
				  read_message, members);
	}
	return more < 0 ? -errno : 0;
}

int members_fill(const struct interface *interfaces, size_t n_interfaces, struct steer_facts *facts,
		 struct diag *why)
{
	auto_free uint32_t *masters = calloc(n_interfaces + 1, sizeof(*masters));
	struct members members = {.interfaces = interfaces,
				  .masters = masters,
				  .n_masters = n_interfaces,
				  .facts = facts,
				  .why = why};
	int error = -EINTR;

	if (!masters)
		return diag_fail(why, -ENOMEM, "out of memory reading the interfaces");
	for (size_t i = 0; i < n_interfaces; i++)
		masters[i] = if_nametoindex(interfaces[i].name);
	/* A list that changed while it was read ends in EINTR. */
	for (int tries = 0; tries < DUMP_TRIES && error == -EINTR; tries++) {
		memset(facts->member, 0, sizeof(facts->member));
		error = dump_links(&members);
	}
	if (error && error != -E2BIG)
		return diag_fail(why, error, "cannot list the interfaces: %s", strerror(-error));
	return error;
}
