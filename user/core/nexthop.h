/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Backend address -> next hop, asked of the kernel through netlink (libmnl).
 */
#ifndef STEER_CORE_NEXTHOP_H
#define STEER_CORE_NEXTHOP_H

#include <stdint.h>

#include "base/address.h"

struct diag;

struct nexthop {
	uint8_t mac_dst[6];
	uint8_t mac_src[6]; /* of the interface that sends */
	uint32_t ifindex;   /* of the interface that sends; a VLAN device's parent */
	uint16_t vlan;	    /* id when the route leaves by a VLAN device, else 0 */
};

/*
 * nexthop_resolve - route, interface and neighbour towards @backend.
 *
 * @mac  next hop given by the operator, or NULL to ask the neighbour table; a neighbour that is
 *       not known is provoked (one UDP datagram to the discard port) and waited for.
 * @name the backend's name for the error sentence
 * Blocks up to @wait_ms. Errors: -ENETUNREACH no route; -EHOSTUNREACH no neighbour answered;
 * -EINVAL the route is local, loopback or leaves by a device without MAC address.
 */
int nexthop_resolve(const struct address *backend, const uint8_t *mac, const char *name,
		    int wait_ms, struct nexthop *ret_hop, struct diag *why);

#endif
