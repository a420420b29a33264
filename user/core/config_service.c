/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One service of the configuration: frontends, pools, backends, and the checks across services.
 */
#include "core/config_service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/own.h"
#include "base/suggest.h"

#define FRONTEND_EXAMPLES "203.0.113.10:80/tcp or \"[2001:db8::10]:443/udp\""
#define WEIGHT_MAX	  1000

struct service_reading {
	struct service *service;
	const struct node *active;
};

static int out_of_memory(struct config_reader *reader)
{
	return diag_fail(reader->why, -ENOMEM, "out of memory");
}

/* An address that one host can have. */
static int parse_host(struct config_reader *reader, struct mark mark, const char *text,
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
		return out_of_memory(reader);
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
	r = parse_host(reader, node->mark, address, &frontend.address);
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

static int read_frontends(struct config_reader *reader, const struct node *node, void *into)
{
	struct service *service = ((struct service_reading *)into)->service;
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
		return out_of_memory(reader);
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

static int read_address(struct config_reader *reader, const struct node *node, void *into)
{
	struct backend *backend = into;
	int r = config_expect(reader, node, NODE_TEXT, "backend", "an IP address");

	if (r == 0)
		r = parse_host(reader, node->mark, node->text, &backend->address);
	return r;
}

static int read_weight(struct config_reader *reader, const struct node *node, void *into)
{
	struct backend *backend = into;
	uint64_t weight;
	int r = config_number(reader, node, "weight", 1, WEIGHT_MAX, &weight);

	if (r == 0)
		backend->weight = (uint32_t)weight;
	return r;
}

static int refuse_port(struct config_reader *reader, const struct node *node, void *into)
{
	(void)into;
	return config_fail(
		reader, node->key_mark, -EINVAL,
		"a backend's port needs 'forward: nat', which is not yet in this version; "
		"with dsr the client's port is kept, leave 'port' out");
}

static int read_mac(struct config_reader *reader, const struct node *node, void *into)
{
	struct backend *backend = into;
	int r = config_expect(reader, node, NODE_TEXT, "mac", "one like \"02:00:00:00:00:12\"");
	struct diag why;

	if (r < 0)
		return r;
	if (mac_parse(node->text, backend->mac, &why) < 0)
		return config_fail(reader, node->mark, -EINVAL, "%s", why.text);
	backend->has_mac = true;
	return 0;
}

static int read_backend(struct config_reader *reader, const struct node *node,
			const struct service *service, struct pool *pool)
{
	static const struct config_key keys[] = {
		{"address", true, read_address},
		{"weight", false, read_weight},
		{"port", false, refuse_port},
		{"mac", false, read_mac},
	};
	struct backend *backend = &pool->backends[pool->n_backends];
	struct pool *other;
	int r = config_name(reader, node->key_mark, "a backend", node->key, backend->name);

	if (r < 0)
		return r;
	if (service_backend(service, backend->name, &other))
		return config_fail(
			reader, node->key_mark, -EINVAL,
			"backend '%s' is also in pool '%s'; a name is accepted once in a "
			"service",
			backend->name, other->name);
	backend->weight = 1;
	backend->state = BACKEND_READY;
	if (node->kind == NODE_MAP)
		r = config_map(reader, node, "a backend", keys, ARRAY_SIZE(keys), backend);
	else
		r = read_address(reader, node, backend);
	backend->weight_configured = backend->weight;
	if (r == 0)
		pool->n_backends++;
	return r;
}

static int read_backends(struct config_reader *reader, const struct node *node, void *into)
{
	struct service *service = ((struct service_reading *)into)->service;
	struct pool *pool = &service->pools[service->n_pools - 1];
	int r = config_expect(reader, node, NODE_MAP, "backends", "a map from name to address");

	if (r < 0 || !node->first)
		return r;
	reader->n_backends += node->n_children;
	if (reader->n_backends > STEER_BACKENDS)
		return config_fail(reader, node->key_mark, -E2BIG,
				   "%zu backends up to here; up to %d over all services are "
				   "accepted",
				   reader->n_backends, STEER_BACKENDS);
	pool->backends = calloc(node->n_children, sizeof(*pool->backends));
	if (!pool->backends)
		return out_of_memory(reader);
	for (const struct node *child = node->first; r == 0 && child; child = child->next)
		r = read_backend(reader, child, service, pool);
	return r;
}

static int read_version(struct config_reader *reader, const struct node *node, void *into)
{
	struct service *service = ((struct service_reading *)into)->service;
	struct pool *pool = &service->pools[service->n_pools - 1];
	int r = config_expect(reader, node, NODE_TEXT, "version", "a text");
	size_t length;

	if (r < 0)
		return r;
	length = strlen(node->text);
	if (length < 1 || length >= NAME_TEXT)
		return config_fail(reader, node->mark, -EINVAL,
				   "version has %zu bytes; 1 to %d are accepted", length,
				   NAME_TEXT - 1);
	memcpy(pool->version, node->text, length + 1);
	return 0;
}

static int read_pools(struct config_reader *reader, const struct node *node, void *into)
{
	static const struct config_key keys[] = {
		{"backends", true, read_backends},
		{"version", false, read_version},
	};
	struct service *service = ((struct service_reading *)into)->service;
	int r = config_expect(reader, node, NODE_MAP, "pools", "a map from name to pool");

	if (r < 0)
		return r;
	if (!node->first)
		return config_fail(reader, node->mark, -EINVAL,
				   "pools is an empty map; at least one is required");
	service->pools = calloc(node->n_children, sizeof(*service->pools));
	if (!service->pools)
		return out_of_memory(reader);
	for (const struct node *child = node->first; r == 0 && child; child = child->next) {
		struct pool *pool = &service->pools[service->n_pools++];

		r = config_name(reader, child->key_mark, "a pool", child->key, pool->name);
		if (r == 0)
			r = config_map(reader, child, "a pool", keys, ARRAY_SIZE(keys), into);
	}
	return r;
}

static int read_active(struct config_reader *reader, const struct node *node, void *into)
{
	((struct service_reading *)into)->active = node;
	return config_expect(reader, node, NODE_TEXT, "active", "the name of a pool");
}

/* Called once all keys are read: "active" may stand before "pools". */
static int resolve_active(struct config_reader *reader, const struct service_reading *reading)
{
	struct service *service = reading->service;
	struct suggestion near = {.wanted = reading->active->text};
	char hint[SUGGEST_TEXT];
	const struct pool *pool = service_pool(service, reading->active->text);

	for (size_t i = 0; !pool && i < service->n_pools; i++)
		suggest_offer(&near, service->pools[i].name);
	if (!pool)
		return config_fail(
			reader, reading->active->mark, -EINVAL,
			"service '%s' has no pool '%.64s'; the name of one of its pools is "
			"accepted%s",
			service->name, reading->active->text, suggest_text(&near, hint));
	if (pool->n_backends == 0)
		return config_fail(reader, reading->active->mark, -EINVAL,
				   "active pool '%s' has no backends; a pool with at least one is "
				   "accepted",
				   pool->name);
	service->active = (size_t)(pool - service->pools);
	return 0;
}

static int read_prefix4(struct config_reader *reader, const struct node *node, void *into)
{
	struct service *service = ((struct service_reading *)into)->service;
	uint64_t bits;
	int r = config_number(reader, node, "ipv4", 1, 32, &bits);

	if (r == 0)
		service->prefix4 = (uint8_t)bits;
	return r;
}

static int read_prefix6(struct config_reader *reader, const struct node *node, void *into)
{
	struct service *service = ((struct service_reading *)into)->service;
	uint64_t bits;
	int r = config_number(reader, node, "ipv6", 1, 128, &bits);

	if (r == 0)
		service->prefix6 = (uint8_t)bits;
	return r;
}

static int read_client_prefix(struct config_reader *reader, const struct node *node, void *into)
{
	static const struct config_key keys[] = {
		{"ipv4", false, read_prefix4},
		{"ipv6", false, read_prefix6},
	};

	return config_map(reader, node, "client_prefix", keys, ARRAY_SIZE(keys), into);
}

int config_service(struct config_reader *reader, const struct node *node)
{
	static const struct config_key keys[] = {
		{"frontends", true, read_frontends},
		{"forward", false, config_forward},
		{"client_prefix", false, read_client_prefix},
		{"affinity", false, config_affinity},
		{"drain", false, config_drain},
		{"udp", false, config_udp},
		{"health", false, config_health},
		{"pools", true, read_pools},
		{"active", true, read_active},
	};
	struct service *service = &reader->policy->services[reader->policy->n_services++];
	struct service_reading reading = {.service = service};
	int r = config_name(reader, node->key_mark, "a service", node->key, service->name);

	service->prefix4 = 32;
	service->prefix6 = 64;
	if (r == 0)
		r = config_map(reader, node, "a service", keys, ARRAY_SIZE(keys), &reading);
	if (r == 0)
		r = resolve_active(reader, &reading);
	return r;
}
