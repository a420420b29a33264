// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* history, diff, tag: the journal. Reading it works while nothing is steered. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "base/share.h"
#include "ctl/commands.h"
#include "ctl/table.h"

static void journal_done_with(struct journal **journal)
{
	if (*journal)
		journal_close(*journal);
}

#define auto_journal __attribute__((cleanup(journal_done_with)))

static int open_journal(struct run *run, struct journal **ret_journal)
{
	const struct steerer_place *place = &run->options.place;
	struct diag notice = {0};
	char path[PATH_MAX];
	int result;

	(void)snprintf(path, sizeof(path), "%s/%s", place->state, place->instance);
	result = journal_open(path, false, ret_journal, &notice, &run->why);
	if (result) {
		*ret_journal = NULL;
		return result == -ENOENT ? STATUS_FAILED : result;
	}
	run_warn(run, notice.text);
	run->before = run->after = journal_head(*ret_journal);
	return 0;
}

static json_t *show_entry(struct libscols_table *table, const struct journal_entry *entry)
{
	char revision[24], when[32] = "";
	const char *cells[] = {revision,       when,	      entry->login,
			       entry->command, entry->reason, entry->tag};
	time_t seconds = (time_t)entry->time;
	struct tm local;

	(void)snprintf(revision, sizeof(revision), "%" PRIu64, entry->revision);
	if (localtime_r(&seconds, &local))
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local);
	table_row(table, cells, ARRAY_SIZE(cells));
	return json_pack("{s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:b}", "revision",
			 (json_int_t)entry->revision, "parent", (json_int_t)entry->parent, "time",
			 (json_int_t)entry->time, "uid", (json_int_t)entry->uid, "login",
			 entry->login, "command", entry->command, "reason", entry->reason, "tag",
			 entry->tag, "adopted", entry->is_adopted);
}

int cmd_history(struct run *run)
{
	static const struct column columns[] = {
		{"REV", true},	    {"WHEN", false},   {"WHO", false},
		{"COMMAND", false}, {"REASON", false}, {"TAG", false},
	};
	auto_journal struct journal *journal = NULL;
	const struct journal_entry *entries;
	struct libscols_table *table;
	json_t *list;
	size_t count;
	int result = open_journal(run, &journal);

	if (result)
		return result;
	entries = journal_entries(journal, &count);
	table = run_prints(run) ? table_new(columns, ARRAY_SIZE(columns)) : NULL;
	list = json_array();
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(list, show_entry(table, &entries[i]));
	table_show(table);
	(void)json_object_set_new(run->json, "revisions", list);
	return 0;
}

/* ---- diff ---- */

static int read_side(struct run *run, struct journal *journal, const char *name,
		     struct policy *ret_policy)
{
	uint64_t revision = journal_find(journal, name);

	if (revision)
		return journal_policy(journal, revision, ret_policy, &run->why);
	const struct journal_entry *entries;
	struct suggestion near = {.wanted = name};
	char text[96];
	size_t count;

	entries = journal_entries(journal, &count);
	for (size_t i = 0; i < count; i++)
		if (entries[i].tag[0])
			suggest_offer(&near, entries[i].tag);
	return diag_fail(&run->why, STATUS_UNKNOWN_NAME, "there is no revision or tag '%s'%s", name,
			 suggest_text(&near, text));
}

/* One difference: a line and an element of changes[]. */
static void differ(struct run *run, const char *service, const char *name, const char *key,
		   const char *a, const char *b)
{
	if (strcmp(a, b) == 0)
		return;
	if (run_prints(run))
		printf("%s %s: %s %s -> %s\n", service, name, key, a[0] ? a : "-", b[0] ? b : "-");
	(void)json_array_append_new(run->changes,
				    json_pack("{s:s, s:s, s:s, s:s, s:s}", "service", service,
					      "name", name, "key", key, "from", a, "to", b));
}

static void describe_backend(const struct backend *backend, char *text, size_t size)
{
	static const char *const states[] = {"ready", "drain", "maint"};
	char address[ADDRESS_TEXT];

	text[0] = '\0';
	if (backend)
		(void)snprintf(text, size, "%s weight %u %s",
			       address_format(&backend->address, address), backend->weight,
			       states[backend->state]);
}

static void diff_backends(struct run *run, const struct service *from, const struct service *to,
			  const struct pool *pool, const struct service *other, bool is_removed)
{
	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct backend *backend = &pool->backends[i];
		struct pool *owner;
		const struct backend *match =
			other ? service_backend(other, backend->name, &owner) : NULL;
		char a[128], b[128];

		if (is_removed && match)
			continue; /* told from the other side */
		describe_backend(is_removed ? backend : match, a, sizeof(a));
		describe_backend(is_removed ? NULL : backend, b, sizeof(b));
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

static void diff_service(struct run *run, const struct service *from, const struct service *to)
{
	const struct service *either = to ? to : from;

	differ(run, either->name, "", "active", from ? from->pools[from->active].name : "",
	       to ? to->pools[to->active].name : "");
	for (size_t p = 0; from && p < from->n_pools; p++)
		diff_pool(run, from, to, from->pools[p].name);
	for (size_t p = 0; to && p < to->n_pools; p++)
		if (!from || !service_pool(from, to->pools[p].name))
			diff_pool(run, from, to, to->pools[p].name);
}

int cmd_diff(struct run *run)
{
	auto_journal struct journal *journal = NULL;
	auto_policy struct policy from = {0};
	auto_policy struct policy to = {0};
	int result = open_journal(run, &journal);

	if (!result)
		result = read_side(run, journal, run->arguments[0], &from);
	if (!result)
		result = read_side(run, journal, run->arguments[1], &to);
	if (result)
		return result;
	run->before = from.revision;
	run->after = to.revision;
	for (size_t i = 0; i < from.n_services; i++)
		if (run_means(run, &from.services[i]))
			diff_service(run, &from.services[i],
				     policy_service(&to, from.services[i].name));
	for (size_t i = 0; i < to.n_services; i++)
		if (run_means(run, &to.services[i]) && !policy_service(&from, to.services[i].name))
			diff_service(run, NULL, &to.services[i]);
	if (json_array_size(run->changes) == 0)
		diag_add(&run->line, "no difference");
	return 0;
}

/* ---- tag ---- */

int cmd_tag(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	struct journal *journal;
	const char *name = run->arguments[1];
	uint64_t revision;
	int result;

	if (strlen(name) >= NAME_TEXT || strpbrk(name, " \t\n/") ||
	    name[strspn(name, "0123456789")] == '\0')
		return diag_fail(&run->why, STATUS_USAGE,
				 "'%s' cannot be a tag (up to 63 letters, digits, '.', '_', '-', "
				 "not a number)",
				 name);
	result = run_open(run, STEERER_WRITE, &steerer);
	if (result)
		return result;
	journal = steerer_journal(steerer);
	if (!journal)
		return diag_fail(&run->why, STATUS_FAILED, "the journal cannot be opened");
	revision = journal_find(journal, run->arguments[0]);
	if (!revision)
		return diag_fail(&run->why, STATUS_UNKNOWN_NAME,
				 "there is no revision or tag '%s'; see 'steerctl history'",
				 run->arguments[0]);
	diag_add(&run->line, "revision %" PRIu64 " is tagged %s", revision, name);
	if (run->options.dry_run)
		return run_would_change(run);
	return journal_tag(journal, revision, name, &run->why);
}
