/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IP and MAC addresses as text and bytes. IPv4 is kept as ::ffff:a.b.c.d everywhere.
 */
#ifndef STEER_BASE_ADDRESS_H
#define STEER_BASE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct diag;

struct address {
	uint8_t bytes[16]; /* network order; IPv4 mapped */
};

#define ADDRESS_TEXT INET6_ADDRSTRLEN
#define MAC_TEXT     18

bool address_is_ipv4(const struct address *address);

/* Read "192.0.2.1" or "2001:db8::1". Errors: -EINVAL. */
int address_parse(const char *text, struct address *ret_address, struct diag *why);

/* Print into @buffer and return it. */
const char *address_format(const struct address *address, char buffer[static ADDRESS_TEXT]);

/* Read "02:00:00:00:00:12"; multicast and all-zero addresses are refused. Errors: -EINVAL. */
int mac_parse(const char *text, uint8_t ret_mac[static 6], struct diag *why);
const char *mac_format(const uint8_t mac[static 6], char buffer[static MAC_TEXT]);

#endif
