// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Backend address -> next hop: route, then link, then neighbour, each one netlink question.
 *
 * The data plane writes this answer into the backend record once, so that no packet pays for a
 * FIB look-up. Who re-asks when neighbours change is the daemon's business.
 */
#include "core/nexthop.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/diag.h"
#include "base/own.h"

#define DISCARD_PORT	  9 /* RFC 863 */
#define NEIGHBOUR_POLL_MS 5
/* The kernel gives an unanswered address up after about 3 s; ask again sooner. */
#define PROVOKE_EVERY_MS 500
#define NUD_USABLE	 (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

struct route {
	uint8_t type; /* RTN_* */
	uint32_t ifindex;
	int via_family;	 /* of the neighbour: IPv4 routes may go by an IPv6 gateway */
	uint8_t via[16]; /* the gateway, or the backend itself; 4 bytes used for AF_INET */
};

struct link {
	uint16_t hardware; /* ARPHRD_* */
	bool is_loopback;
	bool has_mac;
	uint8_t mac[6];
	bool is_vlan;
	bool parent_is_elsewhere; /* in another network namespace */
	uint16_t vlan;
	uint16_t vlan_protocol; /* host order */
	uint32_t parent;	/* ifindex */
};

struct neighbour {
	bool is_usable;
	uint8_t mac[6];
};

static size_t family_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

static void close_netlink(struct mnl_socket **socket)
{
	if (*socket)
		(void)mnl_socket_close(*socket);
}

#define auto_netlink __attribute__((cleanup(close_netlink)))

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

static int get_route(struct mnl_socket *netlink, const struct address *backend,
		     struct route *ret_route)
{
	uint8_t buffer[512];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	int family = address_is_ipv4(backend) ? AF_INET : AF_INET6;
	size_t size = family_size(family);
	struct route route = {.via_family = family};
	struct rtmsg *message;
	int error;

	memcpy(route.via, backend->bytes + 16 - size, size);
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

static int get_link(struct mnl_socket *netlink, uint32_t ifindex, struct link *ret_link)
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

static int get_neighbour(struct mnl_socket *netlink, const struct route *route,
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

/* Make the kernel resolve the next hop. Best effort: the caller looks at the neighbour table. */
static void provoke(const struct address *backend, uint32_t ifindex)
{
	bool is_ipv4 = address_is_ipv4(backend);
	int family = is_ipv4 ? AF_INET : AF_INET6;
	auto_close int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(DISCARD_PORT)};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(DISCARD_PORT)};

	if (fd < 0)
		return;
	memcpy(&ipv4.sin_addr, backend->bytes + 12, 4);
	memcpy(&ipv6.sin6_addr, backend->bytes, 16);
	if (IN6_IS_ADDR_LINKLOCAL(&ipv6.sin6_addr))
		ipv6.sin6_scope_id = ifindex;
	(void)sendto(fd, "", 1, MSG_NOSIGNAL, is_ipv4 ? (void *)&ipv4 : (void *)&ipv6,
		     is_ipv4 ? sizeof(ipv4) : sizeof(ipv6));
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int resolve_route(struct mnl_socket *netlink, const struct address *backend,
			 const char *name, struct route *ret_route, struct diag *why)
{
	char text[ADDRESS_TEXT];
	struct route route;
	int error = get_route(netlink, backend, &route);

	address_format(backend, text);
	/* An unreachable, prohibit or blackhole route answers with its own errno. */
	if (error == -ENETUNREACH || error == -EHOSTUNREACH || error == -EACCES || error == -EINVAL)
		return diag_fail(why, -ENETUNREACH, "backend %s: no route to %s", name, text);
	if (error) {
		errno = -error;
		return diag_fail(why, error, "backend %s: cannot ask for the route to %s: %m", name,
				 text);
	}
	if (route.type == RTN_UNREACHABLE || route.type == RTN_BLACKHOLE ||
	    route.type == RTN_PROHIBIT)
		return diag_fail(why, -ENETUNREACH, "backend %s: the route to %s refuses packets",
				 name, text);
	if (route.type == RTN_LOCAL)
		return diag_fail(why, -EINVAL, "backend %s: %s is an address of this host", name,
				 text);
	if (route.type != RTN_UNICAST || !route.ifindex)
		return diag_fail(why, -EINVAL, "backend %s: %s is not the address of one host",
				 name, text);
	*ret_route = route;
	return 0;
}

static int resolve_vlan(struct mnl_socket *netlink, const char *name, const char *device,
			const struct link *link, struct nexthop *hop, struct diag *why)
{
	struct link parent;
	int error;

	if (link->vlan_protocol && link->vlan_protocol != ETH_P_8021Q)
		return diag_fail(why, -EINVAL,
				 "backend %s: the route leaves by %s, which is not an 802.1Q VLAN",
				 name, device);
	if (link->parent_is_elsewhere || !link->parent)
		return diag_fail(why, -EINVAL,
				 "backend %s: the parent of VLAN device %s is not in this network "
				 "namespace",
				 name, device);
	error = get_link(netlink, link->parent, &parent);
	if (error) {
		errno = -error;
		return diag_fail(why, error, "backend %s: cannot read the parent of %s: %m", name,
				 device);
	}
	if (parent.is_vlan)
		return diag_fail(
			why, -EINVAL,
			"backend %s: the route leaves by %s, a VLAN inside a VLAN; one tag "
			"is supported",
			name, device);
	hop->ifindex = link->parent;
	hop->vlan = link->vlan;
	return 0;
}

static int resolve_link(struct mnl_socket *netlink, const char *name, uint32_t ifindex,
			struct nexthop *hop, struct diag *why)
{
	char device[IF_NAMESIZE] = "?";
	struct link link;
	int error = get_link(netlink, ifindex, &link);

