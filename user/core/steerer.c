// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/steerer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/own.h"
#include "base/time_text.h"
#include "core/dataplane.h"
#include "core/generation.h"
#include "core/loader.h"
#include "core/slot.h"
#include "core/steerer_private.h"

#define LOCK_POLL_MS 10

int place_paths(const struct steerer_place *place, struct steerer *steerer, struct diag *why)
{
	if ((size_t)snprintf(steerer->dir, sizeof(steerer->dir), "%s/%s", place->bpffs,
			     place->instance) >= sizeof(steerer->dir) ||
	    (size_t)snprintf(steerer->state, sizeof(steerer->state), "%s/%s", place->state,
			     place->instance) >= sizeof(steerer->state))
		return diag_fail(why, -ENAMETOOLONG, "the path of instance '%s' is too long",
				 place->instance);
	if (strchr(place->instance, '.'))
		return diag_fail(why, -EINVAL,
				 "instance '%s': a BPF file system takes no dots in names",
				 place->instance);
	return 0;
}

/* Process that holds the lock on @fd, 0 if that cannot be seen. */
static int lock_holder(int fd)
{
	auto_fclose FILE *file = fopen("/proc/locks", "re");
	struct stat facts;
	char line[256];

	if (!file || fstat(fd, &facts) < 0)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		unsigned int major_number, minor_number;
		unsigned long inode;
		int process;

		if (sscanf(line, "%*d: FLOCK %*s WRITE %d %x:%x:%lu", &process, &major_number,
			   &minor_number, &inode) == 4 &&
		    makedev(major_number, minor_number) == facts.st_dev && inode == facts.st_ino)
			return process;
	}
	return 0;
}

static int refuse_lock(const struct steerer *steerer, int fd, int timeout_ms, struct diag *why)
{
	char process[32] = "";
	int holder = lock_holder(fd);

	if (holder > 0)
		(void)snprintf(process, sizeof(process), " (process %d)", holder);
	return diag_fail(why, -EBUSY, "another command%s has held the lock on %s for %d ms",
			 process, steerer->dir, timeout_ms);
}

/* Whoever waited may have got the lock of a directory that 'down' has removed meanwhile. */
static bool is_still_there(const struct steerer *steerer, int fd)
{
	struct stat locked, named;

	return fstat(fd, &locked) == 0 && stat(steerer->dir, &named) == 0 &&
	       locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

/* flock() has no time-out of its own; the wait is short and rare, so it polls. */
int take_lock(struct steerer *steerer, int timeout_ms, struct diag *why)
{
	int64_t deadline = time_now_ms() + timeout_ms;
	auto_close int fd = open(steerer->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return diag_fail(why, -ENOTCONN, "steer is not up: %s does not exist (steerctl up)",
				 steerer->dir);
	if (fd < 0)
		return diag_fail(why, errno == EACCES ? -EPERM : -errno, "cannot open %s: %m",
				 steerer->dir);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000L};

		if (errno != EWOULDBLOCK)
			return diag_fail(why, -errno, "cannot lock %s: %m", steerer->dir);
		if (time_now_ms() >= deadline)
			return refuse_lock(steerer, fd, timeout_ms, why);
		(void)nanosleep(&pause, NULL);
	}
	if (!is_still_there(steerer, fd))
		return diag_fail(why, -ENOTCONN, "steer went down while this command waited for %s",
				 steerer->dir);
	steerer->lock = take_fd(&fd);
	return 0;
}

int load_live(struct steerer *steerer, struct diag *why)
{
	uint32_t bank;

	steerer->word = dataplane_word(&steerer->dp);
	bank = STEER_WORD_BANK(steerer->word);
	policy_free(&steerer->policy);
	if (bank == 0)
		return diag_fail(
			why, -ENOTCONN,
			"no generation is installed: the last 'up' was cut short, run it again");
	steerer->bank = steerer->dp.control->bank[bank % STEER_BANKS];
	return generation_policy(&steerer->dp, bank, &steerer->policy, why);
}

