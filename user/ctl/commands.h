/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of commands and options, and what every command is given: one struct run.
 *
 * A command fills the run (line, undo, changes, extra JSON keys) and returns 0, -errno or an
 * exit code above 0; output.c turns that into words, JSON and the exit status.
 */
#ifndef STEER_CTL_COMMANDS_H
#define STEER_CTL_COMMANDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "core/rails.h"
#include "core/steerer.h"

enum exit_status {
	STATUS_DONE = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_WOULD_CHANGE = 3, /* --dry-run */
	STATUS_UNKNOWN_NAME = 4,
	STATUS_OTHER_REVISION = 5, /* --if-rev */
	STATUS_LOCKED = 6,
	STATUS_RAIL = 7,
	STATUS_TIMED_OUT = 9,
	STATUS_MEANWHILE = 10,
	STATUS_KERNEL_REFUSED = 12,
	STATUS_PERMISSION = 13,
};

struct options {
	const char *config;
	const char *service; /* NULL: not given */
	const char *reason;
	const char *to;
	const char *hook;
	const char *check;
	const char *run; /* folder above the instance: /run/steer */
	struct steerer_place place;
	uint64_t if_revision;
	int64_t timeout_ms;
	int64_t ttl_ms; /* 0 = no end */
	int64_t confirm_within_ms;
	int64_t idle_ms;
	uint32_t each;		  /* 0 = not given */
	uint32_t max_unavailable; /* 0 = not given */
	bool overrides[RAIL_COUNT];
	bool has_if_revision;
	bool has_timeout;
	bool all;
	bool json;
	bool dry_run;
	bool yes;
	bool quiet;
	bool no_color;
	bool step;
	bool watch;
	bool cut;
	bool wait;
	bool resume;
	bool abort;
	bool names;
	bool help;
	bool version;
};

struct run {
	struct options options;
	const struct command *command; /* NULL until known */
	char **arguments;	       /* after the command's name */
	int n_arguments;
	char typed[256]; /* for the journal: what decides, in one order */

	json_t *json;	  /* keys of this command alone */
	json_t *changes;  /* array */
	json_t *warnings; /* array of sentences */
	char service[NAME_TEXT];
	uint64_t before; /* revisions; 0 = none */
	uint64_t after;
	uint64_t forward; /* slots moved */
	uint64_t back;
	uint64_t within;       /* between backends of one pool */
	unsigned int n_moving; /* services in which any slot moves */
	bool is_rollback;      /* rails warn, but do not refuse */
	bool keeps_window;     /* goes on in an armed window and rebuilds its fallback */
	bool is_committed;     /* also where what comes after the commit fails */
	struct diag line;      /* the factual line, or a whole text */
	struct diag more;      /* lines after it, "" = none */
	struct diag undo;      /* arguments of the command that takes it back, "" = none */
	struct diag why;
};

enum command_needs {
	NEEDS_NOTHING,
	NEEDS_CONFIG, /* the configuration file */
	NEEDS_READ,   /* a running steerer */
	NEEDS_WRITE,  /* and the lock */
};

struct command {
	const char *name;
	const char *arguments;
	const char *summary;
	enum command_needs needs;
	int min_arguments;
	int max_arguments; /* -1 = any number */
	int (*run)(struct run *run);
	const char *details; /* for "help COMMAND"; NULL = none */
};

extern const struct command commands[]; /* ends with an empty row */
const struct command *command_find(const char *name);

struct option_row {
	const char *name;
	char letter;
	const char *argument; /* NULL: a switch */
	const char *command;  /* those that take it, with spaces between; NULL = every one */
	const char *summary;
	size_t offset; /* in struct options: bool of a switch, else const char *; unless @take */
	int (*take)(struct options *options, const char *value, struct diag *why);
	bool is_journalled; /* decides what happens: part of run->typed */
};

extern const struct option_row option_rows[];
extern const size_t n_option_rows;

int cmd_up(struct run *run);
int cmd_down(struct run *run);
int cmd_apply(struct run *run);
int cmd_check(struct run *run);
int cmd_status(struct run *run);
int cmd_set(struct run *run);
int cmd_get(struct run *run);
int cmd_switch(struct run *run);
int cmd_rollback(struct run *run);
int cmd_weight(struct run *run);
int cmd_drain(struct run *run);
int cmd_maint(struct run *run);
int cmd_ready(struct run *run);
int cmd_wait(struct run *run);
int cmd_rolling(struct run *run);
int cmd_confirm(struct run *run);
int cmd_cancel(struct run *run);
int cmd_explain(struct run *run);
int cmd_verify(struct run *run);
int cmd_history(struct run *run);
int cmd_diff(struct run *run);
int cmd_tag(struct run *run);
int cmd_lock(struct run *run);
int cmd_unlock(struct run *run);
int cmd_stats(struct run *run);
int cmd_help(struct run *run);

