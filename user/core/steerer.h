/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One steerer: what is pinned in the kernel, the journal on disk, and the lock between writers.
 *
 * A command opens it for reading or writing, asks for the live policy, changes a copy with the
 * pure functions of policy.h, and commits the copy. Writers hold the lock (flock on the pin
 * directory) from open to close; readers never wait.
 *
 * Commit: append intent -> build banks, tables, records beside the live ones -> read back ->
 * compare-and-swap the word -> append done. The live policy is the one pinned with the live
 * bank; a journal that is behind it (killed in the middle, rollback on a full disk) is brought
 * up by the next writer, who says so in the notice.
 */
#ifndef STEER_CORE_STEERER_H
#define STEER_CORE_STEERER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "core/journal.h"
#include "core/policy.h"

struct steerer; /* opaque */

struct steerer_place {
	const char *instance; /* "default" */
	const char *bpffs;    /* folder above the instance: /sys/fs/bpf/steer */
	const char *state;    /* /var/lib/steer */
};

enum steerer_mode {
	STEERER_READ,
	STEERER_WRITE,	  /* takes the lock */
	STEERER_ROLLBACK, /* takes the lock if it can within the time, goes on without */
};

/*
 * steerer_open - open a running steerer.
 *
 * @timeout_ms how long a writer waits for the lock
 * @notice     warnings (recovered, adopted, without lock, journal unusable) or ""
 * Errors: -ENOTCONN it is not up; -EBUSY another writer holds the lock; -EPERM privileges (the
 * sentence names the capability); -EPROTO pinned by an incompatible version; errno of the
 * journal's files (never in mode STEERER_ROLLBACK).
 */
int steerer_open(const struct steerer_place *place, enum steerer_mode mode, int timeout_ms,
		 struct steerer **ret_steerer, struct diag *notice, struct diag *why);
void steerer_close(struct steerer *steerer);

/* Live policy; its revision is the one in force. Owned by the steerer. */
const struct policy *steerer_policy(const struct steerer *steerer);
/* NULL when the journal could not be opened (mode STEERER_ROLLBACK or no state directory). */
struct journal *steerer_journal(const struct steerer *steerer);
const uint64_t *steerer_hash_key(const struct steerer *steerer);

/* Slot that packets of @client to @service meet. */
uint32_t steerer_slot(const struct steerer *steerer, const struct service *service,
		      const struct address *client);
uint64_t steerer_generation(const struct steerer *steerer);
/* Hexadecimal digest of the live tables: equal on every host with the same policy. */
uint64_t steerer_digest(const struct steerer *steerer);

struct commit_note {
	const char *command; /* as the operator typed it, for the journal */
	const char *reason;  /* may be NULL */
	bool cut;	     /* open connections move at once as well */
	bool keeps_window; /* an armed window stays armed until its time; its fallback is rebuilt */
	uint32_t confirm_within_s; /* goes back by itself unless confirmed; 0 = not armed */
};

/*
 * steerer_commit - make @next the live policy, all services in one swap.
 *
 * @next gets revision = live revision + 1; services that differ get it as well, and the release
 * memory (before) is kept by the functions of policy.h. Next hops of new backends are resolved.
 * Errors: -ESTALE somebody committed meanwhile (only without the lock); -EHOSTUNREACH,
 * -ENETUNREACH next hop; -EIO read-back differs; errno of the journal; kernel errors.
 */
int steerer_commit(struct steerer *steerer, struct policy *next, const struct commit_note *note,
		   struct diag *why);

/*
 * steerer_rollback - select the prepared bank: the base of the current release.
 *
 * Needs neither lock, journal nor configuration. @ret_changed false: already there. Afterwards
 * the journal is told and the way back of the new bank is prepared, as far as that is possible;
 * what was not is in @notice.
 */
int steerer_rollback(struct steerer *steerer, bool step, const struct commit_note *note,
		     bool *ret_changed, struct diag *notice, struct diag *why);

/*
 * Policy that steerer_rollback() would make live (a copy for the caller): for --dry-run and for
 * printing what moves. @ret_changed false when it is the live one.
 */
int steerer_rollback_policy(struct steerer *steerer, bool step, struct policy *ret_policy,
			    bool *ret_changed, struct diag *why);

/*
 * steerer_apply - commit @next, whose inventory may differ from the live one.
 *
 * Before the commit the program is installed with facts wide enough for both policies and new
 * interfaces are attached; after it removed interfaces are detached and the facts narrowed. Cut
 * short anywhere, what runs is right for the live policy. On error before the commit all is as
 * it was. @notice  modes, and what could not be tidied up after the commit
 * Errors: of steerer_commit(), link_attach() and loader_install().
 */
int steerer_apply(struct steerer *steerer, struct policy *next, const struct commit_note *note,
		  struct diag *notice, struct diag *why);

/*
 * steerer_up - load, install, attach; adopt what is already there.
 *
 * @config  policy read from the configuration file. A running steerer goes by its own policy
 *          (steerer_apply takes changes over): its program is replaced in place if it differs
 *          and its interfaces are attached again where they were lost.
 * @ret_was_up  it ran already; set also on error, when it runs on as it was
 * Errors: -EPROTO made by another version, or damaged; -ENODEV, -EEXIST, -EXDEV interfaces, see
 * link_attach(); the kernel's. One that found nothing running leaves nothing behind.
 */
