/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses as text and bytes. One spelling per address family: an IPv4 address is never read in
 * its IPv6-mapped form, so that two texts of one family cannot hide the same frontend.
 */
#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool address_is_ipv4(const struct address *address)
{
	return memcmp(address->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

int address_parse(const char *text, struct address *ret_address, struct diag *why)
{
	struct address read;

	memcpy(read.bytes, mapped_prefix, sizeof(mapped_prefix));
	if (inet_pton(AF_INET, text, read.bytes + sizeof(mapped_prefix)) == 1) {
		*ret_address = read;
		return 0;
	}
	if (inet_pton(AF_INET6, text, read.bytes) != 1)
		return diag_fail(why, -EINVAL,
				 "'%.64s' is not an IP address; 192.0.2.1 or 2001:db8::1 is", text);
	if (address_is_ipv4(&read)) {
		char buffer[ADDRESS_TEXT];

		return diag_fail(why, -EINVAL,
				 "'%.64s' is an IPv4 address mapped into IPv6; write it as %s",
				 text, address_format(&read, buffer));
	}
	*ret_address = read;
	return 0;
}

const char *address_format(const struct address *address, char buffer[static ADDRESS_TEXT])
{
	if (address_is_ipv4(address))
		inet_ntop(AF_INET, address->bytes + sizeof(mapped_prefix), buffer, ADDRESS_TEXT);
	else
		inet_ntop(AF_INET6, address->bytes, buffer, ADDRESS_TEXT);
	return buffer;
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

int mac_parse(const char *text, uint8_t ret_mac[static 6], struct diag *why)
{
	static const uint8_t zero[6];
	uint8_t mac[6];

	if (strlen(text) != MAC_TEXT - 1)
		goto malformed;
	for (size_t i = 0; i < 6; i++) {
		int high = hex_digit(text[3 * i]);
		int low = hex_digit(text[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
			goto malformed;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	if (memcmp(mac, zero, 6) == 0)
		return diag_fail(why, -EINVAL, "MAC address '%s' is all zero; it names no host",
				 text);
	if (mac[0] & 1)
		return diag_fail(why, -EINVAL,
				 "MAC address '%s' is a multicast address; a single host is needed",
				 text);
	memcpy(ret_mac, mac, 6);
	return 0;

malformed:
	return diag_fail(why, -EINVAL,
			 "'%.64s' is not a MAC address; six bytes like 02:00:00:00:00:12 are",
			 text);
}

const char *mac_format(const uint8_t mac[static 6], char buffer[static MAC_TEXT])
{
	(void)snprintf(buffer, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		       mac[3], mac[4], mac[5]);
	return buffer;
}