/* arguments.c: fill options, command and arguments of @run. Errors: STATUS_USAGE, -ENOMEM. */
int arguments_read(struct run *run, int argc, char **argv);
/* Does @command take the option? */
bool option_is_of(const struct option_row *row, const char *command);
/* There is no such command. Returns STATUS_USAGE. */
int arguments_unknown_command(struct run *run, const char *name);

/* output.c: words, JSON and exit status. */
int run_finish(struct run *run, int result);
void run_warn(struct run *run, const char *text);
/* run->undo as a whole command: it must not reach another instance. */
void run_undo_text(const struct run *run, struct diag *ret_text);
/* Is plain text wanted on stdout now (no --json, no -q)? */
bool run_prints(const struct run *run);
/* Append to the text of @diag. */
void diag_add(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Append @item, which is taken over. */
void json_add(json_t *list, json_t *item);

/* target.c: what a command is about. */

/* Open for a writer (for a reader with --dry-run), check --if-rev, set run->before and after. */
int run_open(struct run *run, enum steerer_mode mode, struct steerer **ret_steerer);
/* Open for reading; @ret_only is the service of -s or NULL. */
int run_read(struct run *run, struct steerer **ret_steerer, const struct service **ret_only);
/* Open for writing; @ret_next is a copy of the live policy. */
int run_write(struct run *run, struct steerer **ret_steerer, struct policy *ret_next);
/* Open the journal alone: works while nothing is steered. */
int run_journal(struct run *run, struct journal **ret_journal);
void steerer_done(struct steerer **steerer);
void journal_done_with(struct journal **journal);
#define auto_steerer __attribute__((cleanup(steerer_done)))
#define auto_journal __attribute__((cleanup(journal_done_with)))
#define auto_policy  __attribute__((cleanup(policy_free)))

/*
 * Services that a command about @pools means: -s, --all, or the only one that has them all.
 * @ret_chosen has one flag for each service of @policy.
 * Errors: STATUS_UNKNOWN_NAME, STATUS_USAGE.
 */
int run_choose(struct run *run, const struct policy *policy, const char *const *pools,
	       size_t n_pools, bool *ret_chosen);
/* The service of -s; NULL service and 0 when -s is not given. Errors: STATUS_UNKNOWN_NAME. */
int run_service(struct run *run, const struct policy *policy, struct service **ret_service);
/* Is @service meant by -s, or is no -s given? */
bool run_means(const struct run *run, const struct service *service);
/* Revision of a number or tag. Errors: STATUS_UNKNOWN_NAME. */
int run_revision(struct run *run, const struct journal *journal, const char *name,
		 uint64_t *ret_revision);

/* commit.c: from a changed policy to a commit, or to the answer of --dry-run. */

/* Rails, then --dry-run or commit. run->line and undo speak only if something was done. */
int run_commit(struct run *run, struct steerer *steerer, struct policy *next);
/* The same for a policy with another inventory: program and interfaces follow. */
int run_apply(struct run *run, struct steerer *steerer, struct policy *next);

/* What the journal and the kernel are told of a commit of this run. */
struct commit_note run_note(const struct run *run);
/* "window" of the answers: null while none is armed. */
json_t *window_json(const struct steerer_window *window);
/* After a change: what open connections do, and whether it undoes itself. */
void run_say_after(struct run *run, const struct steerer *steerer, const struct policy *was);
/* Add up what moves, list the pools whose share changes, and say how many slots move. */
int run_count(struct run *run, const struct policy *before, const struct policy *after);
/* Turn run->line into the answer of --dry-run. */
int run_would_change(struct run *run);
/* The rail 'lock' alone: refuses, or warns where the command is a rollback. */
int run_check_lock(struct run *run, const struct steerer *steerer);
/* " (revision N, was M)" */
void run_say_revision(struct run *run);

/* words.c: what several commands say. */

/* Append "shop: blue 95%, canary 5%" to @text. */
void say_shares(struct diag *text, const struct service *service);
/* Append "blue 95%, canary 5%" of what is remembered. */
void say_remembered(struct diag *text, const struct shares *shares);

#endif
