// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The commands and options of steerctl. Parsing, help, completion and the check of the manual
 * come from these two tables.
 */
#include "ctl/commands.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/time_text.h"

#define DAY_MS 86400000LL

#define OPEN_FINISH                                                                                \
	"New connections meet the change at once. Open ones finish where they began,\n"            \
	"until the service's drain.deadline is over; with --cut they move at once too."

const struct command commands[] = {
	{"up", "", "load, install and attach; adopt what runs already", NEEDS_CONFIG, 0, 0, cmd_up,
	 NULL},
	{"down", "", "detach and unpin; the state on disk is kept", NEEDS_WRITE, 0, 0, cmd_down,
	 "Traffic is no longer steered afterwards. Asks on a terminal, unless with --yes."},
	{"apply", "", "take changes of the configuration file over", NEEDS_CONFIG, 0, 0, cmd_apply,
	 "Shares, weights set by hand and states stay as they are."},
	{"check", "", "only check the configuration file", NEEDS_CONFIG, 0, 0, cmd_check, NULL},
	{"status", "[-w]", "show pools, shares, backends and the revision", NEEDS_READ, 0, 0,
	 cmd_status,
	 "WANT is the share asked for. ACTUAL is the pool's part of the new connections\n"
	 "(of the packets, where no frontend is TCP) since the revision that changed the\n"
	 "service. With -w the view is renewed each second until q; where the output is\n"
	 "no terminal, each change is one line."},
	{"set", "POOL SHARE [POOL SHARE ...]", "give each POOL that share of the clients",
	 NEEDS_WRITE, 2, -1, cmd_set,
	 "SHARE is 5%, 0.25% or 1/400. The active pool gives or takes.\n" OPEN_FINISH},
	{"get", "[POOL]", "print shares as 'set' takes them", NEEDS_READ, 0, 1, cmd_get, NULL},
	{"switch", "POOL", "make POOL active, with the active pool's slots", NEEDS_WRITE, 1, 1,
	 cmd_switch, OPEN_FINISH},
	{"rollback", "[--step] [--to REV|TAG]", "go back to the base of the current release",
	 NEEDS_WRITE, 0, 0, cmd_rollback,
	 "--step goes back to before the last commit that moved shares (\"was\" in the\n"
	 "status), --to to any revision. Only shares, active pool and cohort go back;\n"
	 "backend states and weights stay. With -s, of that service alone. No rail\n"
	 "refuses it.\n" OPEN_FINISH},
	{"weight", "NAME N", "set the weight of backend NAME, 0 to 1000", NEEDS_WRITE, 2, 2,
	 cmd_weight, "0 gives it no clients. No client moves to another pool.\n" OPEN_FINISH},
	{"drain", "NAME [--wait]", "no new connections for backend or pool NAME", NEEDS_WRITE, 1, 1,
	 cmd_drain,
	 "What is open there stays until the service's drain.deadline is over. With\n"
	 "--wait it returns when nothing leads there any more: no record and no slot;\n"
	 "exits with 9 when --timeout is over."},
	{"maint", "NAME [--wait]", "nobody for NAME, open connections included", NEEDS_WRITE, 1, 1,
	 cmd_maint,
	 "For a server that is dead or about to be: open connections "
	 "move\nto its peers."},
	{"ready", "NAME", "clients again for backend or pool NAME", NEEDS_WRITE, 1, 1, cmd_ready,
	 "Exactly the clients it had come back, with their new connections."},
	{"wait", "drained NAME", "until nothing leads to backend or pool NAME", NEEDS_READ, 2, 2,
	 cmd_wait,
	 "For scripts: changes nothing; exits with 9 when --timeout is over. A backend\n"
	 "whose new connections do not go elsewhere never empties: that fails at once."},
	{"rolling", "POOL --hook CMD", "update POOL: drain, wait, CMD, check, ready, the next",
	 NEEDS_WRITE, 0, 1, cmd_rolling,
	 "CMD runs with sh -c here on this host, with STEER_BACKEND, STEER_ADDRESS,\n"
	 "STEER_POOL, STEER_VERSION and STEER_SERVICE; what it prints goes into one log\n"
	 "file per server. The first failure stops everything and leaves that server\n"
	 "drained: --resume goes on with it, --abort ends the update."},
	{"confirm", "", "keep a change made with --confirm-within", NEEDS_WRITE, 0, 0, cmd_confirm,
	 "Exits with 10 where the time was over and the change has undone itself."},
	{"cancel", "", "undo a change made with --confirm-within, now", NEEDS_WRITE, 0, 0,
	 cmd_cancel, NULL},
	{"explain", "ADDR[:PORT]", "say which backend a client meets, and why", NEEDS_READ, 1, 1,
	 cmd_explain,
	 "Says too at which share the next step would move that client; with the port of\n"
	 "an open connection, what decides for it: its record, the slot's origin, or the\n"
	 "slot."},
	{"verify", "", "compare the kernel with what was intended", NEEDS_READ, 0, 0, cmd_verify,
	 NULL},
	{"history", "", "list the revisions", NEEDS_NOTHING, 0, 0, cmd_history, "Times are UTC."},
	{"diff", "A B", "compare two revisions or tags", NEEDS_NOTHING, 2, 2, cmd_diff, NULL},
	{"tag", "REV NAME", "name a revision", NEEDS_WRITE, 2, 2, cmd_tag,
	 "A tag names one revision: giving it again moves it."},
	{"lock", "-m TEXT [--ttl DUR]", "refuse commits, except rollback, until 'unlock'",
	 NEEDS_WRITE, 0, 0, cmd_lock,
	 "The lock outlives reboots. A commit that must be: --override lock."},
	{"unlock", "", "allow commits again", NEEDS_WRITE, 0, 0, cmd_unlock, NULL},
	{"stats", "", "show the counters of verdicts and backends", NEEDS_READ, 0, 0, cmd_stats,
	 NULL},
	{"help", "[COMMAND]", "explain steerctl or one command", NEEDS_NOTHING, 0, 1, cmd_help,
	 NULL},
	{0},
};

