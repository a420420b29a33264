// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* explain, verify: why a client meets its backend, and whether the kernel holds what it should. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "core/cohort.h"
#include "ctl/commands.h"
#include "ctl/plan.h"
#include "steer/hash.h"

/* Take ":PORT" off; the client's port does not decide anything. */
static int parse_client(const char *text, struct address *ret_client, struct diag *why)
{
	char copy[128];
	char *start = copy, *colon, *end;
	unsigned long port;

	(void)snprintf(copy, sizeof(copy), "%s", text);
	colon = strrchr(copy, ':');
	if (copy[0] == '[') {
		end = strchr(copy, ']');
		if (!end || (end[1] != '\0' && colon != end + 1))
			return diag_fail(why, STATUS_USAGE, "'%s' is not [ADDRESS]:PORT", text);
		colon = end[1] ? end + 1 : NULL;
		*end = '\0';
		start++;
	} else if (colon && strchr(copy, ':') != colon) {
		colon = NULL; /* bare IPv6 */
	}
	if (colon) {
		*colon = '\0';
		port = strtoul(colon + 1, &end, 10);
		if (end == colon + 1 || *end || port > 65535)
			return diag_fail(why, STATUS_USAGE, "'%s' is not a port (0 to 65535)",
					 colon + 1);
	}
	return address_parse(start, ret_client, why);
}

static void mask_bytes(uint8_t *bytes, size_t n_bytes, unsigned int prefix)
{
	for (size_t i = 0; i < n_bytes; i++) {
		unsigned int kept = prefix > 8 * i ? prefix - 8 * (unsigned int)i : 0;

		if (kept < 8)
			bytes[i] &= (uint8_t)(0xff00 >> kept);
	}
}

static uint32_t client_slot(const struct service *service, const struct address *client,
			    const uint64_t *hash_key)
{
	const __u64 key[2] = {hash_key[0], hash_key[1]};
	struct address masked = *client;
	__be64 high, low;
	__be32 four;

	if (address_is_ipv4(client)) {
		mask_bytes(masked.bytes + 12, 4, service->prefix4);
		memcpy(&four, masked.bytes + 12, sizeof(four));
		return steer_slot4(key, four);
	}
	mask_bytes(masked.bytes, 16, service->prefix6);
	memcpy(&high, masked.bytes, sizeof(high));
	memcpy(&low, masked.bytes + 8, sizeof(low));
	return steer_slot6(key, high, low, service->prefix6 > 64);
}

static const struct backend *backend_of(const struct service *service, uint32_t id)
{
	for (size_t p = 0; p < service->n_pools; p++)
		for (size_t i = 0; i < service->pools[p].n_backends; i++)
			if (id && service->pools[p].backends[i].id == id)
				return &service->pools[p].backends[i];
	return NULL;
}

static json_t *explain_service(struct run *run, const struct steerer *steerer,
			       const struct service *service, const struct address *client)
{
	auto_free struct steer_table *table = calloc(1, sizeof(*table));
	auto_free uint16_t *ranks = calloc(STEER_SLOTS, sizeof(*ranks));
	uint32_t slot = client_slot(service, client, steerer_hash_key(steerer));
	const struct backend *backend;
	const struct pool *pool;
	const char *rule;
	char address[ADDRESS_TEXT];

	if (!table || !ranks || table_compile(service, table))
		return NULL;
	cohort_ranks(service->seed, ranks);
	pool = service_rank_owner(service, ranks[slot]);
	backend = backend_of(service, table->backend[slot]);
	rule = pool == &service->pools[service->active] ? "active" : "share";
	address_format(client, address);
	diag_add(&run->line, "%s%s: %s, slot %u, rank %u -> pool %s (%s) -> %s",
		 run->line.text[0] ? "\n" : "", service->name, address, slot, ranks[slot],
		 pool->name, rule, backend ? backend->name : "no backend");
	return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s?, s:s, s:I}", "client", address, "service",
			 service->name, "slot", (json_int_t)slot, "rank", (json_int_t)ranks[slot],
			 "pool", pool->name, "backend", backend ? backend->name : NULL, "rule",
			 rule, "generation", (json_int_t)steerer_generation(steerer));
}

int cmd_explain(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	const struct policy *policy;
	struct address client;
	struct service *only;
	json_t *list;
	int result = parse_client(run->arguments[0], &client, &run->why);

	if (!result)
		result = run_open(run, STEERER_READ, &steerer);
	if (!result)
		result = run_service(run, steerer_policy(steerer), &only);
	if (result)
		return result;
	policy = steerer_policy(steerer);
	list = json_array();
	for (size_t i = 0; i < policy->n_services; i++) {
		json_t *one;

		if (only && only != &policy->services[i])
			continue;
		one = explain_service(run, steerer, &policy->services[i], &client);
		if (!one)
			result = diag_fail(&run->why, -ENOMEM, "memory is short");
		else
			(void)json_array_append_new(list, one);
	}
	if (json_array_size(list) == 1) { /* one service: its keys are the answer's */
		json_t *one = json_array_get(list, 0);
		const char *name = json_string_value(json_object_get(one, "service"));

		(void)snprintf(run->service, sizeof(run->service), "%s", name);
		(void)json_object_update(run->json, one);
	}
	(void)json_object_set_new(run->json, "services", list);
	return result;
}

int cmd_verify(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	struct diag findings = {0};
	char *rest = findings.text, *part;
	json_t *list;
	int result = run_open(run, STEERER_READ, &steerer);

	if (!result)
		result = steerer_verify(steerer, &findings, &run->why);
	if (result)
		return result;
	list = json_array();
	if (findings.text[0])
		(void)diag_fail(&run->why, 0, "the kernel is not what was intended:\n%.1900s",
				findings.text);
	while (findings.text[0] && (part = strsep(&rest, "\n")))
		if (part[0])
			(void)json_array_append_new(list, json_string(part));
	(void)json_object_set_new(run->json, "findings", list);
	if (json_array_size(list))
		return STATUS_FAILED;
	diag_add(&run->line, "the kernel holds revision %" PRIu64 " as intended", run->after);
	return 0;
}
