// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* diff: what is different between two revisions, and how many clients that moves. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/share.h"
#include "base/time_text.h"
#include "core/policy_json.h"
#include "ctl/commands.h"
#include "ctl/plan.h"

#define FRONTENDS_TEXT 1024

/* One difference: a line and an element of changes[]. */
static void differ(struct run *run, const char *service, const char *name, const char *key,
		   const char *a, const char *b)
{
	if (strcmp(a, b) == 0)
		return;
	if (run_prints(run))
		printf("%s%s%s: %s %s -> %s\n", service, name[0] ? " " : "", name, key,
		       a[0] ? a : "none", b[0] ? b : "none");
	json_add(run->changes, json_pack("{s:s, s:s, s:s, s:s, s:s}", "service", service, "name",
					 name, "key", key, "from", a, "to", b));
}

static void describe_backend(const struct backend *backend, char *text, size_t size)
{
	char address[ADDRESS_TEXT];

	(void)snprintf(text, size, "%s weight %u %s", address_format(&backend->address, address),
		       backend->weight, policy_state_names[backend->state]);
}

static void diff_backends(struct run *run, const struct service *from, const struct service *to,
			  const struct pool *pool, const struct service *other, bool is_removed)
{
	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct backend *backend = &pool->backends[i];
		struct pool *owner;
		const struct backend *match =
			other ? service_backend(other, backend->name, &owner) : NULL;
		char a[128] = "", b[128] = "";

		if (is_removed && match)
			continue; /* told from the other side */
		if (match)
			describe_backend(match, a, sizeof(a));
		describe_backend(backend, is_removed ? a : b, sizeof(a));
		differ(run, to ? to->name : from->name, backend->name, "backend", a, b);
	}
}

static void diff_pool(struct run *run, const struct service *from, const struct service *to,
		      const char *name)
{
	const struct pool *a = from ? service_pool(from, name) : NULL;
	const struct pool *b = to ? service_pool(to, name) : NULL;
	const char *service = to ? to->name : from->name;
	char share_a[SHARE_TEXT] = "", share_b[SHARE_TEXT] = "";

	if (a)
		share_format(service_pool_slots(from, a), share_a);
	if (b)
		share_format(service_pool_slots(to, b), share_b);
	differ(run, service, name, "share", share_a, share_b);
	differ(run, service, name, "version", a ? a->version : "", b ? b->version : "");
	if (a)
		diff_backends(run, from, to, a, to, true);
	if (b)
		diff_backends(run, from, to, b, from, false);
}

static void describe_frontends(const struct service *service, char text[static FRONTENDS_TEXT])
{
	struct diag all = {0};
	char address[ADDRESS_TEXT];

	for (size_t i = 0; service && i < service->n_frontends; i++)
		diag_add(&all, "%s%s port %u/%s", i ? ", " : "",
			 address_format(&service->frontends[i].address, address),
			 service->frontends[i].port,
			 policy_protocol_names[service->frontends[i].protocol == IPPROTO_UDP]);
	memcpy(text, all.text, FRONTENDS_TEXT);
}

static void describe_key(const struct service *service, char text[static FRONTENDS_TEXT])
{
	text[0] = '\0';
	if (service)
		(void)snprintf(text, FRONTENDS_TEXT, "/%u, /%u", service->prefix4,
			       service->prefix6);
}

static void diff_service(struct run *run, const struct service *from, const struct service *to)
{
	const struct service *either = to ? to : from;

	char a[FRONTENDS_TEXT], b[FRONTENDS_TEXT];

	describe_frontends(from, a);
	describe_frontends(to, b);
	differ(run, either->name, "", "frontends", a, b);
	describe_key(from, a);
	describe_key(to, b);
	differ(run, either->name, "", "client key", a, b);
	differ(run, either->name, "", "active", from ? from->pools[from->active].name : "",
	       to ? to->pools[to->active].name : "");
	for (size_t p = 0; from && p < from->n_pools; p++)
		diff_pool(run, from, to, from->pools[p].name);
	for (size_t p = 0; to && p < to->n_pools; p++)
		if (!from || !service_pool(from, to->pools[p].name))
			diff_pool(run, from, to, to->pools[p].name);
}

/* How many clients the way from one to the other moves. */
static int say_moved(struct run *run, const struct policy *from, const struct policy *to)
{
	uint64_t moved = 0;
	size_t services = 0;

	for (size_t i = 0; i < to->n_services; i++) {
		const struct service *was = policy_service(from, to->services[i].name);
		struct plan_moves moves;

		if (!was || !run_means(run, was))
			continue;
		if (plan_compare(was, &to->services[i], &moves))
			return diag_fail(&run->why, -ENOMEM, "memory is short");
		services++;
		moved += (uint64_t)moves.forward + moves.back;
		run->forward += moves.forward;
		run->back += moves.back;
		run->within += moves.within;
	}
	if (services)
		diag_add(&run->line, "%.2f%% of the clients meet another pool",
			 100.0 * (double)moved / ((double)services * STEER_SLOTS));
	return 0;
}

static void say_title(struct run *run, const struct journal *journal, uint64_t revision)
{
	const struct journal_entry *entries;
	char when[TIME_TEXT], who[NAME_TEXT];
	size_t count;

	entries = journal_entries(journal, &count);
	for (size_t i = 0; i < count && run_prints(run); i++)
		if (entries[i].revision == revision)
			printf("revision %" PRIu64 "  %s %s: %s\n", revision,
			       time_format(entries[i].time, when),
			       journal_who(entries[i].login, entries[i].uid, who),
			       entries[i].command);
}

int cmd_diff(struct run *run)
{
	auto_journal struct journal *journal = NULL;
	auto_policy struct policy from = {0};
	auto_policy struct policy to = {0};
	uint64_t a, b;
	int result = run_journal(run, &journal);

	if (!result)
		result = run_revision(run, journal, run->arguments[0], &a);
	if (!result)
		result = run_revision(run, journal, run->arguments[1], &b);
	if (!result)
		result = journal_policy(journal, a, &from, &run->why);
	if (!result)
		result = journal_policy(journal, b, &to, &run->why);
	if (result)
		return result;
	run->before = a;
	run->after = b;
	say_title(run, journal, a);
	say_title(run, journal, b);
	for (size_t i = 0; i < from.n_services; i++)
		if (run_means(run, &from.services[i]))
			diff_service(run, &from.services[i],
				     policy_service(&to, from.services[i].name));
	for (size_t i = 0; i < to.n_services; i++)
		if (run_means(run, &to.services[i]) && !policy_service(&from, to.services[i].name))
			diff_service(run, NULL, &to.services[i]);
	if (json_array_size(run->changes) == 0)
		diag_add(&run->line, "no difference; ");
	return say_moved(run, &from, &to);
}