const struct command *command_find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

/* ---- options ---- */

static int take_instance(struct options *options, const char *name, struct diag *why)
{
	if (!isalnum((unsigned char)name[0]) || strlen(name) >= NAME_TEXT ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "0123456789_-")])
		return diag_fail(why, STATUS_USAGE,
				 "--instance '%s' is not a name (letters, digits, '_', '-')", name);
	options->place.instance = name;
	return 0;
}

static int take_revision(struct options *options, const char *text, struct diag *why)
{
	char *end;

	errno = 0;
	options->if_revision = strtoull(text, &end, 10);
	if (errno || !isdigit((unsigned char)text[0]) || *end)
		return diag_fail(why, STATUS_USAGE, "--if-rev '%s' is not a revision number", text);
	options->has_if_revision = true;
	return 0;
}

static int take_override(struct options *options, const char *name, struct diag *why)
{
	for (size_t rail = 0; rail < RAIL_COUNT; rail++) {
		if (strcmp(name, rail_names[rail]) != 0)
			continue;
		options->overrides[rail] = true;
		return 0;
	}
	return diag_fail(why, STATUS_USAGE,
			 "there is no rail '%s' (rails: health, lock, drift, window)", name);
}

/* duration_parse() that names the option. */
static int take_duration(const char *option, const char *text, int64_t most_ms, int64_t *ret_ms,
			 struct diag *why)
{
	struct diag fact;

	if (duration_parse(text, most_ms, ret_ms, &fact) == 0)
		return 0;
	return diag_fail(why, STATUS_USAGE, "--%s %.1900s", option, fact.text);
}

static int take_timeout(struct options *options, const char *text, struct diag *why)
{
	options->has_timeout = true;
	return take_duration("timeout", text, DAY_MS, &options->timeout_ms, why);
}

static int take_ttl(struct options *options, const char *text, struct diag *why)
{
	int result = take_duration("ttl", text, 366 * DAY_MS, &options->ttl_ms, why);

	if (!result && options->ttl_ms < 1000)
		return diag_fail(why, STATUS_USAGE, "--ttl '%s' is shorter than a second", text);
	return result;
}

static int take_confirm_within(struct options *options, const char *text, struct diag *why)
{
	int result =
		take_duration("confirm-within", text, DAY_MS, &options->confirm_within_ms, why);

	if (!result && options->confirm_within_ms < 1000)
		return diag_fail(why, STATUS_USAGE,
				 "--confirm-within '%s' is shorter than a second (1s to 24h)",
				 text);
	return result;
}

static int take_idle(struct options *options, const char *text, struct diag *why)
{
	int result = take_duration("idle", text, DAY_MS, &options->idle_ms, why);

	if (!result && options->idle_ms < 1000)
		return diag_fail(why, STATUS_USAGE, "--idle '%s' is shorter than a second", text);
	return result;
}

