/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses of the configuration: what a host may have, what a frontend is, and that no two
 * services answer for the same one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/config_service.h"

#define FRONTEND_EXAMPLES "203.0.113.10:80/tcp or \"[2001:db8::10]:443/udp\""

/* An address that one host can have. */
int config_host(struct config_reader *reader, struct mark mark, const char *text,
		struct address *ret_address)
{
	static const struct address any6, any4 = {.bytes = {[10] = 0xff, [11] = 0xff}};
	struct address address;
	struct diag why;
	bool is_multicast, is_any;

	if (address_parse(text, &address, &why) < 0)
		return config_fail(reader, mark, -EINVAL, "%s", why.text);
	if (address_is_ipv4(&address))
		is_multicast = address.bytes[12] >= 224; /* and reserved, and broadcast */
	else
		is_multicast = address.bytes[0] == 0xff;
	is_any = memcmp(&address, &any6, sizeof(address)) == 0 ||
		 memcmp(&address, &any4, sizeof(address)) == 0;
	if (is_multicast || is_any)
		return config_fail(reader, mark, -EINVAL,
				   "'%s' is not the address of one host; a unicast address is "
				   "accepted",
				   text);
	*ret_address = address;
	return 0;
}

/* Split "ADDRESS:PORT/PROTOCOL" in place. False when it has another shape. */
static bool split_frontend(char *text, char **ret_address, char **ret_port, char **ret_protocol)
{
	char *slash = strrchr(text, '/');
	char *colon;

	if (!slash)
		return false;
	*slash = '\0';
	colon = strrchr(text, ':');
	if (!colon)
		return false;
	*colon = '\0';
	if (*text == '[') {
		if (colon - text < 2 || colon[-1] != ']')
			return false;
		colon[-1] = '\0';
		text++;
		if (!strchr(text, ':'))
			return false;
	} else if (strchr(text, ':')) {
		return false;
	}
	*ret_address = text;
	*ret_port = colon + 1;
	*ret_protocol = slash + 1;
	return true;
}

static bool parse_port(const char *text, uint16_t *ret_port)
{
	size_t length = strlen(text);
	unsigned long port;

	if (length < 1 || length > 5 || strspn(text, "0123456789") != length)
		return false;
	port = strtoul(text, NULL, 10);
	*ret_port = (uint16_t)port;
	return port <= UINT16_MAX;
}

static int parse_frontend(struct config_reader *reader, const struct node *node,
			  struct frontend *ret_frontend)
{
	int r = config_expect(reader, node, NODE_TEXT, "frontend", FRONTEND_EXAMPLES);
	struct frontend frontend = {0};
	char *address, *port, *protocol;
	auto_free char *text = NULL;

	if (r < 0)
		return r;
	text = strdup(node->text);
	if (!text)
		return diag_fail(reader->why, -ENOMEM, "out of memory");
	if (!split_frontend(text, &address, &port, &protocol))
		return config_fail(
			reader, node->mark, -EINVAL,
			"frontend '%.64s' is not ADDRESS:PORT/PROTOCOL; " FRONTEND_EXAMPLES
			" is accepted",
			node->text);
	if (strcmp(protocol, "tcp") == 0)
		frontend.protocol = IPPROTO_TCP;
	else if (strcmp(protocol, "udp") == 0)
		frontend.protocol = IPPROTO_UDP;
	else
		return config_fail(reader, node->mark, -EINVAL,
				   "protocol '%.64s' is unknown; tcp or udp is accepted", protocol);
	if (!parse_port(port, &frontend.port))
		return config_fail(reader, node->mark, -EINVAL,
				   "port '%.64s' is not a port; 0 (any) to 65535 is accepted",
				   port);
	r = config_host(reader, node->mark, address, &frontend.address);
	if (r == 0)
		*ret_frontend = frontend;
	return r;
}

static bool frontend_equal(const struct frontend *a, const struct frontend *b)
{
	return memcmp(&a->address, &b->address, sizeof(a->address)) == 0 && a->port == b->port &&
	       a->protocol == b->protocol;
}

/* The service under construction is the last one of the policy, so it is searched too. */
static int refuse_overlap(struct config_reader *reader, const struct node *node,
			  const struct frontend *frontend)
{
	for (size_t s = 0; s < reader->policy->n_services; s++) {
		const struct service *service = &reader->policy->services[s];

		for (size_t i = 0; i < service->n_frontends; i++)
			if (frontend_equal(&service->frontends[i], frontend))
				return config_fail(reader, node->mark, -EINVAL,
						   "frontend '%s' already belongs to service '%s'; "
						   "address, port and protocol are accepted once",
						   node->text, service->name);
	}
	return 0;
}

int config_frontends(struct config_reader *reader, const struct node *node, struct service *service)
{
	int r = config_expect(reader, node, NODE_LIST, "frontends",
			      "a list like [203.0.113.10:80/tcp]");

	if (r < 0)
		return r;
	if (!node->first)
		return config_fail(reader, node->mark, -EINVAL,
				   "frontends is an empty list; at least one is required");
	reader->n_frontends += node->n_children;
	if (reader->n_frontends > STEER_FRONTENDS)
		return config_fail(reader, node->key_mark, -E2BIG,
				   "%zu frontends up to here; up to %d over all services are "
				   "accepted",
				   reader->n_frontends, STEER_FRONTENDS);
	service->frontends = calloc(node->n_children, sizeof(*service->frontends));
	if (!service->frontends)
		return diag_fail(reader->why, -ENOMEM, "out of memory");
	for (const struct node *child = node->first; r == 0 && child; child = child->next) {
		struct frontend frontend;

		r = parse_frontend(reader, child, &frontend);
		if (r == 0)
			r = refuse_overlap(reader, child, &frontend);
		if (r == 0)
			service->frontends[service->n_frontends++] = frontend;
	}
	return r;
}
