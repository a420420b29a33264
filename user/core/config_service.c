/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One service of the configuration: its pools, backends and how it is to be reached.
 */
#include "core/config_service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/own.h"
#include "base/suggest.h"

#define WEIGHT_MAX 1000

static int out_of_memory(struct config_reader *reader)
{
	return diag_fail(reader->why, -ENOMEM, "out of memory");
}

static int read_frontends(struct config_reader *reader, const struct node *node, void *into)
{
	return config_frontends(reader, node, ((struct service_reading *)into)->service);
}

static int read_address(struct config_reader *reader, const struct node *node, void *into)
{
	struct backend *backend = into;
	int r = config_expect(reader, node, NODE_TEXT, "backend", "an IP address");

	if (r == 0)
		r = config_host(reader, node->mark, node->text, &backend->address);
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
	service->deadline_ms = POLICY_DEADLINE_MS;
	if (r == 0)
		r = config_map(reader, node, "a service", keys, ARRAY_SIZE(keys), &reading);
	if (r == 0)
		r = resolve_active(reader, &reading);
	return r;
}
