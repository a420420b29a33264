/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel says of a route, a link, a neighbour: one rtnetlink question each, no judgement.
 */
#ifndef STEER_CORE_RTNETLINK_H
#define STEER_CORE_RTNETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

struct mnl_socket;

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

/* Bytes of an address of @family: 4 or 16. */
size_t family_size(int family);

/* Open a socket for the questions below, or return NULL with errno. */
struct mnl_socket *rtnetlink_open(void);
void rtnetlink_close(struct mnl_socket **netlink);
#define auto_netlink __attribute__((cleanup(rtnetlink_close)))

/* Errors of all three: -errno as the kernel gave it. A neighbour not known is 0, not usable. */
int rtnetlink_route(struct mnl_socket *netlink, const struct address *to, struct route *ret_route);
int rtnetlink_link(struct mnl_socket *netlink, uint32_t ifindex, struct link *ret_link);
int rtnetlink_neighbour(struct mnl_socket *netlink, const struct route *route,
			struct neighbour *ret_neighbour);

#endif
