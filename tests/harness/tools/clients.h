/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Many clients on one host: ranges of source addresses, and sockets bound to one of them.
 *
 * Source addresses need a local route (`ip route add local RANGE dev lo`) and nothing else: they
 * are bound with IP_FREEBIND. For tools of one source file, which defines die().
 */
#ifndef STEER_TESTS_CLIENTS_H
#define STEER_TESTS_CLIENTS_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct range {
	int family;
	uint8_t first[16]; /* network order; IPv4 uses 4 bytes */
	uint64_t clients;  /* consecutive IPv4 addresses, or consecutive IPv6 /64s */
};

struct target {
	struct sockaddr_storage address;
	socklen_t size;
};

/* Complain about an argument and exit 2. */
static void die(const char *what, const char *text) __attribute__((noreturn));

static inline int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline uint64_t parse_number(const char *text, uint64_t lowest, uint64_t highest)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < lowest || value > highest)
		die("not a number in range:", text);
	return value;
}

/* The part that numbers clients: the IPv4 address, or the upper 64 bits of the IPv6 one. */
static inline uint64_t get_number(int family, const uint8_t *bytes)
{
	uint64_t number = 0;

	for (int i = 0; i < (family == AF_INET ? 4 : 8); i++)
		number = number << 8 | bytes[i];
	return number;
}

static inline void put_number(int family, uint8_t *bytes, uint64_t number)
{
	for (int i = family == AF_INET ? 3 : 7; i >= 0; i--, number >>= 8)
		bytes[i] = (uint8_t)number;
}

/* FIRST, FIRST-LAST or a prefix. */
static inline void parse_sources(const char *text, struct range *ret_range)
{
	struct range range = {.family = strchr(text, ':') ? AF_INET6 : AF_INET, .clients = 1};
	unsigned int bits = range.family == AF_INET ? 32 : 64;
	char copy[128];
	char *mark;
	char kind;

	if (strlen(text) >= sizeof(copy))
		die("not a range:", text);
	(void)strcpy(copy, text);
	mark = copy + strcspn(copy, "-/");
	kind = *mark;
	if (kind)
		*mark++ = '\0';
	if (inet_pton(range.family, copy, range.first) != 1)
		die("not an address:", copy);
	if (kind == '/') {
		uint64_t length = parse_number(mark, bits - 31, bits);
		uint64_t first = get_number(range.family, range.first);

		range.clients = 1ULL << (bits - length);
		put_number(range.family, range.first, first & ~(range.clients - 1));
		if (range.family == AF_INET6)
			range.first[15] |= !range.first[15]; /* host ::1, not the router anycast */
	} else if (kind == '-') {
		uint8_t last[16];

		if (inet_pton(range.family, mark, last) != 1 ||
		    get_number(range.family, last) < get_number(range.family, range.first))
			die("not a range:", text);
		range.clients =
			get_number(range.family, last) - get_number(range.family, range.first) + 1;
	}
	*ret_range = range;
}

/* ADDRESS:PORT or [ADDRESS]:PORT */
static inline void parse_target(const char *text, struct target *ret_target)
{
	struct sockaddr_in *ipv4 = (void *)&ret_target->address;
	struct sockaddr_in6 *ipv6 = (void *)&ret_target->address;
	char copy[128];
	char *colon;
	in_port_t port;

	if (strncmp(text, "http://", 7) == 0)
		text += 7;
	if (strlen(text) >= sizeof(copy))
		die("not ADDRESS:PORT:", text);
	(void)strcpy(copy, text);
	colon = strrchr(copy, ':');
	if (!colon)
		die("not ADDRESS:PORT:", text);
	*colon = '\0';
	port = htons((uint16_t)parse_number(colon + 1, 1, 65535));
	if (copy[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		*ipv6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		if (inet_pton(AF_INET6, copy + 1, &ipv6->sin6_addr) != 1)
			die("not an IPv6 address:", copy + 1);
		ret_target->size = sizeof(*ipv6);
	} else {
		*ipv4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
		if (inet_pton(AF_INET, copy, &ipv4->sin_addr) != 1)
			die("not an IPv4 address:", copy);
		ret_target->size = sizeof(*ipv4);
	}
}

static inline void client_address(const struct range *range, uint64_t client, uint8_t ret_bytes[16])
{
	memcpy(ret_bytes, range->first, 16);
	put_number(range->family, ret_bytes, get_number(range->family, range->first) + client);
}

static inline const char *client_text(const struct range *range, uint64_t client,
				      char ret_text[static INET6_ADDRSTRLEN])
{
	uint8_t bytes[16];

	client_address(range, client, bytes);
	return inet_ntop(range->family, bytes, ret_text, INET6_ADDRSTRLEN);
}

static inline int bind_client(int fd, const struct range *range, uint64_t client)
{
	struct sockaddr_in ipv4 = {.sin_family = AF_INET};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
	bool is_ipv4 = range->family == AF_INET;
	uint8_t bytes[16];
	int on = 1;

	client_address(range, client, bytes);
	memcpy(&ipv4.sin_addr, bytes, 4);
	memcpy(&ipv6.sin6_addr, bytes, 16);
	/* IP_BIND_ADDRESS_NO_PORT works for IPv6 too; IPV6_FREEBIND is newer than IP_FREEBIND. */
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)))
		return -1;
	return bind(fd, is_ipv4 ? (void *)&ipv4 : (void *)&ipv6,
		    is_ipv4 ? sizeof(ipv4) : sizeof(ipv6));
}

#endif