	(void)if_indextoname(ifindex, device);
	if (error) {
		errno = -error;
		return diag_fail(why, error, "backend %s: cannot read interface %s: %m", name,
				 device);
	}
	if (link.is_loopback || link.hardware != ARPHRD_ETHER || !link.has_mac)
		return diag_fail(why, -EINVAL,
				 "backend %s: the route leaves by %s, which is not an Ethernet "
				 "interface",
				 name, device);
	memcpy(hop->mac_src, link.mac, sizeof(hop->mac_src));
	hop->ifindex = ifindex;
	return link.is_vlan ? resolve_vlan(netlink, name, device, &link, hop, why) : 0;
}

static int fail_unanswered(const struct route *route, const char *name, int wait_ms,
			   struct diag *why)
{
	struct address via = {.bytes = {[10] = 0xff, [11] = 0xff}};
	size_t size = family_size(route->via_family);
	char device[IF_NAMESIZE] = "?";
	char text[ADDRESS_TEXT];

	memcpy(via.bytes + 16 - size, route->via, size);
	(void)if_indextoname(route->ifindex, device);
	return diag_fail(why, -EHOSTUNREACH, "backend %s: no answer from %s on %s within %d ms",
			 name, address_format(&via, text), device, wait_ms);
}

static int resolve_neighbour(struct mnl_socket *netlink, const struct address *backend,
			     const struct route *route, const char *name, int wait_ms,
			     struct nexthop *hop, struct diag *why)
{
	const struct timespec pause = {.tv_nsec = NEIGHBOUR_POLL_MS * 1000000L};
	int64_t start_ms = now_ms();
	int64_t provoke_at_ms = start_ms;

	for (;;) {
		struct neighbour neighbour;
		int error = get_neighbour(netlink, route, &neighbour);

		if (error) {
			errno = -error;
			return diag_fail(why, error,
					 "backend %s: cannot read the neighbour table: %m", name);
		}
		if (neighbour.is_usable) {
			memcpy(hop->mac_dst, neighbour.mac, sizeof(hop->mac_dst));
			return 0;
		}
		if (now_ms() >= provoke_at_ms) {
			provoke(backend, route->ifindex);
			provoke_at_ms += PROVOKE_EVERY_MS;
		}
		if (now_ms() - start_ms >= wait_ms)
			return fail_unanswered(route, name, wait_ms, why);
		(void)nanosleep(&pause, NULL);
	}
}

int nexthop_resolve(const struct address *backend, const uint8_t *mac, const char *name,
		    int wait_ms, struct nexthop *ret_hop, struct diag *why)
{
	auto_netlink struct mnl_socket *netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct nexthop hop = {0};
	struct route route;
	int error;

	assert(backend && name && ret_hop);
	if (!netlink || mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		return diag_fail(why, -errno, "cannot open a netlink socket: %m");

	error = resolve_route(netlink, backend, name, &route, why);
	if (!error)
		error = resolve_link(netlink, name, route.ifindex, &hop, why);
	if (error)
		return error;
	if (mac)
		memcpy(hop.mac_dst, mac, sizeof(hop.mac_dst));
	else
		error = resolve_neighbour(netlink, backend, &route, name, wait_ms, &hop, why);
	if (!error)
		*ret_hop = hop;
	return error;
}