static int take_count(const char *option, const char *text, uint32_t *ret_count, struct diag *why)
{
	char *end;
	unsigned long count = strtoul(text, &end, 10);

	if (!isdigit((unsigned char)text[0]) || *end || count < 1 || count > STEER_BACKENDS)
		return diag_fail(why, STATUS_USAGE,
				 "--%s '%s' is not a number of servers (1 to %d)", option, text,
				 STEER_BACKENDS);
	*ret_count = (uint32_t)count;
	return 0;
}

static int take_each(struct options *options, const char *text, struct diag *why)
{
	return take_count("each", text, &options->each, why);
}

static int take_max_unavailable(struct options *options, const char *text, struct diag *why)
{
	return take_count("max-unavailable", text, &options->max_unavailable, why);
}

#define SWITCH(field) offsetof(struct options, field), NULL
#define TEXT(field)   offsetof(struct options, field), NULL
#define TAKE(take)    0, take

const struct option_row option_rows[] = {
	{"config", 'c', "FILE", NULL, "file to read (STEER_CONFIG, /etc/steer/steer.yaml)",
	 TEXT(config), false},
	{"instance", 0, "NAME", NULL, "which steerer of this machine (default)",
	 TAKE(take_instance), false},
	{"service", 's', "SERVICE", NULL, "only this service", TEXT(service), true},
	{"all", 0, NULL, NULL, "every service that has the pool, in one swap", SWITCH(all), true},
	{"json", 0, NULL, NULL, "answer with one JSON object", SWITCH(json), false},
	{"dry-run", 0, NULL, NULL, "say what would move and change nothing; exits with 3",
	 SWITCH(dry_run), false},
	{"reason", 'm', "TEXT", NULL, "why, for the journal", TEXT(reason), false},
	{"if-rev", 0, "N", NULL, "only if revision N is in force; exits with 5 if not",
	 TAKE(take_revision), false},
	{"yes", 0, NULL, NULL, "do not ask", SWITCH(yes), false},
	{"override", 0, "RAIL", NULL, "pass a rail that refuses: health, lock, drift, window",
	 TAKE(take_override), true},
	{"timeout", 0, "DUR", NULL, "wait for another writer: 500ms, 5s, 2m (default 5s)",
	 TAKE(take_timeout), false},
	{"quiet", 'q', NULL, NULL, "say nothing when it worked", SWITCH(quiet), false},
	{"no-color", 0, NULL, NULL, "no colours (or set NO_COLOR)", SWITCH(no_color), false},
	{"step", 0, NULL, "rollback", "to before the last commit that moved shares", SWITCH(step),
	 true},
	{"to", 0, "REV|TAG", "rollback", "back to this revision", TEXT(to), true},
	{"watch", 'w', NULL, "status", "look again each second, until q", SWITCH(watch), false},
	{"ttl", 0, "DUR", "lock", "unlock by itself after that time: 30m, 2h, 7d", TAKE(take_ttl),
	 true},
	{"cut", 0, NULL, "set switch rollback weight drain maint apply",
	 "open connections move at once as well", SWITCH(cut), true},
	{"confirm-within", 0, "DUR", "set switch rollback weight drain maint ready apply",
	 "undo it after that time unless 'confirm': 1s to 24h", TAKE(take_confirm_within), true},
	{"wait", 0, NULL, "drain maint", "until nothing leads there; 9 when --timeout is over",
	 SWITCH(wait), false},
	{"idle", 0, "DUR", "drain maint wait rolling",
	 "silence for that time is the end of all connections", TAKE(take_idle), false},
	{"hook", 0, "CMD", "rolling", "what updates a server", TEXT(hook), true},
	{"check", 0, "CMD", "rolling", "then again and again until it succeeds", TEXT(check), true},
	{"each", 0, "N", "rolling", "servers out of service at a time (1)", TAKE(take_each), true},
	{"max-unavailable", 0, "N", "rolling", "of the pool, out for whatever reason",
	 TAKE(take_max_unavailable), true},
	{"resume", 0, NULL, "rolling", "go on where it stopped", SWITCH(resume), true},
	{"abort", 0, NULL, "rolling", "end it; servers not worked on become ready", SWITCH(abort),
	 true},
	{"names", 0, NULL, "help", "only names of commands and options, or of a KIND",
	 SWITCH(names), false},
	{"help", 'h', NULL, NULL, "explain the command", SWITCH(help), false},
	{"version", 0, NULL, NULL, "print the version", SWITCH(version), false},
};

const size_t n_option_rows = ARRAY_SIZE(option_rows);
