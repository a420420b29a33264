// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which next hop a backend has: by which route, link and neighbour, and which of them will not do.
 *
 * The data plane writes this answer into the backend record once, so that no packet pays for a
 * FIB look-up. Who re-asks when neighbours change is the daemon's business.
 */
#include "core/nexthop.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/diag.h"
#include "base/own.h"
#include "base/time_text.h"
#include "core/rtnetlink.h"

#define DISCARD_PORT	  9 /* RFC 863 */
#define NEIGHBOUR_POLL_MS 5
/* The kernel gives an unanswered address up after about 3 s; ask again sooner. */
#define PROVOKE_EVERY_MS 500

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

static int resolve_route(struct mnl_socket *netlink, const struct address *backend,
			 const char *name, struct route *ret_route, struct diag *why)
{
	char text[ADDRESS_TEXT];
	struct route route;
	int error = rtnetlink_route(netlink, backend, &route);

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
	error = rtnetlink_link(netlink, link->parent, &parent);
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
	int error = rtnetlink_link(netlink, ifindex, &link);

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
	int64_t start_ms = time_now_ms();
	int64_t provoke_at_ms = start_ms;

	for (;;) {
		struct neighbour neighbour;
		int error = rtnetlink_neighbour(netlink, route, &neighbour);

		if (error) {
			errno = -error;
			return diag_fail(why, error,
					 "backend %s: cannot read the neighbour table: %m", name);
		}
		if (neighbour.is_usable) {
			memcpy(hop->mac_dst, neighbour.mac, sizeof(hop->mac_dst));
			return 0;
		}
		if (time_now_ms() >= provoke_at_ms) {
			provoke(backend, route->ifindex);
			provoke_at_ms += PROVOKE_EVERY_MS;
		}
		if (time_now_ms() - start_ms >= wait_ms)
			return fail_unanswered(route, name, wait_ms, why);
		(void)nanosleep(&pause, NULL);
	}
}

int nexthop_resolve(const struct address *backend, const uint8_t *mac, const char *name,
		    int wait_ms, struct nexthop *ret_hop, struct diag *why)
{
	auto_netlink struct mnl_socket *netlink = rtnetlink_open();
	struct nexthop hop = {0};
	struct route route;
	int error;

	assert(backend && name && ret_hop);
	if (!netlink)
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
