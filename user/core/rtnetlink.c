// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/rtnetlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own.h"

#define NUD_USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

size_t family_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

struct mnl_socket *rtnetlink_open(void)
{
	auto_netlink struct mnl_socket *netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (!netlink || mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		return NULL;
	return take_ptr(netlink);
}

void rtnetlink_close(struct mnl_socket **netlink)
{
	if (*netlink)
		(void)mnl_socket_close(*netlink);
}

/* One request, one answer handed to @read. Returns 0, or -errno as the kernel gave it. */
static int ask(struct mnl_socket *netlink, struct nlmsghdr *request, mnl_cb_t read, void *data)
{
	uint8_t answer[16384]; /* a link with many virtual functions exceeds one page */
	static unsigned int sequence;
	unsigned int number = __atomic_add_fetch(&sequence, 1, __ATOMIC_RELAXED);
	ssize_t size;

	request->nlmsg_seq = number;
	if (mnl_socket_sendto(netlink, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		size = mnl_socket_recvfrom(netlink, answer, sizeof(answer));
	} while (size < 0 && errno == EINTR);
	if (size < 0)
		return -errno;
	if (mnl_cb_run(answer, (size_t)size, number, mnl_socket_get_portid(netlink), read, data) <
	    0)
		return -errno;
	return 0;
}

static int read_route(const struct nlmsghdr *header, void *data)
{
	struct route *route = data;
	const struct rtmsg *message = mnl_nlmsg_get_payload(header);
	const struct nlattr *attribute;

	route->type = message->rtm_type;
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		const void *payload = mnl_attr_get_payload(attribute);
		size_t size = mnl_attr_get_payload_len(attribute);

		switch (mnl_attr_get_type(attribute)) {
		case RTA_OIF:
			if (size == sizeof(uint32_t))
				route->ifindex = mnl_attr_get_u32(attribute);
			break;
		case RTA_GATEWAY:
			if (size == family_size(message->rtm_family)) {
				route->via_family = message->rtm_family;
				memcpy(route->via, payload, size);
			}
			break;
		case RTA_VIA: {
			const struct rtvia *via = payload;

			if (size == sizeof(*via) + 16 && via->rtvia_family == AF_INET6) {
				route->via_family = AF_INET6;
				memcpy(route->via, via->rtvia_addr, 16);
			}
			break;
		}
		default:
			break;
		}
	}
	return MNL_CB_OK;
}

static void read_link_info(const struct nlattr *info, struct link *link)
{
	const struct nlattr *attribute;
	const struct nlattr *details = NULL;

	mnl_attr_for_each_nested(attribute, info)
	{
		if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
			link->is_vlan = strcmp(mnl_attr_get_str(attribute), "vlan") == 0;
		else if (mnl_attr_get_type(attribute) == IFLA_INFO_DATA)
			details = attribute;
	}
	if (!link->is_vlan || !details)
		return;
	mnl_attr_for_each_nested(attribute, details)
	{
		if (mnl_attr_get_type(attribute) == IFLA_VLAN_ID)
			link->vlan = mnl_attr_get_u16(attribute);
		else if (mnl_attr_get_type(attribute) == IFLA_VLAN_PROTOCOL)
			link->vlan_protocol = ntohs(mnl_attr_get_u16(attribute));
	}
}

static int read_link(const struct nlmsghdr *header, void *data)
{
	struct link *link = data;
	const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);
	const struct nlattr *attribute;

	link->hardware = message->ifi_type;
	link->is_loopback = message->ifi_flags & IFF_LOOPBACK;
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		switch (mnl_attr_get_type(attribute)) {
		case IFLA_ADDRESS:
			link->has_mac = mnl_attr_get_payload_len(attribute) == sizeof(link->mac);
			if (link->has_mac)
				memcpy(link->mac, mnl_attr_get_payload(attribute),
				       sizeof(link->mac));
			break;
		case IFLA_LINK:
			link->parent = mnl_attr_get_u32(attribute);
			break;
		case IFLA_LINK_NETNSID:
			link->parent_is_elsewhere = true;
			break;
		case IFLA_LINKINFO:
			read_link_info(attribute, link);
			break;
		default:
			break;
		}
	}
	return MNL_CB_OK;
}

static int read_neighbour(const struct nlmsghdr *header, void *data)
{
	struct neighbour *neighbour = data;
	const struct ndmsg *message = mnl_nlmsg_get_payload(header);
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		if (mnl_attr_get_type(attribute) != NDA_LLADDR ||
		    mnl_attr_get_payload_len(attribute) != sizeof(neighbour->mac))
			continue;
		memcpy(neighbour->mac, mnl_attr_get_payload(attribute), sizeof(neighbour->mac));
		neighbour->is_usable = message->ndm_state & NUD_USABLE;
	}
	return MNL_CB_OK;
}

int rtnetlink_route(struct mnl_socket *netlink, const struct address *to, struct route *ret_route)
{
	uint8_t buffer[512];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	int family = address_is_ipv4(to) ? AF_INET : AF_INET6;
	size_t size = family_size(family);
	struct route route = {.via_family = family};
	struct rtmsg *message;
	int error;

	memcpy(route.via, to->bytes + 16 - size, size);
	request->nlmsg_type = RTM_GETROUTE;
	request->nlmsg_flags = NLM_F_REQUEST;
	message = mnl_nlmsg_put_extra_header(request, sizeof(*message));
	message->rtm_family = (unsigned char)family;
	message->rtm_dst_len = (unsigned char)(size * 8);
	mnl_attr_put(request, RTA_DST, size, route.via);

	error = ask(netlink, request, read_route, &route);
	if (!error)
		*ret_route = route;
	return error;
}

int rtnetlink_link(struct mnl_socket *netlink, uint32_t ifindex, struct link *ret_link)
{
	uint8_t buffer[512];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct link link = {0};
	struct ifinfomsg *message;
	int error;

	request->nlmsg_type = RTM_GETLINK;
	request->nlmsg_flags = NLM_F_REQUEST;
	message = mnl_nlmsg_put_extra_header(request, sizeof(*message));
	message->ifi_index = (int)ifindex;

	error = ask(netlink, request, read_link, &link);
	if (!error)
		*ret_link = link;
	return error;
}

int rtnetlink_neighbour(struct mnl_socket *netlink, const struct route *route,
			struct neighbour *ret_neighbour)
{
	uint8_t buffer[512];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct neighbour neighbour = {0};
	struct ndmsg *message;
	int error;

	request->nlmsg_type = RTM_GETNEIGH;
	request->nlmsg_flags = NLM_F_REQUEST;
	message = mnl_nlmsg_put_extra_header(request, sizeof(*message));
	message->ndm_family = (unsigned char)route->via_family;
	message->ndm_ifindex = (int)route->ifindex;
	mnl_attr_put(request, NDA_DST, family_size(route->via_family), route->via);

	error = ask(netlink, request, read_neighbour, &neighbour);
	if (!error || error == -ENOENT)
		*ret_neighbour = neighbour;
	return error == -ENOENT ? 0 : error;
}
