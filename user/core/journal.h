/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The journal: append-only JSON lines with a hash chain under the state directory.
 *
 * Each line is one object: {"type":"intent"|"done"|"abort"|"adopt"|"tag"|"lock"|"unlock",
 * "revision":n, "time":seconds, "uid":n, "login":text, "command":text, "reason":text,
 * "policy":{...} (intent and adopt), "window":seconds (intent: to be confirmed within, 0 = not),
 * "tag":text (tag), "until":seconds (lock, 0 = no end),
 * "chain":"16 hex digits"}. "chain" is the SipHash-1-3, keyed with the instance key, of the
 * previous chain's 16 digits and this line's canonical JSON without "chain"; the first line
 * follows "0000000000000000".
 *
 * What replaying gave is kept in journal.index, a cache: it counts only while nobody but these
 * functions touches the journal, and removing it loses nothing. See journal_index.c.
 *
 * A revision exists when its "done" or "adopt" line does. The first line that is torn or does
 * not chain ends the journal: journal_open() moves it and what follows to journal.damaged and
 * reports it; nothing else is lost. The instance key is in hash.key beside it, mode 0600.
 */
#ifndef STEER_CORE_JOURNAL_H
#define STEER_CORE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/policy.h"

struct journal; /* opaque */

struct journal_entry {
	uint64_t revision;
	uint64_t parent;
	int64_t time; /* seconds since the epoch */
	uint32_t uid;
	uint32_t window_s;     /* it was to be confirmed within; 0 = not */
	char login[NAME_TEXT]; /* who logged in or called sudo, "" = nobody is known */
	char command[256];
	char reason[256];
	char tag[NAME_TEXT]; /* newest tag of this revision, "" = none */
	bool is_adopted;
};

/* What "lock" wrote: nobody commits meanwhile, except a rollback. */
struct journal_lock {
	bool is_set;
	int64_t since; /* seconds since the epoch */
	int64_t until; /* 0 = until somebody unlocks */
	uint32_t uid;
	char login[NAME_TEXT];
	char reason[256];
};

enum journal_mode {
	JOURNAL_READ,
	JOURNAL_CHECK,	/* read; every line is checked, whatever the index says */
	JOURNAL_WRITE,	/* creates it, with its key */
	JOURNAL_URGENT, /* write; the index counts also for a file that changed since */
};

/*
 * Open. Lines are checked unless the index vouches for them; a line with a policy is checked again
 * when that is read. @ret_notice gets a warning or "".
 * Errors: -ENOKEY, -EKEYREJECTED the key is missing or damaged; errno of the file system, by name
 * of the file.
 */
int journal_open(const char *dir, enum journal_mode mode, struct journal **ret_journal,
		 struct diag *ret_notice, struct diag *why);
void journal_close(struct journal *journal);

const uint64_t *journal_key(const struct journal *journal); /* two words */

/*
 * Give an empty journal the key that the kernel hashes with already, so that the clients stay in
 * their slots also after the next start. One that has lines keeps its own; 0 as well.
 */
int journal_use_key(struct journal *journal, const char *dir, const uint64_t key[2],
		    struct diag *why);

/* Newest revision that exists, 0 if none. */
uint64_t journal_head(const struct journal *journal);

/* A revision begun (intent) and neither done nor aborted, 0 if none. */
uint64_t journal_pending(const struct journal *journal);

/* All revisions that exist, oldest first; owned by the journal. */
const struct journal_entry *journal_entries(const struct journal *journal, size_t *ret_count);

/* Name for a screen: @login, else the account of @uid, else its number. Returns @buffer. */
const char *journal_who(const char *login, uint32_t uid, char buffer[static NAME_TEXT]);

/* Policy of a revision. Errors: -ENOENT; -EBADMSG its line is damaged. */
int journal_policy(const struct journal *journal, uint64_t revision, struct policy *ret_policy,
		   struct diag *why);

/*
 * Appends, each with fdatasync. @entry gives revision, parent, command and reason.
 * Errors: -ESTALE another command wrote the journal meanwhile; errno of the file system.
 */
int journal_intent(struct journal *journal, const struct journal_entry *entry,
		   const struct policy *policy, struct diag *why);
int journal_done(struct journal *journal, uint64_t revision, struct diag *why);
int journal_abort(struct journal *journal, uint64_t revision, struct diag *why);
int journal_adopt(struct journal *journal, const struct journal_entry *entry,
		  const struct policy *policy, struct diag *why);
int journal_tag(struct journal *journal, uint64_t revision, const char *name, struct diag *why);

/* The lock in force at @now, NULL if there is none; owned by the journal. */
const struct journal_lock *journal_lock(const struct journal *journal, int64_t now);

/* @entry gives revision (the one in force), command and reason; @until 0 = no end. */
int journal_set_lock(struct journal *journal, const struct journal_entry *entry, int64_t until,
		     struct diag *why);
int journal_unlock(struct journal *journal, const struct journal_entry *entry, struct diag *why);

/* Revision of "41" or of a tag; 0 if none. */
uint64_t journal_find(const struct journal *journal, const char *revision_or_tag);

#endif