/* Bring a journal that is behind the kernel up to it, and end what was begun. */
int recover_journal(struct steerer *steerer, struct diag *notice, struct diag *why)
{
	uint64_t live = steerer->policy.revision;
	uint64_t pending = journal_pending(steerer->journal);
	struct journal_entry entry = {.revision = live, .parent = live - 1, .is_adopted = true};
	int error;

	if (pending && pending != live) {
		error = journal_abort(steerer->journal, pending, why);
		if (error)
			return error;
		diag_line(notice, "revision %lu was begun and not finished: undone",
			  (unsigned long)pending);
	}
	if (journal_head(steerer->journal) >= live)
		return 0; /* a kernel behind it is drift, see steerer_drift() */
	if (pending == live) {
		diag_line(notice,
			  "revision %lu was live and its journal entry unfinished: finished",
			  (unsigned long)live);
		return journal_done(steerer->journal, live, why);
	}
	diag_line(notice, "the kernel holds revision %lu, the journal ended at %lu: adopted",
		  (unsigned long)live, (unsigned long)journal_head(steerer->journal));
	(void)snprintf(entry.command, sizeof(entry.command), "adopted from the kernel");
	return journal_adopt(steerer->journal, &entry, &steerer->policy, why);
}

static int open_journal(struct steerer *steerer, enum steerer_mode mode, struct diag *notice,
			struct diag *why)
{
	static const enum journal_mode modes[] = {
		[STEERER_READ] = JOURNAL_READ,
		[STEERER_WRITE] = JOURNAL_WRITE,
		[STEERER_ROLLBACK] = JOURNAL_URGENT,
	};
	bool writable = mode != STEERER_READ;
	struct diag found;
	int error = journal_open(steerer->state, modes[mode], &steerer->journal, &found, why);

	if (found.text[0])
		diag_line(notice, "%s", found.text);
	if (!error && writable && steerer->lock >= 0)
		error = journal_use_key(steerer->journal, steerer->state, steerer_hash_key(steerer),
					why)
				?: recover_journal(steerer, notice, why);
	if (!error || mode == STEERER_WRITE)
		return error;
	if (mode == STEERER_ROLLBACK)
		diag_line(notice, "going on without the journal: %s",
			  why ? why->text : "it cannot be opened");
	journal_close(steerer->journal);
	steerer->journal = NULL;
	return 0;
}

int steerer_open(const struct steerer_place *place, enum steerer_mode mode, int timeout_ms,
		 struct steerer **ret_steerer, struct diag *notice, struct diag *why)
{
	struct steerer *steerer = calloc(1, sizeof(*steerer));
	int error;

	if (!steerer)
		return diag_fail(why, -ENOMEM, "out of memory");
	notice->text[0] = '\0';
	steerer->lock = -1;
	error = dataplane_privileged(why);
	if (!error)
		error = place_paths(place, steerer, why);
	if (!error && mode != STEERER_READ) {
		error = take_lock(steerer, timeout_ms, why);
		if (error == -EBUSY && mode == STEERER_ROLLBACK) {
			diag_line(notice, "%s: going on without it", why->text);
			error = 0;
		}
	}
	if (!error)
		error = dataplane_open(steerer->dir, mode != STEERER_READ, &steerer->dp, why);
	steerer->is_open = !error;
	if (!error)
		error = load_live(steerer, why);
	if (!error)
		error = open_journal(steerer, mode, notice, why);
	/* Policy and journal belong together only if nothing was swapped between reading them. */
	if (!error && mode == STEERER_WRITE && dataplane_word(&steerer->dp) != steerer->word)
		error = diag_fail(why, -ESTALE,
				  "a rollback went on without the lock meanwhile; nothing was "
				  "changed: look and try again");
	if (error) {
		steerer_close(steerer);
		return error;
	}
	*ret_steerer = steerer;
	return 0;
}

void steerer_close(struct steerer *steerer)
{
	if (!steerer)
		return;
	if (steerer->journal)
		journal_close(steerer->journal);
	if (steerer->is_open)
		dataplane_close(&steerer->dp);
	policy_free(&steerer->policy);
	own_close(&steerer->lock);
	free(steerer);
}

const struct policy *steerer_policy(const struct steerer *steerer)
{
	return &steerer->policy;
}

struct journal *steerer_journal(const struct steerer *steerer)
{
	return steerer->journal;
}

const uint64_t *steerer_hash_key(const struct steerer *steerer)
{
	return (const uint64_t *)steerer->dp.control->hash_key;
}

uint64_t steerer_generation(const struct steerer *steerer)
{
	return steerer->bank.generation;
}

uint32_t steerer_slot(const struct steerer *steerer, const struct service *service,
		      const struct address *client)
{
	return slot_of(steerer->dp.control->slot_hash, service, client);
}