int steerer_up(const struct steerer_place *place, const struct policy *config,
	       const struct commit_note *note, bool *ret_was_up, struct diag *notice,
	       struct diag *why);

/*
 * Detach and unpin, also what is damaged. State on disk is kept.
 * Errors: -ENOTCONN nothing is there; -EIO something could not be removed.
 */
int steerer_down(const struct steerer_place *place, int timeout_ms, struct diag *why);

/*
 * Merge the inventory of @config into the live policy: shares, weights set by hand, states and
 * ids stay. @ret_next is the result. Errors: -EBUSY a removed pool owns slots (named); -ENOSPC
 * no backend id is free.
 */
int steerer_merge(const struct steerer *steerer, const struct policy *config,
		  struct policy *ret_next, struct diag *why);

/* A commit that goes back by itself, with every process gone, unless it is confirmed. */
struct steerer_window {
	bool is_armed;
	uint64_t left_ms;
	uint64_t revision;	    /* that is to be confirmed: the live one */
	uint64_t fallback_revision; /* that becomes live when nobody confirms */
};

/* Is a window armed on the live revision? Errors: none; @ret_window is all zero without one. */
int steerer_window(const struct steerer *steerer, struct steerer_window *ret_window);

/*
 * steerer_confirm - keep what is live: the armed window is over.
 *
 * Errors: -ENODATA no window is armed; -ESTALE it ran out, or somebody committed meanwhile; of
 * steerer_commit().
 */
int steerer_confirm(struct steerer *steerer, const struct commit_note *note, struct diag *why);

/*
 * steerer_cancel - go back to the fallback of the armed window now, as the timer would.
 *
 * Needs no lock, as a rollback. Errors: -ENODATA no window is armed; of steerer_rollback().
 */
int steerer_cancel(struct steerer *steerer, const struct commit_note *note, struct diag *notice,
		   struct diag *why);

/* The time in which open connections finish where they began, of one service. */
struct steerer_transition {
	uint32_t touched; /* slots; 0 = settled */
	uint64_t left_ms; /* until it is settled; UINT64_MAX = it has no deadline */
};

/* @service  index in the live policy. Errors: -EINVAL no such service; -ENOENT, -ENOMEM. */
int steerer_transition(const struct steerer *steerer, size_t service,
		       struct steerer_transition *ret_transition);

/* What still leads to a backend besides the tables of now. */
struct steerer_bound {
	uint32_t recorded;	     /* live flow records whose backend it is: exact */
	uint64_t unrecorded_seen;    /* packets it ever got; unrecorded flows show as growth */
	uint64_t last_packet_ms_ago; /* UINT64_MAX: the kernel keeps no time of it */
	uint32_t slots_origin;	     /* touched slots whose origin it is */
};

/*
 * steerer_bounds - the same for @count backends in one pass over the records.
 *
 * A backend that the live policy does not have (any more) is bound to nothing.
 * Errors: -ENOMEM; the map's.
 */
int steerer_bounds(const struct steerer *steerer, const uint32_t *ids, size_t count,
		   struct steerer_bound *ret_bounds);
int steerer_bound(const struct steerer *steerer, uint32_t backend_id,
		  struct steerer_bound *ret_bound);

/* What decides where a packet of an open connection goes. */
enum flow_rule {
	FLOW_SLOT,   /* the slot is not touched, or the policy of UDP is 'packet': now */
	FLOW_ORIGIN, /* the slot is touched and the flow has no record */
	FLOW_RECORD,
	FLOW_RULE_COUNT,
};

struct flow {
	struct address client;
	uint16_t client_port;		 /* host order */
	const struct frontend *frontend; /* its port is not 0 */
};

struct flow_decision {
	enum flow_rule rule;
	uint32_t backend_id; /* 0 = none */
};

/* steerer_flow_rule - which rule decides for @flow of @service, and for whom. */
int steerer_flow_rule(const struct steerer *steerer, size_t service, const struct flow *flow,
		      struct flow_decision *ret_decision);

struct counter {
	uint64_t packets;
	uint64_t bytes;
	uint64_t connections;
};

/* Sums over all CPUs. */
int steerer_count_verdict(const struct steerer *steerer, uint32_t verdict, struct counter *ret);
int steerer_count_backend(const struct steerer *steerer, uint32_t id, struct counter *ret);

/*
 * Compare kernel and intention: word, bank, tables, records, frontends, links, journal head.
 * @ret_findings lines separated by '\n', "" when equal. Returns 0 also with findings.
 */
int steerer_verify(const struct steerer *steerer, struct diag *ret_findings, struct diag *why);

/*
 * The part of it that a commit would build upon: does the kernel hold what steer made? A kernel
 * that is ahead of the journal, or an interface that is detached, is no drift.
 */
int steerer_drift(const struct steerer *steerer, struct diag *ret_findings, struct diag *why);

/* Is what was read at steerer_open() still live? False too when it was taken down. */
bool steerer_is_current(const struct steerer *steerer);

/* Attached interfaces: "eth0 native" lines, for status. */
void steerer_interfaces(const struct steerer *steerer, struct diag *ret_lines);

#endif
