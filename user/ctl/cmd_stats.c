// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* stats: counters of verdicts (one per packet) and of backends. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "ctl/commands.h"
#include "ctl/table.h"

static const struct {
	const char *name;
	const char *help;
} verdicts[STEER_VERDICT_COUNT] = {
#define VERDICT_ROW(name, action, help) [STEER_VERDICT_##name] = {#name, help},
	STEER_VERDICTS(VERDICT_ROW)
#undef VERDICT_ROW
};

static void show_verdict(struct libscols_table *table, json_t *list, uint32_t number,
			 const struct counter *counter)
{
	char name[32], packets[24], bytes[24];
	const char *cells[] = {name, packets, bytes, verdicts[number].help};
	size_t length = 0;

	for (const char *c = verdicts[number].name; *c && length < sizeof(name) - 1; c++)
		name[length++] = (char)tolower((unsigned char)*c);
	name[length] = '\0';
	(void)snprintf(packets, sizeof(packets), "%" PRIu64, counter->packets);
	(void)snprintf(bytes, sizeof(bytes), "%" PRIu64, counter->bytes);
	(void)table_row(table, cells, ARRAY_SIZE(cells));
	json_add(list,
		 json_pack("{s:s, s:I, s:I}", "name", name, "packets", (json_int_t)counter->packets,
			   "bytes", (json_int_t)counter->bytes));
}

static int stats_verdicts(struct run *run, const struct steerer *steerer)
{
	static const struct column columns[] = {{"VERDICT", COLUMN_TEXT},
						{"PACKETS", COLUMN_NUMBER},
						{"BYTES", COLUMN_NUMBER},
						{"MEANING", COLUMN_WRAP}};
	struct libscols_table *table = table_new(run, columns, ARRAY_SIZE(columns));
	json_t *list = json_array();
	int result = 0;

	for (uint32_t i = 0; !result && i < STEER_VERDICT_COUNT; i++) {
		struct counter counter = {0};

		result = steerer_count_verdict(steerer, i, &counter);
		if (!result)
			show_verdict(table, list, i, &counter);
	}
	(void)json_object_set_new(run->json, "verdicts", list);
	table_show(table);
	return result;
}

static void show_backend(struct libscols_table *table, json_t *list, const struct service *service,
			 const struct pool *pool, const struct backend *backend,
			 const struct counter *counter)
{
	char packets[24], bytes[24], connections[24];
	const char *cells[] = {service->name, pool->name, backend->name,
			       packets,	      bytes,	  connections};

	(void)snprintf(packets, sizeof(packets), "%" PRIu64, counter->packets);
	(void)snprintf(bytes, sizeof(bytes), "%" PRIu64, counter->bytes);
	(void)snprintf(connections, sizeof(connections), "%" PRIu64, counter->connections);
	(void)table_row(table, cells, ARRAY_SIZE(cells));
	json_add(list, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "service", service->name, "pool",
				 pool->name, "name", backend->name, "packets",
				 (json_int_t)counter->packets, "bytes", (json_int_t)counter->bytes,
				 "new_connections", (json_int_t)counter->connections));
}

static int stats_backends(struct run *run, const struct steerer *steerer)
{
	static const struct column columns[] = {
		{"SERVICE", COLUMN_TEXT}, {"POOL", COLUMN_TEXT},
		{"BACKEND", COLUMN_TEXT}, {"PACKETS", COLUMN_NUMBER},
		{"BYTES", COLUMN_NUMBER}, {"CONNECTIONS", COLUMN_NUMBER}};
	const struct policy *policy = steerer_policy(steerer);
	struct libscols_table *table = table_new(run, columns, ARRAY_SIZE(columns));
	json_t *list = json_array();
	int result = 0;

	for (size_t i = 0; i < policy->n_services; i++) {
		const struct service *service = &policy->services[i];

		for (size_t p = 0; run_means(run, service) && p < service->n_pools; p++) {
			const struct pool *pool = &service->pools[p];

			for (size_t b = 0; !result && b < pool->n_backends; b++) {
				struct counter counter = {0};

				result = steerer_count_backend(steerer, pool->backends[b].id,
							       &counter);
				show_backend(table, list, service, pool, &pool->backends[b],
					     &counter);
			}
		}
	}
	(void)json_object_set_new(run->json, "backends", list);
	if (run_prints(run))
		(void)putchar('\n');
	table_show(table);
	return result;
}

int cmd_stats(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	const struct service *only;
	int result = run_read(run, &steerer, &only);

	if (!result)
		result = stats_verdicts(run, steerer);
	return result ? result : stats_backends(run, steerer);
}
